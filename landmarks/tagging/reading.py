"""Photos read and decoded by several threads while the model runs: in order, each content once.

Threads are enough: Pillow, its codecs and hashing let go of Python's lock while they work.
"""

import hashlib
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from landmarks import images
from landmarks.prediction import Prediction
from landmarks.predictor import Predictor
from landmarks.tagging import stores
from landmarks.tagging.places import Header, header
from landmarks.tagging.stores import Place, Remote
from landmarks.tagging.walk import Found

TOP_K = 5
BATCH = 4
"""Photos a forward pass: eight are 6 % faster on a CPU, and cost 50 MB more with MobileNetV2."""

AHEAD = 32
"""Photos that may be decoded before the model has seen those before them."""

WAITING = 32
"""Photos that may wait for a batch to be full."""

MOST_BYTES = 500_000_000
"""A file of this size is no photo, and its bytes would not fit the memory of a small machine."""

REMOTE_THREADS = 16
"""Photos that are fetched from a store at once."""

REFUSALS = 1000
"""Contents that cannot be read, remembered so that their duplicates are not tried again."""

Answer = Prediction | images.Pixels | str
"""What a thread finds out: what the journal knows, or what is to be asked, or why it cannot be."""


@dataclass(frozen=True)
class Read:
    """A photo and what is known of it.

    Attributes:
        sha256: of the file; empty where it could not be opened.
        header: what it says of itself.
        prediction: what the model says; None where it cannot be read.
        reason: why it cannot be read.
    """

    found: Found
    sha256: str = ""
    header: Header = Header()
    prediction: Prediction | None = None
    reason: str = ""


@dataclass(frozen=True)
class _Opened:
    """A photo before the model saw it."""

    found: Found
    sha256: str
    header: Header
    answer: Answer


class Memory(Protocol):
    """What was answered before, by SHA-256: a `Journal`, or one that forgets when it is done."""

    def find(self, sha256: str) -> Prediction | None:
        """Return what the model said of a photo."""

    def add(self, predictions: Iterable[tuple[str, Prediction]]) -> None:
        """Keep what the model said."""


class Forgetful(dict[str, Prediction]):
    """A memory that lasts as long as it is held."""

    find = dict.get
    add = dict.update


class Reader:
    """Answers for photos: from the journal where it knows them, from the model otherwise.

    Every forward pass is one of `BATCH` photos, the last one repeated where there are fewer: other
    sizes may round differently, and answers must not depend on what lies beside a photo.
    """

    def __init__(self, predictor: Predictor, journal: Memory, threads: int) -> None:
        self._predictor = predictor
        self._journal = journal
        self._threads = threads
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[Answer]] = {}

    def read(self, photos: Iterable[Found]) -> Iterator[Read]:
        """Yield an answer for each photo, in order; memory does not grow with their number."""
        batch: list[_Opened | Read] = []
        asked: set[str] = set()
        for opened in self._opened(photos):
            batch.append(opened)
            if isinstance(opened, _Opened) and isinstance(opened.answer, np.ndarray):
                asked.add(opened.sha256)
            if len(asked) == BATCH or len(batch) == WAITING:
                yield from self._answered(batch)
                batch, asked = [], set()
        yield from self._answered(batch)

    def _opened(self, photos: Iterable[Found]) -> Iterator[_Opened | Read]:
        waiting: deque[Future[_Opened | Read]] = deque()
        pool = ThreadPoolExecutor(self._threads, "decode")
        try:
            for found in photos:
                waiting.append(pool.submit(self._open, found))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _open(self, found: Found) -> _Opened | Read:
        try:
            content = stores.read(found.path, MOST_BYTES)
        except stores.TooLarge:
            return Read(found, reason=f"larger than {MOST_BYTES:,} bytes")
        except OSError as error:
            return Read(found, reason=f"cannot be opened ({error.strerror or error})")
        sha256 = hashlib.sha256(content).hexdigest()
        return _Opened(found, sha256, header(content), self._answer(sha256, content))

    def _answer(self, sha256: str, content: bytes) -> Answer:
        """Find out about a photo, or wait for the thread that is at one of the same bytes."""
        with self._lock:
            begun = self._under_way.get(sha256)
            mine: Future[Answer] = self._under_way.setdefault(sha256, Future())
        if begun is not None:
            return begun.result()
        try:
            known = self._journal.find(sha256)
            mine.set_result(known or self._predictor.prepare(content))
        except images.UnreadableImage as error:
            mine.set_result(why(error))
        except BaseException as error:
            mine.set_exception(error)
            raise
        return mine.result()

    def _answered(self, batch: list[_Opened | Read]) -> Iterator[Read]:
        opened = [one for one in batch if isinstance(one, _Opened)]
        asked = {one.sha256: one.answer for one in opened if isinstance(one.answer, np.ndarray)}
        # A duplicate may have been answered in the batch before, after this one was decoded.
        again = {sha256: self._journal.find(sha256) for sha256 in asked}
        said = {sha256: known for sha256, known in again.items() if known}
        new = {sha256: pixels for sha256, pixels in asked.items() if sha256 not in said}
        if new:
            pixels = [*new.values(), *[*new.values()][-1:] * (BATCH - len(new))]
            answers = self._predictor.classify(np.stack(pixels), TOP_K)
            said |= zip(new, answers, strict=False)
            self._journal.add((sha256, said[sha256]) for sha256 in new)
        with self._lock:
            for one in opened:  # from here on the journal knows, but for what cannot be read
                if not isinstance(one.answer, str) or len(self._under_way) > REFUSALS:
                    self._under_way.pop(one.sha256, None)
        for each in batch:
            yield each if isinstance(each, Read) else _joined(each, said)


def _joined(one: _Opened, said: dict[str, Prediction]) -> Read:
    if isinstance(one.answer, str):
        return Read(one.found, one.sha256, one.header, reason=one.answer)
    known = one.answer if isinstance(one.answer, Prediction) else said[one.sha256]
    return Read(one.found, one.sha256, one.header, known)


def threads(folder: Place, cores: int) -> int:
    """Return how many threads open photos: more than cores where they wait for a store."""
    return max(cores, REMOTE_THREADS) if isinstance(folder, Remote) else cores


def why(error: images.UnreadableImage) -> str:
    """Return why a file is no photo, without its name."""
    detail = error.message.partition(f": {error.reason}")[2].strip()
    return f"{error.reason} {detail}".strip()
