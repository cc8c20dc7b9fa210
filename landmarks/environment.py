"""Where the work runs: never a parameter, because it must not invalidate a stage."""

import ctypes
import os

from landmarks.errors import LandmarksError

DEVICES = ("auto", "cpu", "cuda")

# mallopt(3): what is freed stays with the process instead of being faulted in again a step later.
_KEEP = {"M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_TOP_PAD": (-2, 2**28)}


def device() -> str:
    """Return `LANDMARKS_DEVICE`: `auto` (the default), `cpu` or `cuda`.

    Raises:
        LandmarksError: for any other value.
    """
    name = os.environ.get("LANDMARKS_DEVICE", "auto")
    if name not in DEVICES:
        raise LandmarksError(
            f"LANDMARKS_DEVICE is {name!r}", hint=f"Set it to one of: {', '.join(DEVICES)}."
        )
    return name


def workers(default: int) -> int:
    """Return how many helper processes to start: `LANDMARKS_WORKERS`, or `default`.

    Raises:
        LandmarksError: if the variable is not a whole number from 0 to 256.
    """
    return _number("LANDMARKS_WORKERS", default, least=0)


def processes() -> int:
    """Return how many processes train together: `LANDMARKS_PROCESSES`, or 1.

    Raises:
        LandmarksError: if the variable is not a whole number from 1 to 256.
    """
    return _number("LANDMARKS_PROCESSES", 1, least=1)


def rank() -> int:
    """Return which of the processes that torchrun started this one is; 0 where it is alone."""
    return int(os.environ.get("RANK", 0))


def launched() -> bool:
    """Return whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def launches() -> bool:
    """Return whether this process only starts those that train together."""
    return processes() > 1 and not launched()


def check_shares(batch_size: int, processes: int) -> None:
    """Refuse a number of processes that cannot share a batch evenly.

    Raises:
        LandmarksError: names both.
    """
    if batch_size % processes:
        raise LandmarksError(
            f"batch_size is {batch_size} and cannot be shared by {processes} processes",
            hint=f"Choose a multiple of {processes}.",
        )


def _number(name: str, default: int, *, least: int) -> int:
    text = os.environ.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or not least <= int(text) <= 256:
        raise LandmarksError(
            f"{name} is {text!r}", hint=f"Set it to a whole number from {least} to 256."
        )
    return int(text)


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_memory() -> None:
    """Let the C library keep freed memory for the next step of a training on the CPU.

    A step of a small network otherwise spends a seventh of its time on page faults. Where the C
    library is not glibc nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        for option, value in _KEEP.values():
            mallopt(option, value)
