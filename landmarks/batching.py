"""Rows in batches on all cores: the same bits for any number of them, and without PyTorch."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from landmarks import environment
from landmarks.errors import LandmarksError

BATCH = 32
"""Photos a forward pass. Fixed, because another batch size may round differently."""


def in_batches(
    forward: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    rows: NDArray[np.int64],
    label: str,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Call `forward` on `BATCH` rows at a time, one thread a core, and join the answers in order.

    Cores share the batches and never one batch, so that the number of cores changes the time and
    not a bit of the result; `forward` must itself compute with one thread.
    """
    if not len(rows):
        raise LandmarksError(
            f"{label}: no photos to run on", hint="See which roles data/split.csv has."
        )
    batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    with (
        ThreadPoolExecutor(threads or environment.cores()) as pool,
        tqdm(total=len(rows), desc=label, unit="photo") as bar,
    ):
        answers = []
        for answer in pool.map(forward, batches):
            answers.append(answer)
            bar.update(len(answer))
    return np.concatenate(answers)
