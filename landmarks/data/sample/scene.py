"""A photo from beginning to end: where the camera stands, what is in the way, which light."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from landmarks.data.sample import props
from landmarks.data.sample.backdrop import Setting, paint_ground, paint_sky, reflect
from landmarks.data.sample.catalogue import subject
from landmarks.data.sample.develop import SUPER, Photo, develop
from landmarks.data.sample.integer import ONE, TURN, Stream, cos, elevation, sin
from landmarks.data.sample.light import Light, make_light
from landmarks.data.sample.raster import Camera, Canvas
from landmarks.data.sample.shade import shade_faces
from landmarks.data.sample.solids import Faces, Mesh

SEASONS = {"summer": 40, "spring": 15, "autumn": 25, "winter": 20}
WET = ("bridge", "lighthouse")  # designs that mostly stand at the water


class Shot(NamedTuple):
    """What is photographed: a design, its seed, its palette (None: any), what lies behind."""

    design: str
    seed: int | str
    palette: int | None
    backdrop: str


Extent = tuple[int, int]  # the largest distance from the z axis and the height, centimetres


@lru_cache(maxsize=128)
def _shape(shot: Shot) -> tuple[Faces, Extent]:
    mesh = subject(shot.design, shot.seed, shot.palette)
    return mesh.faces(), mesh.extent()


def photograph(shot: Shot, stream: Stream, scale: int = 1) -> Photo:
    """Return one photo, uint8 (H, W, 3), of a building among houses, trees and people.

    `scale` draws it that many times as wide and high.
    """
    mesh = subject(shot.design, shot.seed, shot.palette)
    light, season = make_light(stream), stream.weighted(SEASONS)
    faces, extent = _shape(shot)
    camera, distance, azimuth = _viewpoint(stream, extent, scale)
    setting = _setting(stream, shot, season)
    canvas = Canvas(camera)
    canvas.draw(faces, mesh.materials)
    neighbors = _neighbors(stream, extent, distance, azimuth)
    canvas.draw(neighbors.faces(), neighbors.materials) if neighbors.polygons else None
    _people_and_trees(canvas, stream, light, season, distance, azimuth, bool(setting.water))
    if light.sun_color[0] > 100:
        for caster in (mesh, neighbors):
            cast(canvas, caster, light)
    shore = distance * setting.water // 100
    return finish(canvas, light, setting, shore, stream)


def cast(canvas: Canvas, mesh: Mesh, light: Light) -> None:
    """Throw the shadow of a mesh; a low sun does not make it endless."""
    height = max(light.sun[2], 500)
    canvas.cast(mesh, (-light.sun[0] * 256 // height, -light.sun[1] * 256 // height))


def finish(canvas: Canvas, light: Light, setting: Setting, shore: int, stream: Stream) -> Photo:
    """Colour what was drawn and develop it; ground nearer than `shore` becomes water."""
    seed = stream.bits() >> 34
    # One plane a colour: NumPy is slow where the last axis is as short as three.
    image = np.zeros((3, *canvas.faces.shape), dtype=np.int32)
    paint_sky(canvas, light, setting, image, seed)
    paint_ground(canvas, light, setting, image, seed)
    shade_faces(canvas, light, image, seed)
    if shore:
        reflect(canvas, light, shore, image, seed)
    return develop(image, stream, light.weather in ("night", "dusk"))


def frame(stream: Stream, portrait: int, scale: int = 1) -> tuple[int, int]:
    """Return width and height of a drawing: a photo of 96 to 144 pixels, times `SUPER`."""
    long = stream.between(112, 144)
    short = max(long * stream.pick((66, 70, 75, 75, 84, 100)) // 100, 96)
    size = (short, long) if stream.chance(portrait) else (long, short)
    return size[0] // 2 * 2 * SUPER * scale, size[1] // 2 * 2 * SUPER * scale


def _viewpoint(stream: Stream, extent: Extent, scale: int) -> tuple[Camera, int, int]:
    radius, high = extent
    width, height = frame(stream, 60 if high > radius * 2 else 25, scale)
    focal = max(width, height) * stream.between(80, 150) // 100
    share = stream.between(60, 122)
    across = min(radius, high * 3 // 2)
    needed = max(high * 100 // (height * share), 190 * across // (width * share) + 1)
    far = (
        focal * max(high * 100 * 64 // (height * share), 190 * across * 64 // (width * share)) // 64
    )
    distance = max(far, needed) + radius * 2 // 3
    azimuth = stream.below(TURN) if stream.chance(6) else stream.middling(-680, 680)
    level = stream.below(100)
    eye = stream.between(150, 200)
    if level >= 60:
        eye = stream.between(250, 900)
    if level >= 85:
        eye = stream.between(700, max(high * 3 // 4, 900))
    aim = high * stream.between(40, 56) // 100 - eye
    steep = stream.pick((0, 50, 100, 100))
    full = elevation(distance, aim)
    pitch = full * steep // 100
    rest = full - pitch
    shift_x = width * stream.middling(-20, 20) // 100
    shift_y = focal * sin(rest) // max(cos(rest), 1) + height * stream.middling(-9, 9) // 100
    roll = stream.middling(-70, 70)
    place = (distance * sin(azimuth) // ONE, -distance * cos(azimuth) // ONE, eye)
    camera = Camera(place, -azimuth, pitch, roll, focal, width, height, (shift_x, shift_y))
    return camera, distance, azimuth


def _setting(stream: Stream, shot: Shot, season: str) -> Setting:
    ground = cover(stream, season)
    water = 0
    if stream.chance(85 if shot.design in WET else 16):
        water = stream.between(62, 88)
    backdrop = shot.backdrop
    if stream.chance(30):
        backdrop = stream.pick(("hills", "mountains", "roofs", "none"))
    plaza = stream.between(1400, 4200) if stream.chance(45) else 0
    path = stream.between(140, 420) if stream.chance(45) else 0
    return Setting(ground, plaza, path, water, backdrop, stream.between(12, 44))


def cover(stream: Stream, season: str) -> str:
    """Return what the ground is covered with."""
    ground = stream.weighted(
        {"grass": 30, "meadow": 14, "sand": 10, "paving": 22, "asphalt": 12, "earth": 12}
    )
    if season == "winter" and stream.chance(65):
        return "snow"
    return "autumn" if season == "autumn" and ground in ("grass", "meadow") else ground


def _neighbors(stream: Stream, extent: Extent, distance: int, azimuth: int) -> Mesh:
    """Return houses beside and behind, few of which hide a part of the landmark."""
    radius, high = extent
    houses = Mesh()
    for _ in range(stream.pick((0, 1, 1, 2, 2, 3, 4, 5))):
        across = stream.between(radius * 3 // 4, radius * 2 + 3600) * stream.pick((-1, 1))
        ahead = stream.between(-distance // 3, radius * 2 + 3000)
        if abs(across) < radius + 900 and abs(ahead) < radius + 700:
            ahead = radius + 1600
        x, y = props.toward_camera(-azimuth, across, ahead)
        turn = stream.pick((0, TURN // 4, stream.below(TURN)))
        houses.extend(props.house(stream, max(high * 3 // 5, 800)), x, y, turn)
    return houses


def _people_and_trees(
    canvas: Canvas,
    stream: Stream,
    light: Light,
    season: str,
    distance: int,
    azimuth: int,
    water: bool,
) -> None:
    width, focal = canvas.camera.width, canvas.camera.focal

    def spot(near: int, far: int) -> tuple[int, int]:
        depth = distance * stream.between(near, far) // 100
        across = depth * width // focal * stream.between(-55, 55) // 100
        return props.toward_camera(-azimuth, across, depth - distance)

    nearest = 88 if water else 30
    for _ in range(stream.pick((0, 1, 2, 2, 3, 5))):
        x, y = spot(max(nearest, 40), 150)
        props.tree(canvas, stream, x, y, stream.between(500, 1300), season)
    for _ in range(stream.pick((0, 0, 1, 2, 4, 7))):
        props.person(canvas, stream, *spot(max(nearest, 16), 95))
    for _ in range(stream.pick((0, 0, 0, 1, 2, 3))):
        props.lamp(canvas, stream, *spot(nearest, 110), bool(light.windows_lit))
    if stream.chance(12):
        props.flagpole(canvas, stream, *spot(nearest, 100))
    if stream.chance(16) and not water:
        car = Mesh()
        x, y = spot(35, 90)
        car.extend(props.vehicle(stream), x, y, azimuth + stream.between(-500, 500))
        canvas.draw(car.faces(), car.materials)
    if stream.chance(10):
        props.twigs(canvas, stream, season)
    if stream.chance(7) and not water:
        props.railing(canvas, stream, *props.toward_camera(-azimuth, 0, -distance * 9 // 10))
