"""One process at a time: locks that the operating system drops when their holder dies."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STATE = Path(".state")
"""Locks, and what outlives a killed run: ignored by Git and no out of a stage, so that DVC never
deletes it."""


@contextmanager
def alone(path: Path, work: str) -> Iterator[None]:
    """Hold the lock file `path` while the block runs, waiting for another process that has it.

    Args:
        path: made where it is missing; holds the number of the process that has it.
        work: what is locked, for the message to whoever waits, e.g. `the training of scratch`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            print(f"waiting for {work}: process {holder} is at it", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield
