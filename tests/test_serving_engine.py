"""Photos of all requests share batches, and what nobody waits for is not looked at."""

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from served import model, picture
from tag_folder import BLUE, GREEN, RED, photo

from landmarks import images
from landmarks.prediction import Prediction
from landmarks.predictor import Predictor
from landmarks.serving.engine import Costs, Engine
from landmarks.serving.metrics import Metrics

NAMES = {RED: "00.Uluru", GREEN: "01.Hallerbos", BLUE: "02.Blue_Lake"}


class Gated(Predictor):
    """The real model behind a gate that a test opens; notes the size of each batch."""

    def open_later(self) -> None:
        self.gate, self.sizes = threading.Event(), list[int]()

    def classify(self, pixels: NDArray[np.uint8], top_k: int = 5) -> list[Prediction]:
        self.sizes.append(len(pixels))
        assert self.gate.wait(60)
        return super().classify(pixels, top_k)


def gated() -> Gated:
    predictor = Gated.load(model())
    predictor.open_later()
    return predictor


def engine(runners: int = 1, batch: int = 8, decoders: int = 2) -> Engine:
    return Engine(decoders, runners, batch, Costs(10**9, 10**9), Metrics())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.005)


def test_what_waits_goes_together_and_everybody_gets_their_own_answer() -> None:
    predictor, ours = gated(), engine()

    async def story() -> list[Prediction]:
        asked = [(RED, 3), *[(list(NAMES)[n % 3], 1 + n % 3) for n in range(10)]]
        first = asyncio.create_task(ours.answer(predictor, photo(RED), 3))
        await until(lambda: predictor.sizes == [1])
        rest = [asyncio.create_task(ours.answer(predictor, photo(c, n), k))
                for n, (c, k) in enumerate(asked[1:])]  # fmt: skip
        await until(lambda: len(ours._waiting) == 10)
        predictor.gate.set()
        answers = await asyncio.gather(first, *rest)
        for (colour, top_k), answer in zip(asked, answers, strict=True):
            assert answer.best.class_name == NAMES[colour] and len(answer.guesses) == top_k
        return answers

    asyncio.run(story())
    assert predictor.sizes == [1, 8, 2]
    ours.close()


def test_what_nobody_waits_for_any_more_is_dropped() -> None:
    predictor, ours = gated(), engine(batch=4)

    async def story() -> None:
        tasks = [asyncio.create_task(ours.answer(predictor, photo(RED), 1))]
        await until(lambda: predictor.sizes == [1])
        tasks += [asyncio.create_task(ours.answer(predictor, photo(RED), 1)) for _ in range(6)]
        await until(lambda: len(ours._waiting) == 6)
        for task in tasks[1:6]:
            task.cancel()
        await asyncio.sleep(0)
        predictor.gate.set()
        assert (await tasks[6]).best.name == "Uluru"

    asyncio.run(story())
    assert predictor.sizes == [1, 1]
    ours.close()


def test_photos_prepared_for_one_model_never_meet_another() -> None:
    old, new, ours = gated(), gated(), engine()

    async def story() -> None:
        tasks = [asyncio.create_task(ours.answer(old, photo(RED), 1))]
        await until(lambda: old.sizes == [1])
        for predictor in (old, old, new, old):
            tasks.append(asyncio.create_task(ours.answer(predictor, photo(RED), 1)))
            await until(lambda: len(ours._waiting) == len(tasks) - 1)
        old.gate.set()
        new.gate.set()
        await asyncio.gather(*tasks)

    asyncio.run(story())
    assert old.sizes == [1, 2, 1] and new.sizes == [1]
    ours.close()


def test_a_forward_pass_that_fails_fails_its_photos_and_no_other() -> None:
    predictor, ours = gated(), engine()
    broken = gated()
    broken.gate.set()
    broken._forward = lambda pixels: 1 / 0  # type: ignore[assignment,return-value]
    predictor.gate.set()

    async def story() -> None:
        with pytest.raises(ZeroDivisionError):
            await ours.answer(broken, photo(RED), 1)
        assert (await ours.answer(predictor, photo(RED), 1)).best.name == "Uluru"

    asyncio.run(story())
    ours.close()


def test_a_photo_of_much_memory_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them at once would take more than all may: one thread has the large ones."""
    seen: list[tuple[str, int]] = []
    load = images.load

    def noted(photo: bytes, size: int, limits: images.Limits) -> object:
        seen.append((threading.current_thread().name.rpartition("_")[0], limits.memory))
        return load(photo, size, limits)

    monkeypatch.setattr(images, "load", noted)
    ours = Engine(4, 1, 8, Costs(10**9, 80_000_000), Metrics())
    predictor, large = Predictor.load(model()), picture("PNG", (1500, 2000))

    async def story() -> None:
        await asyncio.gather(*[ours.answer(predictor, large, 1) for _ in range(2)])
        await ours.answer(predictor, photo(RED), 1)

    asyncio.run(story())
    ours.close()
    assert sorted(seen) == [("decode", 10_000_000)] * 3 + [("decode-large", 40_000_000)] * 2
