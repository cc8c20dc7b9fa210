"""The model that answers, and its exchange for a new one while the service runs."""

import asyncio
import logging
from pathlib import Path

import numpy as np

from landmarks import card as cards
from landmarks.card import ModelCard
from landmarks.errors import LandmarksError
from landmarks.predictor import Predictor
from landmarks.serving.logs import say
from landmarks.serving.metrics import Metrics

_Signature = tuple[tuple[int, int, int], ...]


class Model:
    """A folder's model, loaded again when its files change.

    Another one answers only when it was loaded whole, its file had the SHA-256 of its card, and it
    gave an answer. Until then, and for requests under way, the old one does.

    Attributes:
        predictor: the one that answers now.
    """

    def __init__(self, folder: Path, threads: int, metrics: Metrics) -> None:
        self._folder = folder
        self._threads = threads
        self._metrics = metrics
        self._seen = self._signature()
        self.predictor = self._load()
        self._tell()

    @property
    def card(self) -> ModelCard:
        """What is known of the model that answers now."""
        return self.predictor.card

    async def watch(self, seconds: float) -> None:
        """Look at the folder every so many seconds, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await self.check()

    async def check(self) -> None:
        """Load the model again if a file of it changed since the last attempt."""
        try:
            found = await asyncio.to_thread(self._signature)
            if found == self._seen:
                return
            self._seen = found
            fresh = await asyncio.to_thread(self._load)
        except Exception as error:  # noqa: BLE001 - whatever it is, the old model answers on
            self._keep(error)
        else:
            self._take(fresh)

    def _keep(self, error: Exception) -> None:
        known = isinstance(error, LandmarksError)
        reason = str(error) if known else f"{type(error).__name__}: {error}"
        self._metrics.reloads.labels("failed").inc()
        say("model kept", logging.ERROR, model=self.card.version, reason=reason)

    def _take(self, fresh: Predictor) -> None:
        before, self.predictor = self.card, fresh
        self._metrics.reloads.labels("loaded").inc()
        self._tell()
        say("model changed", before=before.version, model=self.card.version)

    def _load(self) -> Predictor:
        predictor = Predictor.load(self._folder, threads=self._threads)
        size = predictor.card.input.size
        # The first answer allocates: nobody should wait for that.
        predictor.classify(np.zeros((1, size, size, 3), np.uint8), 1)
        return predictor

    def _signature(self) -> _Signature:
        """Return what tells files from others without reading them; DVC may put links there."""
        found = []
        for name in (cards.CARD, cards.ONNX):
            try:
                status = (self._folder / name).stat()
                found.append((status.st_ino, status.st_size, status.st_mtime_ns))
            except OSError:
                found.append((0, 0, 0))
        return tuple(found)

    def _tell(self) -> None:
        self._metrics.model.clear()
        self._metrics.model.labels(self.card.version, self.card.cnn).set(1)
