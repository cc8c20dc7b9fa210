"""Find photos that show the same shot: the same file, or nearly the same perceptual hash."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

LEAST_DETAIL = 8
"""A hash with less `detail` says nothing: on real photos all matches below it were false.

They showed different towers on a plain sky, or a bright middle at night; the first true one had 9.
"""

_BLOCK_PAIRS = 1 << 22

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def detail(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return in how many bits, of 56, the rows of an 8x8 difference hash differ from the next row.

    A picture of one bright column or of an even sky has one row eight times, whatever it shows.

    Args:
        hashes: uint64 (N,), as `images.dhash` gives.
    """
    changes = (hashes ^ (hashes >> np.uint64(8))) & np.uint64((1 << 56) - 1)
    return np.bitwise_count(changes).astype(np.int64)


def near_pairs(hashes: NDArray[np.uint64], others: NDArray[np.uint64], distance: int) -> Pairs:
    """Return all pairs (i, j) with `hashes[i]` and `others[j]` at most `distance` bits apart.

    Hashes of little `detail` are left out. Compares in blocks: memory does not grow with N * M,
    but with the pairs found.

    Args:
        hashes: uint64 (N,).
        others: uint64 (M,).
        distance: bits, 0 to 64 (Hamming).
    """
    rows = np.flatnonzero(detail(hashes) >= LEAST_DETAIL)
    columns = np.flatnonzero(detail(others) >= LEAST_DETAIL)
    step = max(1, _BLOCK_PAIRS // max(1, len(columns)))
    found = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        apart = np.bitwise_count(hashes[block, None] ^ others[None, columns])
        i, j = np.nonzero(apart <= distance)
        found.append((block[i], columns[j]))
    return np.concatenate([i for i, _ in found]), np.concatenate([j for _, j in found])


def equal_pairs(keys: Iterable[str], others: Iterable[str]) -> Pairs:
    """Return all pairs (i, j) with `keys[i] == others[j]`, for the first such j only.

    One partner is enough to group a photo, and many copies of one file do not make many pairs.
    """
    first: dict[str, int] = {}
    for j, key in enumerate(others):
        first.setdefault(key, j)
    found = [(i, first[key]) for i, key in enumerate(keys) if key in first]
    pairs = np.array(found, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
