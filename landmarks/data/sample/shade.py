"""From faces to colours: walls with windows and bricks, sun, lamps, grime and haze."""

import numpy as np

from landmarks.data.sample.integer import Ints, hashed
from landmarks.data.sample.light import Light
from landmarks.data.sample.raster import NEARNESS, Canvas
from landmarks.data.sample.solids import NORMAL, Pattern

WARM = np.array([255, 206, 128], dtype=np.int32)  # a lit window, a street lamp


def shade_faces(canvas: Canvas, light: Light, image: Ints, seed: int) -> None:
    """Colour, in place, the pixels of `image` (H, W, 3; 0 to 255) that show a face."""
    rows, columns = np.nonzero(canvas.faces > 0)
    if not len(rows):
        return
    face = canvas.faces[rows, columns]
    t = (1 << (NEARNESS + 8)) // np.maximum(canvas.nearness[rows, columns].astype(np.int64), 1)
    place = [
        ((canvas.ray_at(k, rows, columns) * t >> 22) + canvas.camera.eye[k]).astype(np.int32)
        for k in range(3)
    ]
    color, glow = _albedo(canvas, light, face, place, seed)
    lit = _face_light(canvas, light)[face]
    height = np.maximum(place[2], 0)
    if light.flood:
        lit = lit + (light.flood * 1500 // (height + 900))[:, None] * WARM // 256
    grime = 200 + np.minimum(height, 560) // 10
    color = (color * lit >> 8) * grime[:, None] >> 8
    shining = np.flatnonzero(glow)
    color[shining] = WARM * glow[shining, None] >> 8
    image[rows, columns] = hazed(color, t * canvas.camera.focal >> 8, light)


def hazed(color: Ints, depth: Ints, light: Light) -> Ints:
    """Mix colours (..., 3) with the horizon's by their distance (...) in centimetres."""
    amount = light.haze * np.minimum(depth, 400_000) // 100_000
    amount = (amount * 256 // (amount + 256)).astype(np.int32)[..., None]
    return (color * (256 - amount) + np.array(light.horizon, dtype=np.int32) * amount) >> 8


def _face_light(canvas: Canvas, light: Light) -> Ints:
    normals = np.concatenate(canvas.normals)
    toward = (normals * np.array(light.sun, dtype=np.int64)).sum(axis=1) // NORMAL
    toward = np.maximum(toward, 0)[:, None]
    open_sky = (NORMAL * 3 + normals[:, 2:]) * 74 // (NORMAL * 256) + 32
    ambient = np.array(light.ambient, dtype=np.int64) * (160 + open_sky) // 256
    sun = np.array(light.sun_color, dtype=np.int64) * toward // NORMAL
    return (ambient + sun).astype(np.int32)


def _albedo(
    canvas: Canvas, light: Light, face: Ints, place: list[Ints], seed: int
) -> tuple[Ints, Ints]:
    """Return the colours (N, 3) of the pixels before light, and how strongly they glow (N,)."""
    made = canvas.materials
    colors = np.array([m.color for m in made], dtype=np.int32)
    accents = np.array([m.accent for m in made], dtype=np.int32)
    normals = np.concatenate(canvas.normals).astype(np.int32)
    centers = np.concatenate(canvas.centers).astype(np.int32)
    moved = [place[k] - centers[face, k] for k in range(3)]
    u = (moved[1] * normals[face, 0] - moved[0] * normals[face, 1]) // NORMAL
    v = place[2] - np.concatenate(canvas.bases).astype(np.int32)[face]
    wear = hashed(u // 110, v // 70 + face * 31, seed) // 10
    shade = 234 + wear + hashed(u // 24, v // 24 + face * 31, seed) // 16
    color = colors[face]
    glow = np.array([255 * m.lit for m in made], dtype=np.int32)[face]
    kinds = np.array([m.pattern for m in made], dtype=np.int32)[face]
    numbers = np.array([(m.pattern, *m.pitch, *m.fill) for m in made], dtype=np.int32).T.copy()
    covered = np.flatnonzero((kinds != Pattern.PLAIN) & (kinds != Pattern.LEAVES))
    part = face[covered]
    mark, cell = _pattern(
        numbers[:, part], u[covered], v[covered], part, [axis[covered] for axis in moved]
    )
    color[covered] += (accents[part] - color[covered]) * mark[:, None] >> 8
    window = (kinds[covered] == Pattern.WINDOWS) & (mark > 250)
    shining = window & (cell * 100 < light.windows_lit * 256)
    glow[covered[shining]] = 130 + cell[shining] * 3
    leaves = np.flatnonzero(kinds == Pattern.LEAVES)
    x, y, z = (axis[leaves] for axis in place)
    shade[leaves] = shade[leaves] * (190 + hashed((x + y) // 30, z // 30, seed) // 2) >> 8
    return color * shade[:, None] >> 8, glow


def _pattern(numbers: Ints, u: Ints, v: Ints, face: Ints, moved: list[Ints]) -> tuple[Ints, Ints]:
    """Return how much of the accent colour shows (0 to 256), and a random number a cell."""
    kind, pitch_u, pitch_v, fill_u, fill_v = numbers
    column, across = np.divmod(u + pitch_u // 2, pitch_u)
    row, up = np.divmod(v, pitch_v)
    across = abs(across - pitch_u // 2)
    inside = across * 2 < fill_u
    low = (pitch_v - fill_v) // 2
    odd = (row % 2) * pitch_u // 2
    spring = fill_v - fill_u // 2
    rounded = across * across + (up - spring) ** 2 < (fill_u // 2) ** 2
    crossing = ((u + v) % pitch_u < fill_u) | ((u - v) % pitch_u < fill_u)
    clock = moved[0] ** 2 + moved[1] ** 2 + moved[2] ** 2 < fill_u * fill_u
    courses = up < fill_v
    shown = {
        Pattern.WINDOWS: (256, inside & (up >= low) & (up < low + fill_v)),
        Pattern.BRICKS: (70, ((u + odd) % pitch_u < fill_u) | courses),
        Pattern.COLUMNS: (200, inside),
        Pattern.BANDS: (256, row % 2 == 1),
        Pattern.ARCADE: (256, (up > 20) & ((inside & (up < spring)) | rounded)),
        Pattern.TILES: (80, courses),
        Pattern.CLOCK: (256, clock),
        Pattern.LATTICE: (256, ~(crossing | courses)),
    }
    mark = np.zeros_like(u)
    for pattern, (strength, where) in shown.items():
        mark[(kind == pattern) & where] = strength
    return mark, hashed(column + face * 53, row, 5)
