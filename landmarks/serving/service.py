"""One request for predictions, from its head to its answers, within the limits of the settings."""

import asyncio
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fastapi import Request

from landmarks import images
from landmarks.answers import as_json
from landmarks.predictor import Predictor
from landmarks.serving import uploads
from landmarks.serving.access import Keys, Rate
from landmarks.serving.engine import Costs, Engine
from landmarks.serving.metrics import Metrics
from landmarks.serving.model import Model
from landmarks.serving.problems import Problem
from landmarks.serving.queue import Held, Queue
from landmarks.serving.settings import Settings

MOST_GUESSES = 1000
_FREE = ("client-gone", "overloaded")


class Service:
    """What the routes stand on.

    Attributes:
        stopping: whether the process was asked to end, and takes no more requests soon.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.queue = Queue(settings.queue_photos, settings.queue_bytes, self.metrics)
        self.model = Model(settings.model, settings.model_threads, self.metrics)
        self.engine = Engine(
            settings.decoders,
            settings.runners,
            settings.batch,
            Costs(settings.max_pixels, settings.decode_memory_bytes),
            self.metrics,
        )
        self.keys = Keys(settings.api_keys)
        self.rate = Rate(settings.rate_per_minute, settings.rate_burst)
        self.stopping = False

    async def predict(self, request: Request, top_k: int) -> list[dict[str, Any]]:
        """Read the photos of a request and answer them.

        Raises:
            Problem: there is no answer for any of them.
        """
        client = self._client(request)
        self.rate.check(client)
        with self._charging(client):
            length = uploads.check_length(request, self.settings)
        self.queue.check(length)
        with self.queue.hold() as held:
            upload = await self._upload(request, client, held)
            request.scope["said"]["photos"] = len(upload.photos)
            guesses = _guesses(upload.top_k, top_k)
            predictor = self.model.predictor
            started = time.perf_counter()
            answers = await self._awaited(request, self._answers(predictor, upload.photos, guesses))
            self.queue.took(time.perf_counter() - started)
        if all("problem" in answer for answer in answers):
            reasons = {answer["problem"]["detail"] for answer in answers}
            raise Problem("unreadable-photo", " ".join(sorted(reasons)), photos=answers)
        return answers

    async def _upload(self, request: Request, client: str, held: Held) -> uploads.Upload:
        """Read a request and charge its client for the photos in it."""
        with self._charging(client):
            upload = await uploads.read(request, self.settings, held)
        self.rate.charge(client, len(upload.photos))
        return upload

    @contextmanager
    def _charging(self, client: str) -> Iterator[None]:
        """Charge a client a photo for an upload that is refused."""
        try:
            yield
        except Problem as problem:
            if problem.name not in _FREE:
                self.rate.charge(client, 1)
            raise

    async def _answers(
        self, predictor: Predictor, photos: Sequence[uploads.Photo], top_k: int
    ) -> list[dict[str, Any]]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._answer(predictor, one, top_k)) for one in photos]
        return [task.result() for task in tasks]

    async def _answer(
        self, predictor: Predictor, photo: uploads.Photo, top_k: int
    ) -> dict[str, Any]:
        try:
            answer = await self.engine.answer(predictor, photo.content, top_k)
        except images.UnreadableImage as error:
            self.metrics.photos.labels("unreadable").inc()
            why = error.message.partition("cannot be read")[2]
            problem = Problem("unreadable-photo", f"It cannot be read{why}.", reason=error.reason)
            return {"photo": photo.name, "problem": problem.body(self.settings.root_path)}
        self.metrics.photos.labels(answer.decision).inc()
        return {"photo": photo.name} | as_json(answer)

    async def _awaited(
        self, request: Request, work: Coroutine[Any, Any, list[dict[str, Any]]]
    ) -> list[dict[str, Any]]:
        """Do the work while somebody waits for it, and no longer than the settings say."""
        working = asyncio.create_task(work)
        gone = asyncio.create_task(_gone(request))
        try:
            await asyncio.wait(
                (working, gone),
                timeout=self.settings.answer_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if working.done():
                return working.result()
            if gone.done():
                raise Problem("client-gone", "The client went away before the answer.")
            raise self.queue.overloaded("The photos could not be looked at in time.")
        finally:
            working.cancel()
            gone.cancel()

    def _client(self, request: Request) -> str:
        """Return whose photos are counted together: a key's, or else an address's."""
        key = request.scope["said"].get("key")
        return key or (request.client.host if request.client else "")


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _guesses(text: str | None, otherwise: int) -> int:
    """Return the number of guesses that a form asks for."""
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_GUESSES):
        raise Problem("bad-parameter", f"top_k must be a whole number from 1 to {MOST_GUESSES}.")
    return int(text)
