"""What lies behind and below: sky with clouds and stars, far hills or roofs, the ground, water."""

from typing import NamedTuple

import numpy as np

from landmarks.data.sample.integer import Ints, hashed, layered_noise, reciprocal, value_noise
from landmarks.data.sample.light import Light
from landmarks.data.sample.raster import GROUND, NEARNESS, SKY, Canvas
from landmarks.data.sample.shade import WARM, hazed
from landmarks.data.sample.solids import Color

COARSE, FINE = 4, 2  # pixels of the drawing that share a colour of the sky, of the ground

GROUNDS: dict[str, tuple[Color, Color]] = {
    "grass": ((92, 128, 62), (128, 152, 84)),
    "meadow": ((122, 142, 72), (166, 168, 96)),
    "autumn": ((140, 112, 62), (178, 128, 64)),
    "snow": ((214, 222, 232), (238, 242, 246)),
    "sand": ((206, 184, 138), (226, 208, 166)),
    "paving": ((150, 146, 138), (176, 172, 164)),
    "asphalt": ((92, 94, 98), (112, 112, 114)),
    "earth": ((132, 108, 82), (160, 136, 104)),
}


class Setting(NamedTuple):
    """Where a photo was taken: the ground, the plaza about the landmark, the far backdrop."""

    ground: str
    plaza: int  # radius of the paved square, centimetres; 0 is none
    path: int  # half the width of a path to the landmark; 0 is none
    water: int  # percent of the distance from the camera to the landmark that is water; 0 is none
    backdrop: str  # hills, mountains, roofs, sea or none
    backdrop_height: int  # share of the picture's height, in 1/256


