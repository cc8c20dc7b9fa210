"""Whole-number tools of the painter: random streams, angles, roots and noise, the same anywhere."""

import hashlib
from collections.abc import Sequence
from math import isqrt
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]  # of whole numbers: int32 or int64
Item = TypeVar("Item")

TURN = 4096  # one full turn, in units of angle
ONE = 1 << 14  # 1.0 of sines and of unit vectors
_PI = 3141592653589793238462643  # pi x 10**24
_MASK = (1 << 64) - 1


class Stream:
    """Random whole numbers from a name: SplitMix64 (Steele, Lea and Flood 2014).

    Args:
        *labels: what the numbers are for; equal labels give equal numbers, others unrelated ones.
    """

    def __init__(self, *labels: int | str) -> None:
        name = "/".join(str(label) for label in labels).encode()
        self._state = int.from_bytes(hashlib.sha256(name).digest()[:8], "big")

    def bits(self) -> int:
        """Return 64 random bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def below(self, limit: int) -> int:
        """Return a number from 0 to limit - 1."""
        return (self.bits() * limit) >> 64

    def between(self, low: int, high: int) -> int:
        """Return a number from low to high, both included."""
        return low + self.below(high - low + 1)

    def middling(self, low: int, high: int) -> int:
        """Return a number from low to high, more often near the middle (mean of two draws)."""
        return (self.between(low, high) + self.between(low, high)) // 2

    def chance(self, percent: int) -> bool:
        """Return true in `percent` of 100 cases."""
        return self.below(100) < percent

    def pick(self, items: Sequence[Item]) -> Item:
        """Return one of the items."""
        return items[self.below(len(items))]

    def weighted(self, items: dict[Item, int]) -> Item:
        """Return one of the keys, as often as its weight says."""
        left = self.below(sum(items.values()))
        for item, weight in items.items():
            left -= weight
            if left < 0:
                return item
        raise AssertionError("weights are positive")


def _sine_table() -> list[int]:
    scale = 10**24
    table = []
    for step in range(TURN // 4 + 1):
        angle = 2 * _PI * step // TURN
        term, total, k = angle, angle, 1
        while term:
            term = -term * angle // scale * angle // scale // ((k + 1) * (k + 2))
            total += term
            k += 2
            if k > 60:
                break
        table.append((total * ONE + scale // 2) // scale)
    return table


_QUARTER = _sine_table()


def sin(angle: int) -> int:
    """Return the sine of `angle` (4096 a turn) times 16384."""
    quarter, step = divmod(angle % TURN, TURN // 4)
    value = _QUARTER[step] if quarter % 2 == 0 else _QUARTER[TURN // 4 - step]
    return value if quarter < 2 else -value


def cos(angle: int) -> int:
    """Return the cosine of `angle` (4096 a turn) times 16384."""
    return sin(angle + TURN // 4)


def elevation(across: int, up: int) -> int:
    """Return the angle (4096 a turn, -1024 to 1024) at which `up` stands over `across` > 0."""
    low, high = -TURN // 4, TURN // 4
    while high - low > 1:
        middle = (low + high) // 2
        if sin(middle) * across <= cos(middle) * up:
            low = middle
        else:
            high = middle
    return low


def unit(vectors: Ints, one: int) -> Ints:
    """Scale each row of an (N, 3) array to the length `one`; rows of zeros stay zeros."""
    squares = (vectors * vectors).sum(axis=1)
    lengths = np.array([max(isqrt(int(square)), 1) for square in squares], dtype=np.int64)
    return vectors * one // lengths[:, None]


def reciprocal(values: Ints) -> Ints:
    """Return 2**32 // n, int64, for each n of an int32 array; for 0 and less as for 1.

    In 32 bits, which older processors divide several times as fast as 64: 2**32 - 1 has the same
    quotient but for powers of two.
    """
    small = np.maximum(values, 1).astype(np.uint32)
    quotients = (np.uint32(0xFFFFFFFF) // small).astype(np.int64)
    quotients += small & (small - np.uint32(1)) == 0
    return quotients


def hashed(x: Ints, y: Ints, seed: int) -> Ints:
    """Return a random number from 0 to 255 for each whole-number point (x, y)."""
    mixed = x.astype(np.uint32) * np.uint32(0x9E3779B1) ^ y.astype(np.uint32) * np.uint32(
        0x85EBCA77
    )
    mixed = mixed + np.uint32(seed & 0xFFFFFFFF)
    mixed ^= mixed >> np.uint32(15)
    mixed *= np.uint32(0x2C1B3C6D)
    mixed ^= mixed >> np.uint32(12)
    mixed *= np.uint32(0x297A2D39)
    mixed ^= mixed >> np.uint32(15)
    return (mixed >> np.uint32(13) & np.uint32(255)).astype(np.int32)


def random_bytes(seed: int, count: int) -> NDArray[np.uint8]:
    """Return (count, 8) random bytes: SplitMix64 of a counter, low byte first."""
    mixed = (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed += np.uint64(seed & _MASK)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))).astype("<u8").view(np.uint8).reshape(count, 8)


def value_noise(x: Ints, y: Ints, cell: int, seed: int) -> Ints:
    """Return smooth noise from 0 to 255 that changes over `cell` units (lattice noise)."""
    x, y = x.astype(np.int32), y.astype(np.int32)
    column, row = x // cell, y // cell  # NumPy divides by one number many times as fast as divmod
    across, down = x - column * cell, y - row * cell
    across, down = _smooth(across * 256 // cell), _smooth(down * 256 // cell)
    corners = (2, 2, *(1 for _ in column.shape))
    right, lower = np.array([[0, 1], [0, 1]]), np.array([[0, 0], [1, 1]])
    random = hashed(column + right.reshape(corners), row + lower.reshape(corners), seed)
    upper_edge, lower_edge = random[:, 0] * (256 - across) + random[:, 1] * across
    return (upper_edge * (256 - down) + lower_edge * down) >> 16


def layered_noise(x: Ints, y: Ints, cell: int, seed: int, layers: int = 3) -> Ints:
    """Return noise from 0 to 255 whose details halve in size and strength with each layer."""
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape), dtype=np.int32)
    weights = 0
    for layer in range(layers):
        weight = 1 << (layers - 1 - layer)
        total += weight * value_noise(x, y, max(cell >> layer, 1), seed + layer * 7919)
        weights += weight
    return total // weights


def _smooth(step: Ints) -> Ints:
    return step * step * (768 - 2 * step) >> 16
