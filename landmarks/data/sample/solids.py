"""Simple bodies in whole centimetres: boxes, prisms, cones, domes, roofs, arches and bars."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from math import isqrt
from typing import NamedTuple

import numpy as np

from landmarks.data.sample.integer import ONE, TURN, Ints, cos, sin, unit

Point = tuple[int, int, int]
Color = tuple[int, int, int]
CORNERS = 12  # most corners that a face may have
NORMAL = 1 << 12  # length of a face's normal
MIDDLE = (0, 0)


class Pattern(IntEnum):
    """What a wall is covered with."""

    PLAIN = 0
    WINDOWS = 1
    BRICKS = 2
    COLUMNS = 3
    BANDS = 4
    ARCADE = 5
    TILES = 6
    CLOCK = 7
    LATTICE = 8
    LEAVES = 9


class Material(NamedTuple):
    """Colours (0 to 255) and pattern of a face; pitch and fill of the pattern in centimetres."""

    color: Color
    accent: Color = (60, 62, 70)
    pattern: Pattern = Pattern.PLAIN
    pitch: tuple[int, int] = (300, 350)
    fill: tuple[int, int] = (130, 200)
    lit: bool = False


class Faces(NamedTuple):
    """A mesh as arrays: corners (F, 12, 3), normals (F, 3), centres (F, 3), bases (F,)."""

    corners: Ints
    normals: Ints
    centers: Ints
    bases: Ints
    two_sided: Ints
    materials: Ints


@dataclass
class Mesh:
    """Bodies that are drawn together; x right, y away from the viewer, z up, in centimetres."""

    polygons: list[list[Point]] = field(default_factory=list)
    inner: list[Point] = field(default_factory=list)
    bases: list[int] = field(default_factory=list)
    materials: list[Material] = field(default_factory=list)
    two_sided: list[bool] = field(default_factory=list)
    bodies: list[list[Point]] = field(default_factory=list)

    def solid(self, faces: Sequence[Sequence[Point]], materials: Sequence[Material]) -> None:
        """Add a convex body; its faces are turned outwards by themselves."""
        points = [point for face in faces for point in face]
        middle = _mean(points)
        base = min(point[2] for point in points)
        for face, material in zip(faces, materials, strict=True):
            self._add(list(face), middle, base, material, False)
        self.bodies.append(sorted(set(points)))

    def sheet(self, face: Sequence[Point], material: Material) -> None:
        """Add a flat polygon that is seen from both sides."""
        self._add(list(face), face[0], min(point[2] for point in face), material, True)

    def _add(
        self, face: list[Point], middle: Point, base: int, material: Material, both: bool
    ) -> None:
        self.polygons.append(face)
        self.inner.append(middle)
        self.bases.append(base)
        self.materials.append(material)
        self.two_sided.append(both)

    def extend(self, other: "Mesh", x: int = 0, y: int = 0, turn: int = 0) -> None:
        """Add a copy of another mesh, turned about its z axis and moved to (x, y)."""
        s, c = sin(turn), cos(turn)

        def moved(p: Point) -> Point:
            return ((p[0] * c - p[1] * s) // ONE + x, (p[0] * s + p[1] * c) // ONE + y, p[2])

        self.polygons += [[moved(p) for p in face] for face in other.polygons]
        self.inner += [moved(p) for p in other.inner]
        self.bases += other.bases
        self.materials += other.materials
        self.two_sided += other.two_sided
        self.bodies += [[moved(p) for p in body] for body in other.bodies]

    def extent(self) -> tuple[int, int]:
        """Return the largest distance from the z axis and the height, in centimetres."""
        points = [point for face in self.polygons for point in face]
        radius = isqrt(max(p[0] * p[0] + p[1] * p[1] for p in points))
        return radius, max(p[2] for p in points)

    def faces(self) -> Faces:
        """Return the arrays that the rasterizer takes; faces without an area are left out."""
        padded = [face + [face[-1]] * (CORNERS - len(face)) for face in self.polygons]
        corners = np.array(padded, dtype=np.int64).reshape(-1, CORNERS, 3)
        following = np.concatenate([corners[:, 1:], corners[:, :1]], axis=1)
        normals = unit(np.cross(corners, following).sum(axis=1) >> 4, NORMAL)
        centers = np.array([_mean(face) for face in self.polygons], dtype=np.int64).reshape(-1, 3)
        outward = centers - np.array(self.inner, dtype=np.int64).reshape(-1, 3)
        flip = (outward * normals).sum(axis=1) < 0
        normals[flip] = -normals[flip]
        keep = np.flatnonzero((normals != 0).any(axis=1))
        return Faces(
            corners[keep],
            normals[keep],
            centers[keep],
            np.array(self.bases, dtype=np.int64)[keep],
            np.array(self.two_sided, dtype=np.int64)[keep],
            keep,
        )


def _mean(points: Sequence[Point]) -> Point:
    n = len(points)
    return (
        sum(p[0] for p in points) // n,
        sum(p[1] for p in points) // n,
        sum(p[2] for p in points) // n,
    )


def dimmed(color: Color, percent: int) -> Color:
    """Return a colour at this share of its strength."""
    red, green, blue = color
    return red * percent // 100, green * percent // 100, blue * percent // 100


def ring(sides: int, x: int, y: int, z: int, radius: int, turn: int = 0) -> list[Point]:
    """Return the corners of a level regular polygon with this circumscribed radius."""
    angles = [TURN * k // sides + turn for k in range(sides)]
    return [(x + radius * cos(a) // ONE, y + radius * sin(a) // ONE, z) for a in angles]


def loft(
    mesh: Mesh,
    bottom: list[Point],
    top: list[Point],
    material: Material,
    cap: Material | None = None,
) -> None:
    """Add the convex body between two level polygons of equally many corners."""
    count = len(bottom)
    sides = [
        [bottom[k], bottom[(k + 1) % count], top[(k + 1) % count], top[k]] for k in range(count)
    ]
    mesh.solid(
        [*sides, list(top)], [material] * count + [cap or material._replace(pattern=Pattern.PLAIN)]
    )


def box(
    mesh: Mesh,
    x: tuple[int, int],
    y: tuple[int, int],
    z: tuple[int, int],
    material: Material,
    cap: Material | None = None,
) -> None:
    """Add an upright box between the given bounds."""
    corners = [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])]
    bottom = [(a, b, z[0]) for a, b in corners]
    loft(mesh, bottom, [(a, b, z[1]) for a, b in corners], material, cap)


def prism(
    mesh: Mesh,
    sides: int,
    center: tuple[int, int],
    z: tuple[int, int],
    radius: tuple[int, int],
    material: Material,
    cap: Material | None = None,
    turn: int | None = None,
) -> None:
    """Add an upright regular prism, or a cone or frustum where the two radii differ.

    Without `turn` a side, not a corner, looks to the front.
    """
    angle = TURN // (2 * sides) + TURN * 3 // 4 if turn is None else turn
    bottom = ring(sides, *center, z[0], radius[0], angle)
    loft(mesh, bottom, ring(sides, *center, z[1], radius[1], angle), material, cap)


def dome(
    mesh: Mesh,
    center: tuple[int, int],
    z: int,
    radius: int,
    height: int,
    material: Material,
    sides: int = 10,
    rings: int = 4,
    onion: int = 0,
) -> None:
    """Add a dome of stacked frustums; `onion` widens its belly, in percent of the radius."""
    levels = []
    for k in range(rings + 1):
        angle = TURN // 4 * k // rings
        belly = 100 + onion * sin(min(angle * 2, TURN // 2)) // ONE
        levels.append((z + height * sin(angle) // ONE, radius * cos(angle) // ONE * belly // 100))
    for (low, wide), (high, narrow) in zip(levels, levels[1:], strict=False):
        prism(mesh, sides, center, (low, high), (wide, narrow), material)


def gable(
    mesh: Mesh,
    x: tuple[int, int],
    y: tuple[int, int],
    z: tuple[int, int],
    roof: Material,
    wall: Material,
    along_x: bool = False,
) -> None:
    """Add a gabled roof whose ridge runs along y, or along x."""
    low, high = z
    a, b, c, d = (x[0], y[0], low), (x[1], y[0], low), (x[1], y[1], low), (x[0], y[1], low)
    if along_x:
        middle = (y[0] + y[1]) // 2
        e, f = (x[0], middle, high), (x[1], middle, high)
        faces = [[a, b, f, e], [d, c, f, e], [a, d, e], [b, c, f]]
    else:
        middle = (x[0] + x[1]) // 2
        e, f = (middle, y[0], high), (middle, y[1], high)
        faces = [[a, d, f, e], [b, c, f, e], [a, b, e], [d, c, f]]
    mesh.solid(faces, [roof, roof, wall, wall])


def bar(mesh: Mesh, start: Point, end: Point, width: int, material: Material) -> None:
    """Add a straight bar as two crossed sheets, for cables, spokes and struts."""
    dx, dy, dz = (end[k] - start[k] for k in range(3))
    level = max(isqrt(dx * dx + dy * dy), 1)
    length = max(isqrt(dx * dx + dy * dy + dz * dz), 1)
    half = width // 2
    side = (-dy * half // level, dx * half // level, 0)
    if dx == dy == 0:
        side = (half, 0, 0)
    lift = (
        -dx * dz * half // (level * length),
        -dy * dz * half // (level * length),
        level * half // length,
    )
    if dx == dy == 0:
        lift = (0, half, 0)
    for o in (side, lift):
        plus = [(p[0] + o[0], p[1] + o[1], p[2] + o[2]) for p in (start, end)]
        minus = [(p[0] - o[0], p[1] - o[1], p[2] - o[2]) for p in (end, start)]
        mesh.sheet([*plus, *minus], material)