def paint_sky(canvas: Canvas, light: Light, setting: Setting, image: Ints, seed: int) -> None:
    """Colour the sky and what stands before it, in place; clouds are drawn coarsely."""
    sky = canvas.faces == SKY
    if not sky.any():
        return
    focal = canvas.camera.focal
    right, ahead, rise = (
        (canvas.ray(k)[::COARSE, ::COARSE] >> 6) * 256 // focal for k in range(3)
    )  # 65536 where as steep as 45 degrees
    share = np.clip(rise * 3 // 512, 0, 256)
    zenith, horizon = planes(light.zenith), planes(light.horizon)
    color = (horizon * (256 - share) + zenith * share) >> 8
    toward = np.maximum(rise, 900) + 5000
    flat = layered_noise(right * 4096 // toward, ahead * 4096 // toward, 5200, seed, 4)
    thick = np.clip((flat - 190 + light.cloud_cover * 130 // 256) * 5, 0, 230)
    if light.cloud_cover > 190:
        thick = np.clip(thick, 120, 230) * flat // 200
    under = planes(light.cloud) * (280 - flat // 3) // 256
    color = (color * (256 - thick) + np.clip(under, 0, 255) * thick) >> 8
    spread(color, COARSE, image)
    if light.weather == "night":
        where = np.indices(sky.shape)
        star = hashed(where[0], where[1], seed) * 256 + hashed(where[1], where[0], seed + 1)
        np.add(image, 150, out=image, where=star < 60)
    _paint_backdrop(canvas, light, setting, image, seed)


def _paint_backdrop(canvas: Canvas, light: Light, setting: Setting, image: Ints, seed: int) -> None:
    """Draw far silhouettes, each paler than the one before it."""
    if setting.backdrop in ("none", "sea"):
        return
    camera = canvas.camera
    # In 1/4096 of the height.
    rise = (canvas.ray(2) // (16384 // 16)).astype(np.int32) * 256 // camera.height
    column = (np.arange(camera.width, dtype=np.int32) * 4096 // camera.height)[None, :]
    color = np.array(
        {"hills": (86, 112, 82), "mountains": (98, 104, 124)}.get(
            setting.backdrop, (124, 118, 118)
        ),
        dtype=np.int32,
    )
    lit = (np.array(light.ambient, dtype=np.int32) * 3 + np.array(light.sun_color)) // 4
    for layer in (2, 1, 0):
        tall = setting.backdrop_height * 16 * (layer + 2) // 3
        if setting.backdrop == "roofs":
            block = (column + layer * 700) // 190
            ridge = tall * (60 + hashed(block, block * 0 + layer, seed)) // 220
        else:
            cell = 700 if setting.backdrop == "mountains" else 1500
            ridge = tall * layered_noise(column, column * 0 + layer * 9000, cell, seed, 4) // 130
        inside = (canvas.faces == SKY) & (rise < ridge)
        # Silhouettes behind others are half a kilometre further away each.
        shaded = hazed(color * lit // 256, np.array(60_000 + layer * 90_000), light)
        pale = (shaded * (5 - layer) + np.array(light.horizon, dtype=np.int32) * (1 + layer)) // 6
        np.copyto(image, planes(pale), where=inside)
        if setting.backdrop == "roofs" and light.windows_lit:
            spot = hashed(column // 26, rise // 34, seed + layer)
            lamps = inside & (spot < light.windows_lit // 2)
            np.copyto(image, planes(WARM * 3 // 4), where=lamps)


def paint_ground(canvas: Canvas, light: Light, setting: Setting, image: Ints, seed: int) -> None:
    """Colour the ground, in place: its cover, plaza and path, shadows, haze."""
    ground = canvas.faces == GROUND
    near = canvas.plane[::FINE, ::FINE]
    shown = ground[::2, ::2] | ground[1::2, ::2] | ground[::2, 1::2] | ground[1::2, 1::2]
    places = np.flatnonzero((near > 0) & shown)
    if not len(places):
        return
    rows = places // near.shape[1]
    columns = places - rows * near.shape[1]
    t = np.minimum(reciprocal(near.ravel()[places]), 1 << 20)
    eye = canvas.camera.eye
    x, y = (
        ((canvas.ray_at(k, rows * FINE, columns * FINE) * t >> 22) + eye[k]).astype(np.int32)
        for k in range(2)
    )
    color = _cover(setting, x, y, seed)
    lit = np.array(light.ambient, dtype=np.int32)[:, None] * 250 // 256
    sun = np.array(light.sun_color, dtype=np.int32)[:, None] * light.sun[2] // 4096
    dark = canvas.shadow[rows * FINE, columns * FINE]
    color = color * np.where(dark, lit * 220 // 256, lit + sun) // 256
    if light.flood:
        glow = light.flood * 2500 // (abs(x) + abs(y) + 2500)
        color = color + glow * WARM[:, None] // 900
    cover = np.empty((3, *near.shape), dtype=np.int32)
    cover[:] = planes(light.horizon)
    cover.reshape(3, -1)[:, places] = hazed(color, t * canvas.camera.focal >> 8, light)
    spread(cover, FINE, image, ground)


def _cover(setting: Setting, x: Ints, y: Ints, seed: int) -> Ints:
    """Return the colours (3, N) of places on the ground before light: grass, paving and so on."""
    base, other = (np.array(c, dtype=np.int32)[:, None] for c in GROUNDS[setting.ground])
    patch = value_noise(x, y, 900, seed)
    fine = hashed(x // 22, y // 22, seed + 3)
    mixed = np.clip(patch + (fine - 128) // 3, 0, 255)
    color = (base * (256 - mixed) + other * mixed) >> 8
    paved = (abs(x) < setting.plaza) & (abs(y) < setting.plaza)
    if setting.path:
        bend = (value_noise(y, y * 0, 3000, seed + 9) - 128) * setting.path // 128
        paved |= (abs(x + bend) < setting.path) & (y < 0)
    if paved.any():
        joint = (x % 240 < 12) | (y % 240 < 12)
        tile = 150 + (fine // 12) + hashed(x // 240, y // 240, seed) // 14 - joint * 22
        stone = tile * np.array([256, 248, 234], dtype=np.int32)[:, None] // 256
        color = np.where(paved, stone, color)
    return color


def planes(color: Color | Ints) -> Ints:
    """Return a colour as (3, 1, 1), to mix with planes of pixels."""
    return np.array(color, dtype=np.int32)[:, None, None]


def spread(coarse: Ints, size: int, image: Ints, where: Ints | bool = True) -> None:
    """Copy each pixel of `coarse` to a square of `image`, `size` wide, as far as `where` says."""
    shown = np.broadcast_to(where, image.shape[1:])
    for a in range(size):
        for b in range(size):
            np.copyto(image[:, a::size, b::size], coarse, where=shown[a::size, b::size])


def reflect(canvas: Canvas, light: Light, shore: int, image: Ints, seed: int) -> None:
    """Turn the ground nearer than `shore` (depth, centimetres) into water that mirrors the rest."""
    edge = (canvas.camera.focal << NEARNESS) // max(shore, 1)
    rows, columns = np.nonzero((canvas.faces == GROUND) & (canvas.nearness > edge))
    if not len(rows):
        return
    camera = canvas.camera
    # The mirror line in each column is where the shore is; a rolled camera tilts it.
    up = canvas.ray(2)
    first = np.abs(up + camera.eye[2] * camera.focal * 16384 // shore).argmin(axis=0)
    below = rows - first[columns]
    wave = value_noise(columns * 40, rows * 220, 260, seed) - 128
    source_row = np.clip(first[columns] - below + wave * (below + 6) // 900, 0, camera.height - 1)
    source_column = np.clip(columns + wave * (below + 4) // 600, 0, camera.width - 1)
    mirrored = image[:, source_row, source_column]
    deep = np.array([44, 74, 88], dtype=np.int32) * np.array(light.ambient, dtype=np.int32) // 180
    share = np.clip(190 - below * 140 // camera.height, 60, 190)
    color = (mirrored * share + deep[:, None] * (256 - share)) >> 8
    image[:, rows, columns] = np.clip(color + wave // 8, 0, 255)
