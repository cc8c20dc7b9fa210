"""From faces to colours: walls with windows and bricks, sun, lamps, grime and haze."""

import numpy as np

from landmarks.data.sample.integer import Ints, hashed, reciprocal
from landmarks.data.sample.light import Light
from landmarks.data.sample.raster import Canvas
from landmarks.data.sample.solids import NORMAL, Pattern

WARM = np.array([255, 206, 128], dtype=np.int32)  # a lit window, a street lamp


def shade_faces(canvas: Canvas, light: Light, image: Ints, seed: int) -> None:
    """Colour, in place, the pixels of `image` (3, H, W; 0 to 255) that show a face."""
    shown = np.flatnonzero(canvas.faces > 0)
    if not len(shown):
        return
    rows = shown // canvas.camera.width
    columns = shown - rows * canvas.camera.width
    face = canvas.faces.ravel()[shown]
    t = reciprocal(canvas.nearness.ravel()[shown])  # times 256: 32 bits, where NEARNESS has 24
    place = [
        ((canvas.ray_at(k, rows, columns) * t >> 22) + canvas.camera.eye[k]).astype(np.int32)
        for k in range(3)
    ]
    color, glow = _albedo(canvas, light, face, place, seed)
    lit = _face_light(canvas, light)[:, face]
    height = np.maximum(place[2], 0)
    if light.flood:
        lit = lit + (light.flood * 1500 // (height + 900)) * WARM[:, None] // 256
    grime = 200 + np.minimum(height, 560) // 10
    color = (color * lit >> 8) * grime >> 8
    shining = np.flatnonzero(glow)
    color[:, shining] = WARM[:, None] * glow[shining] >> 8
    image.reshape(3, -1)[:, shown] = hazed(color, t * canvas.camera.focal >> 8, light)


def hazed(color: Ints, depth: Ints, light: Light) -> Ints:
    """Mix colours (3, ...) with the horizon's by their distance (...) in centimetres."""
    amount = (light.haze * np.minimum(depth, 400_000) // 100_000).astype(np.int32)
    amount = amount * 256 // (amount + 256)
    horizon = np.array(light.horizon, dtype=np.int32).reshape(3, *(1 for _ in depth.shape))
    return (color * (256 - amount) + horizon * amount) >> 8


def _face_light(canvas: Canvas, light: Light) -> Ints:
    """Return how much light falls on each face, (3, F)."""
    normals = np.concatenate(canvas.normals)
    toward = (normals * np.array(light.sun, dtype=np.int64)).sum(axis=1) // NORMAL
    open_sky = (NORMAL * 3 + normals[:, 2]) * 74 // (NORMAL * 256) + 32
    ambient = np.array(light.ambient, dtype=np.int64)[:, None] * (160 + open_sky) // 256
    sun = np.array(light.sun_color, dtype=np.int64)[:, None] * np.maximum(toward, 0) // NORMAL
    return (ambient + sun).astype(np.int32)


def _albedo(
    canvas: Canvas, light: Light, face: Ints, place: list[Ints], seed: int
) -> tuple[Ints, Ints]:
    """Return the colours (3, N) of the pixels before light, and how strongly they glow (N,)."""
    made = canvas.materials
    colors, accents = (
        np.array(named, dtype=np.int32).T
        for named in ([m.color for m in made], [m.accent for m in made])
    )
    normals = np.concatenate(canvas.normals).astype(np.int32).T
    centers = np.concatenate(canvas.centers).astype(np.int32).T
    moved = [place[k] - centers[k][face] for k in range(3)]
    u = (moved[1] * normals[0][face] - moved[0] * normals[1][face]) // NORMAL
    v = place[2] - np.concatenate(canvas.bases).astype(np.int32)[face]
    wear = hashed(u // 110, v // 70 + face * 31, seed) // 10
    shade = 234 + wear + hashed(u // 24, v // 24 + face * 31, seed) // 16
    color = colors[:, face]
    glow = np.array([255 * m.lit for m in made], dtype=np.int32)[face]
    kinds = np.array([m.pattern for m in made], dtype=np.int32)[face]
    sizes = np.array([(*m.pitch, *m.fill) for m in made], dtype=np.int32).T
    for pattern, strength in _STRENGTH.items():
        at = np.flatnonzero(kinds == pattern)
        if not len(at):
            continue
        if pattern == Pattern.CLOCK:
            marked = sum(axis[at] ** 2 for axis in moved) < sizes[2, face[at]] ** 2
        else:
            marked = _marked(pattern, sizes[:, face[at]], u[at], v[at])
        at = at[marked]
        color[:, at] += (accents[:, face[at]] - color[:, at]) * strength >> 8
        if pattern == Pattern.WINDOWS and light.windows_lit:
            cell = _cells(sizes[:, face[at]], u[at], v[at], face[at])
            shining = cell * 100 < light.windows_lit * 256
            glow[at[shining]] = 130 + cell[shining] * 3
    leaves = np.flatnonzero(kinds == Pattern.LEAVES)
    x, y, z = (axis[leaves] for axis in place)
    shade[leaves] = shade[leaves] * (190 + hashed((x + y) // 30, z // 30, seed) // 2) >> 8
    return color * shade >> 8, glow


def _cells(size: Ints, u: Ints, v: Ints, face: Ints) -> Ints:
    """Return a random number from 0 to 255 for each window, that its pixels (N,) share."""
    pitch_u, pitch_v = size[:2]
    return hashed((u + pitch_u // 2) // pitch_u + face * 53, v // pitch_v, 5)


_STRENGTH = {
    Pattern.WINDOWS: 256,
    Pattern.BRICKS: 70,
    Pattern.COLUMNS: 200,
    Pattern.BANDS: 256,
    Pattern.ARCADE: 256,
    Pattern.TILES: 80,
    Pattern.CLOCK: 256,
    Pattern.LATTICE: 256,
}
"""How much of the accent colour shows where a pattern has a mark, in 1/256."""


def _marked(pattern: Pattern, size: Ints, u: Ints, v: Ints) -> Ints:
    """Return which pixels, bool (N,), of faces with one pattern show its marks.

    `size` (4, N) is pitch and fill along `u` and `v`, all in centimetres.
    """
    pitch_u, pitch_v, fill_u, fill_v = size
    row = v // pitch_v
    if pattern == Pattern.BANDS:
        return row % 2 == 1
    up = v - row * pitch_v
    courses = up < fill_v
    if pattern == Pattern.TILES:
        return courses
    if pattern == Pattern.BRICKS:
        odd = (row % 2) * pitch_u // 2
        return ((u + odd) % pitch_u < fill_u) | courses
    if pattern == Pattern.LATTICE:
        return ~(((u + v) % pitch_u < fill_u) | ((u - v) % pitch_u < fill_u) | courses)
    across = abs((u + pitch_u // 2) % pitch_u - pitch_u // 2)
    inside = across * 2 < fill_u
    if pattern == Pattern.COLUMNS:
        return inside
    if pattern == Pattern.WINDOWS:
        low = (pitch_v - fill_v) // 2
        return inside & (up >= low) & (up < low + fill_v)
    spring = fill_v - fill_u // 2
    rounded = across * across + (up - spring) ** 2 < (fill_u // 2) ** 2
    return (up > 20) & ((inside & (up < spring)) | rounded)
