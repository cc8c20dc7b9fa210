"""How much is accepted at a time: photos that wait and bytes in memory are bounded, and counted."""

import math
from types import TracebackType
from typing import Self

from landmarks.serving.metrics import Metrics
from landmarks.serving.problems import Problem

_WEIGHT = 0.1
_LONGEST_RETRY = 60


class Queue:
    """What the service holds for all requests together. Used by the event loop's thread alone."""

    def __init__(self, most_photos: int, most_bytes: int, metrics: Metrics) -> None:
        self.photos = 0
        self.bytes = 0
        self._most_photos = most_photos
        self._most_bytes = most_bytes
        self._seconds = 0.0
        metrics.queue_photos.set_function(lambda: self.photos)
        metrics.queue_bytes.set_function(lambda: self.bytes)

    def check(self, length: int = 0) -> None:
        """Refuse a request before its body is read, if there is no room for it now.

        Raises:
            Problem: the queue is full; says when to come again.
        """
        if self.photos >= self._most_photos or self.bytes + length > self._most_bytes:
            raise self.overloaded("As many photos as the service takes at a time are waiting.")

    def hold(self) -> "Held":
        """Return the share of one request; give it back by leaving its `with` block."""
        return Held(self)

    def took(self, seconds: float) -> None:
        """Note how long a request waited for its answers: that is when room may be expected."""
        self._seconds += _WEIGHT * (seconds - self._seconds)

    def overloaded(self, detail: str) -> Problem:
        """Return the refusal, with the time after which it is worth trying again."""
        seconds = min(_LONGEST_RETRY, max(1, math.ceil(self._seconds)))
        return Problem("overloaded", detail, {"Retry-After": str(seconds)})

    def fits(self, photos: int, count: int) -> bool:
        """Return whether so many more photos and bytes find room."""
        return self.photos + photos <= self._most_photos and self.bytes + count <= self._most_bytes


class Held:
    """The share of one request."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.photos = 0
        self.bytes = 0

    def add(self, *, photos: int = 0, count: int = 0) -> None:
        """Take room for more photos or bytes.

        Raises:
            Problem: there is none.
        """
        if not self._queue.fits(photos, count):
            raise self._queue.overloaded("The service has no room for more photos now.")
        self.photos += photos
        self.bytes += count
        self._queue.photos += photos
        self._queue.bytes += count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._queue.photos -= self.photos
        self._queue.bytes -= self.bytes
        self.photos = self.bytes = 0
