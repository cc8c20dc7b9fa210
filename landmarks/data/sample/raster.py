"""The rasterizer: a camera, a depth buffer, and which face each pixel shows; whole numbers only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

import numpy as np

from landmarks.data.sample.integer import ONE, Ints, cos, sin
from landmarks.data.sample.solids import Color, Faces, Material, Mesh, Pattern, Point

NEAR = 60  # nothing nearer than this is drawn, centimetres
NEARNESS = 24  # bits of 1/t, where a point is eye + t * ray
SUB = 16  # steps of a pixel in which corners are placed
LIMIT = 1 << 17  # corners further out than this (1/16 pixel) are moved in
SKY, GROUND = -1, 0


@dataclass(frozen=True)
class Camera:
    """A pinhole camera. Angles are 4096 a turn; `focal`, `width` and `height` in pixels.

    `shift` moves the centre of projection (pixels), as a cropped photo does.
    """

    eye: Point
    yaw: int
    pitch: int
    roll: int
    focal: int
    width: int
    height: int
    shift: tuple[int, int] = (0, 0)

    def rotation(self) -> Ints:
        """Return (3, 3) rows right, down, forward, each of length 16384, in the world's axes."""
        sy, cy, sp, cp = sin(self.yaw), cos(self.yaw), sin(self.pitch), cos(self.pitch)
        right = np.array([cy, -sy, 0], dtype=np.int64)
        down = np.array([sp * sy // ONE, sp * cy // ONE, -cp], dtype=np.int64)
        forward = np.array([cp * sy // ONE, cp * cy // ONE, sp], dtype=np.int64)
        s, c = sin(self.roll), cos(self.roll)
        rolled = [(right * c + down * s) // ONE, (down * c - right * s) // ONE, forward]
        return np.stack(rolled)

    def center(self) -> tuple[int, int]:
        """Return the pixel through which the camera's axis goes."""
        return self.width // 2 + self.shift[0], self.height // 2 + self.shift[1]


@dataclass
class Canvas:
    """What is seen through each pixel: `faces` (H, W) ids, `nearness` (H, W) 2**24 / t."""

    camera: Camera
    faces: Ints = field(init=False)
    nearness: Ints = field(init=False)
    shadow: Ints = field(init=False)
    normals: list[Ints] = field(default_factory=list)
    centers: list[Ints] = field(default_factory=list)
    bases: list[Ints] = field(default_factory=list)
    materials: list[Material] = field(default_factory=list)

    def __post_init__(self) -> None:
        camera = self.camera
        self.rotation = camera.rotation()
        self.axes = self.rotation.tolist()
        cx, cy = camera.center()
        self.columns = np.arange(camera.width, dtype=np.int64) - cx
        self.rows = np.arange(camera.height, dtype=np.int64) - cy
        up = self.ray(2)
        self.nearness = np.maximum(-up * (1 << (NEARNESS - 14)) // max(camera.eye[2], 1), 0)
        self.nearness = self.nearness.astype(np.int32)
        self.plane = self.nearness.copy()  # of the bare ground
        self.faces = np.where(up < 0, GROUND, SKY).astype(np.int32)
        self.shadow = np.zeros(self.faces.shape, dtype=bool)
        blank = np.zeros((1, 3), dtype=np.int64)
        self._add_rows(blank, blank, np.zeros(1, dtype=np.int64), [Material((0, 0, 0))])

    def ray(self, axis: int) -> Ints:
        """Return (H, W): one world component of each pixel's ray, times 16384, in pixels."""
        right, down, forward = (int(row[axis]) for row in self.rotation)
        return (right * self.columns)[None, :] + (down * self.rows + forward * self.camera.focal)[
            :, None
        ]

    def ray_at(self, axis: int, rows: Ints, columns: Ints) -> Ints:
        """Return `ray(axis)[rows, columns]`."""
        right, down, forward = (int(row[axis]) for row in self.rotation)
        across = right * self.columns
        return across[columns] + (down * self.rows + forward * self.camera.focal)[rows]

    def project(self, points: Ints) -> tuple[Ints, Ints]:
        """Return the screen places (..., 2), 1/16 pixel, and depths (...,) of world points."""
        moved = points - np.array(self.camera.eye, dtype=np.int64)
        seen = moved @ self.rotation.T >> 14
        depth = np.maximum(seen[..., 2], 1)
        cx, cy = self.camera.center()
        scale = self.camera.focal * SUB
        x = seen[..., 0] * scale // depth + cx * SUB + SUB // 2
        y = seen[..., 1] * scale // depth + cy * SUB + SUB // 2
        return np.stack([x, y], axis=-1), seen[..., 2]

    def _add_rows(self, normals: Ints, centers: Ints, bases: Ints, made: list[Material]) -> int:
        first = len(self.materials)
        self.normals.append(normals)
        self.centers.append(centers)
        self.bases.append(bases)
        self.materials += made
        return first

    def draw(self, faces: Faces, materials: Sequence[Material]) -> None:
        """Draw the faces of a mesh where they are nearest."""
        places, depths = self.project(faces.corners)
        toward = faces.centers - np.array(self.camera.eye, dtype=np.int64)
        facing = (faces.normals * toward).sum(axis=1)
        normals = np.where(((facing > 0) & (faces.two_sided > 0))[:, None], -1, 1) * faces.normals
        seen = ((facing < 0) | (faces.two_sided > 0)) & (depths.min(axis=1) > NEAR)
        keep = np.flatnonzero(seen)
        if not len(keep):
            return
        normals, centers = normals[keep], faces.centers[keep]
        made = [materials[k] for k in faces.materials[keep]]
        first = self._add_rows(normals, centers, faces.bases[keep], made)
        self._fill(places[keep], *self._planes(normals, centers), first)

    def _planes(self, normals: Ints, centers: Ints) -> tuple[Ints, Ints]:
        """Return 2**24 / t of each face as a sum of a term a column and a term a row, int32.

        Both terms may run over; where the face is seen, their sum is right again.
        """
        moved = centers - np.array(self.camera.eye, dtype=np.int64)
        distance = (normals * moved).sum(axis=1)
        distance = np.where(distance == 0, 1, distance)[:, None]
        turned = (normals @ self.rotation.T) >> 14
        across = (turned[:, :1] * self.columns << NEARNESS) // distance
        down = turned[:, 1:2] * self.rows + turned[:, 2:] * self.camera.focal
        down = (down << NEARNESS) // distance
        return across.astype(np.int32), down.astype(np.int32)

    def _fill(self, places: Ints, across: Ints, down: Ints, first: int) -> None:
        left, right, top, bottom = self._spans(places)
        columns = np.arange(self.camera.width, dtype=np.int32)
        x0 = np.clip(places[..., 0].min(axis=1) // SUB, 0, self.camera.width).tolist()
        x1 = np.clip(places[..., 0].max(axis=1) // SUB + 1, 0, self.camera.width).tolist()
        for k, (a, b, c, d) in enumerate(zip(x0, x1, top, bottom, strict=True)):
            if a >= b or c >= d:
                continue
            inside = columns[a:b] >= left[k, c:d, None]
            inside &= columns[a:b] < right[k, c:d, None]
            near = across[k, a:b] + down[k, c:d, None]
            old = self.nearness[c:d, a:b]
            inside &= near > old
            np.copyto(old, near, where=inside)
            np.copyto(self.faces[c:d, a:b], first + k, where=inside)

    def _spans(self, places: Ints) -> tuple[Ints, Ints, list[int], list[int]]:
        """Return first and last column (F, H) of convex polygons, and their rows."""
        height = self.camera.height
        places = np.clip(places, -LIMIT, LIMIT).astype(np.int32)
        following = np.concatenate([places[:, 1:], places[:, :1]], axis=1)
        top = np.clip((places[..., 1].min(axis=1) + SUB // 2) // SUB, 0, height)
        bottom = np.clip((places[..., 1].max(axis=1) + SUB // 2) // SUB, 0, height)
        shape, out = (len(places), height), np.int32(1 << 20)
        left, right = np.full(shape, out), np.full(shape, -out)
        used = slice(int(top.min()), int(bottom.max()))
        rows = np.arange(height, dtype=np.int32)[used] * SUB + SUB // 2
        least, most = left[:, used], right[:, used]
        for corner in range(places.shape[1]):
            (x0, y0), (x1, y1) = places[:, corner].T, following[:, corner].T
            rise = y1 - y0
            if not rise.any():
                continue
            slope = ((x1 - x0) << 12) // np.where(rise, rise, 1)  # no row crosses a level edge
            x = x0[:, None] + (slope[:, None] * (rows - y0[:, None]) >> 12)
            column = (x + SUB // 2) // SUB
            crossing = rows >= np.minimum(y0, y1)[:, None]
            crossing &= rows < np.maximum(y0, y1)[:, None]
            np.minimum(least, np.where(crossing, column, out), out=least)
            np.maximum(most, np.where(crossing, column, -out), out=most)
        return left, right, top.tolist(), bottom.tolist()

    def cast(self, mesh: Mesh, slope: tuple[int, int]) -> None:
        """Darken the ground where a mesh stands between it and the sun.

        `slope` is how far, in 1/256, a shadow reaches along x and y for each unit of height.
        """
        flat = [
            (x + z * slope[0] // 256, y + z * slope[1] // 256, 0)
            for body in mesh.bodies
            for x, y, z in body
        ]
        if not flat:
            return
        places, depths = self.project(np.array(flat, dtype=np.int64))
        ends = list(accumulate(len(body) for body in mesh.bodies))
        hulls = [
            _hull(places[a:b].tolist()) for a, b in pairwise([0, *ends]) if depths[a:b].min() > NEAR
        ]
        if not hulls:
            return
        most = max(len(hull) for hull in hulls)
        padded = np.array([h + [h[-1]] * (most - len(h)) for h in hulls], dtype=np.int64)
        left, right, top, bottom = self._spans(padded)
        columns = np.arange(self.camera.width, dtype=np.int32)
        for k, (c, d) in enumerate(zip(top, bottom, strict=True)):
            inside = (columns >= left[k, c:d, None]) & (columns < right[k, c:d, None])
            self.shadow[c:d] |= inside

    def flat(self, color: Color, pattern: Pattern = Pattern.PLAIN, lit: bool = False) -> int:
        """Return a new id for sprites of one colour, which are lit as if they faced upwards."""
        up = np.array([[0, 0, 1 << 12]], dtype=np.int64)
        zero = np.zeros((1, 3), dtype=np.int64)
        material = Material(color, pattern=pattern, lit=lit)
        return self._add_rows(up, zero, np.zeros(1, dtype=np.int64), [material])

    def ellipse(self, middle: Point, radius: tuple[int, int], face: int, square: int = 0) -> None:
        """Draw an upright ellipse (or a box, with `square`) at a point of the world, unturned."""
        x, y, z = (middle[k] - self.camera.eye[k] for k in range(3))
        right, down, depth = (a * x + b * y + c * z >> 14 for a, b, c in self.axes)
        if depth <= NEAR:
            return
        scale = self.camera.focal
        rx = max(radius[0] * scale * SUB // depth, SUB // 2)
        ry = max(radius[1] * scale * SUB // depth, SUB // 2)
        cx, cy = self.camera.center()
        x = right * scale * SUB // depth + cx * SUB + SUB // 2
        y = down * scale * SUB // depth + cy * SUB + SUB // 2
        a, b = max((x - rx) // SUB, 0), min((x + rx) // SUB + 1, self.camera.width)
        c, d = max((y - ry) // SUB, 0), min((y + ry) // SUB + 1, self.camera.height)
        if a >= b or c >= d:
            return
        across = (np.arange(a, b, dtype=np.int64) * SUB + SUB // 2 - x) * 1024 // rx
        down = (np.arange(c, d, dtype=np.int64) * SUB + SUB // 2 - y) * 1024 // ry
        if square:
            inside = (abs(across) <= 1024)[None, :] & (abs(down) <= 1024)[:, None]
        else:
            inside = (across * across)[None, :] + (down * down)[:, None] <= 1 << 20
        near = (scale << NEARNESS) // depth
        old = self.nearness[c:d, a:b]
        inside &= near > old
        np.copyto(old, np.int32(min(near, (1 << 31) - 1)), where=inside)
        np.copyto(self.faces[c:d, a:b], face, where=inside)


def _hull(points: list[list[int]]) -> list[list[int]]:
    """Return the convex hull of screen points (Andrew's monotone chain, 1979)."""
    ordered = sorted(set(map(tuple, points)))
    chains = []
    for walk in (ordered, ordered[::-1]):
        chain: list[tuple[int, ...]] = []
        for p in walk:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], p) <= 0:
                chain.pop()
            chain.append(p)
        chains += chain[:-1] or chain
    return [list(point) for point in chains]


def _turn(a: tuple[int, ...], b: tuple[int, ...], c: tuple[int, ...]) -> int:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
