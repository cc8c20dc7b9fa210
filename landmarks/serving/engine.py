"""From the bytes of photos to answers: decoded in threads, put to the model in batches.

Pillow and ONNX Runtime let go of the interpreter while they work, so threads fill all cores. A
batch is what waits when a forward pass can begin: an idle service answers a lone photo at once, a
busy one gathers up to `batch` of all requests. Everything but that work runs in the event loop's
thread, so nothing here needs a lock.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from landmarks import images
from landmarks.prediction import Prediction
from landmarks.predictor import Predictor
from landmarks.serving.metrics import Metrics

_TOO_LARGE = "too many pixels"


@dataclass(frozen=True)
class Costs:
    """What decoding may cost.

    Attributes:
        pixels: of one photo.
        memory: bytes, of all threads together.
    """

    pixels: int
    memory: int


@dataclass(frozen=True)
class _Waiting:
    """A decoded photo that the model has not seen."""

    predictor: Predictor
    pixels: images.Pixels
    top_k: int
    answer: asyncio.Future[Prediction]


class Engine:
    """Answers photos; see the module."""

    def __init__(
        self, decoders: int, runners: int, batch: int, costs: Costs, metrics: Metrics
    ) -> None:
        self._decoders = ThreadPoolExecutor(decoders, "decode")
        # The few photos that need much memory take turns.
        self._large = ThreadPoolExecutor(1, "decode-large")
        self._runners = ThreadPoolExecutor(runners, "model")
        self._free = runners
        self._batch = batch
        # Half the memory is shared by the decoders, half is for the large one.
        self._share = images.Limits(costs.memory // 2 // decoders, costs.pixels)
        self._most = images.Limits(costs.memory // 2, costs.pixels)
        self._metrics = metrics
        self._waiting: deque[_Waiting] = deque()
        self._runs: set[asyncio.Task[None]] = set()

    async def answer(self, predictor: Predictor, photo: bytes, top_k: int) -> Prediction:
        """Say what one photo shows. Who no longer wants to know cancels the call.

        Raises:
            UnreadableImage: it cannot be read as a photo, or costs too much.
        """
        pixels = await self._decode(photo, predictor.card.input.size)
        future: asyncio.Future[Prediction] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(predictor, pixels, top_k, future))
        self._pump()
        return await future

    def close(self) -> None:
        """End the threads; call it when no answer is awaited any more."""
        for pool in (self._decoders, self._large, self._runners):
            pool.shutdown(cancel_futures=True)

    async def _decode(self, photo: bytes, size: int) -> images.Pixels:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._decoders, self._load, photo, size, self._share)
        except images.UnreadableImage as error:
            if error.reason != _TOO_LARGE:
                raise
        return await loop.run_in_executor(self._large, self._load, photo, size, self._most)

    def _load(self, photo: bytes, size: int, limits: images.Limits) -> images.Pixels:
        with self._metrics.stages.labels("decode").time():
            return images.load(photo, size, limits)[0]

    def _pump(self) -> None:
        """Begin forward passes while there is a free runner and something to do."""
        while self._free and (batch := self._take()):
            self._free -= 1
            run = asyncio.get_running_loop().create_task(self._run(batch))
            self._runs.add(run)
            run.add_done_callback(self._runs.discard)

    def _take(self) -> list[_Waiting]:
        """Take the first that wait, all for one model; those that nobody awaits are dropped."""
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < self._batch:
            if self._waiting[0].answer.done():
                self._waiting.popleft()
            elif batch and self._waiting[0].predictor is not batch[0].predictor:
                break
            else:
                batch.append(self._waiting.popleft())
        return batch

    async def _run(self, batch: Sequence[_Waiting]) -> None:
        self._metrics.batches.observe(len(batch))
        started = time.perf_counter()
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.run_in_executor(self._runners, _classify, batch)
        except BaseException as error:
            for one in batch:
                if not one.answer.done():
                    one.answer.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            for one, answer in zip(batch, answers, strict=True):
                if not one.answer.done():
                    one.answer.set_result(answer)
        finally:
            self._metrics.stages.labels("model").observe(time.perf_counter() - started)
            self._free += 1
            self._pump()


def _classify(batch: Sequence[_Waiting]) -> list[Prediction]:
    """Ask the model once, and give everybody as many guesses as they asked for."""
    most = max(one.top_k for one in batch)
    answers = batch[0].predictor.classify(np.stack([one.pixels for one in batch]), most)
    return [
        answer.model_copy(update={"guesses": answer.guesses[: one.top_k]})
        for one, answer in zip(batch, answers, strict=True)
    ]
