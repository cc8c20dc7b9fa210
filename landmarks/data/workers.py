"""Decode photos in several processes, and survive photos that kill one."""

import hashlib
import os
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context, parent_process
from typing import BinaryIO

from landmarks import images
from landmarks.data.archive import Archive, open_archive
from landmarks.data.photos import Verdict
from landmarks.errors import LandmarksError, deaf_to_interrupts

_CHUNK = 16


@dataclass(frozen=True)
class Task:
    """A photo, where to read it, and which row to write."""

    row: int
    archive: str
    member: str


@dataclass(frozen=True)
class Job:
    """Where pixels go: the array's file, the byte at which its data starts, the side of a photo."""

    pixels: str
    offset: int
    size: int


Waiting = deque[Sequence[Task]]


def decode_all(tasks: Sequence[Task], job: Job, workers: int) -> Iterator[tuple[int, Verdict]]:
    """Decode photos in parallel and write their pixels; yield each one's row and verdict.

    A photo that kills its process (codecs are C code) is found and refused, the rest goes on.

    Raises:
        LandmarksError: an archive cannot be opened, or no process starts.
        OSError: the pixels cannot be written.
    """
    waiting: Waiting = deque(tasks[i : i + _CHUNK] for i in range(0, len(tasks), _CHUNK))
    while waiting:
        lost = yield from _until_death(waiting, job, workers)
        # Any of these may be the killer: one at a time shows which.
        suspects: Waiting = deque((task,) for task in lost)
        while suspects:
            for task in (yield from _until_death(suspects, job, 1)):
                yield task.row, Verdict(reason="crashes the decoder")


def _until_death(
    waiting: Waiting, job: Job, workers: int
) -> Generator[tuple[int, Verdict], None, list[Task]]:
    """Decode chunks until all are done or a process dies; return the photos lost with it.

    With one worker only one chunk is under way at a time, so that what is lost is to blame.
    """
    running: dict[Future[list[tuple[int, Verdict]]], Sequence[Task]] = {}
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start_worker)
    _check_alive(pool)
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers - 1:
                with deaf_to_interrupts():
                    running[pool.submit(_decode_chunk, waiting[0], job)] = waiting[0]
                waiting.popleft()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield from future.result()
                del running[future]
    except BrokenProcessPool:
        return [task for chunk in running.values() for task in chunk]
    finally:
        pool.shutdown(cancel_futures=True)
    return []


def _check_alive(pool: ProcessPoolExecutor) -> None:
    """Tell processes that cannot start from photos that kill them."""
    try:
        with deaf_to_interrupts():
            started = pool.submit(os.getpid)
        started.result()
    except BrokenProcessPool as error:
        raise LandmarksError(
            "the processes that decode photos die before they start",
            hint="Is memory short? Set LANDMARKS_WORKERS=1, or look at the messages above.",
        ) from error


def _start_worker() -> None:
    # A parent that was killed must not leave workers behind.
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _decode_chunk(tasks: Sequence[Task], job: Job) -> list[tuple[int, Verdict]]:
    with open(job.pixels, "r+b") as file:
        return [(task.row, _decode_one(task, job, file)) for task in tasks]


def _decode_one(task: Task, job: Job, file: BinaryIO) -> Verdict:
    try:
        data = _archive(task.archive).read(task.member)
    except LandmarksError:
        return Verdict(reason="damaged in the archive")
    sha1 = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    try:
        pixels, picture = images.load(data, job.size)
    except images.UnreadableImage as error:
        return Verdict(bytes=len(data), sha1=sha1, reason=error.reason)
    file.seek(job.offset + task.row * pixels.nbytes)
    file.write(pixels.tobytes())
    dhash = f"{images.dhash(pixels):016x}"
    return Verdict(picture.width, picture.height, len(data), sha1, dhash, "ok")


@cache
def _archive(path: str) -> Archive:
    return open_archive(path)
