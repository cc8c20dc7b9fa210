"""Where the work runs: never a parameter, because it must not invalidate a stage."""

import os

from landmarks.errors import LandmarksError

DEVICES = ("auto", "cpu", "cuda")


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
    text = os.environ.get("LANDMARKS_WORKERS", "")
    if not text:
        return default
    if not text.isdecimal() or int(text) > 256:
        raise LandmarksError(
            f"LANDMARKS_WORKERS is {text!r}", hint="Set it to a whole number from 0 to 256."
        )
    return int(text)


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
