"""Pictures without any landmark: streets, nature, other buildings, things in a room."""

from dataclasses import replace

from landmarks.data.sample import props
from landmarks.data.sample.backdrop import Setting
from landmarks.data.sample.catalogue import DESIGNS
from landmarks.data.sample.develop import Photo
from landmarks.data.sample.integer import TURN, Stream
from landmarks.data.sample.light import Light, make_light
from landmarks.data.sample.palettes import near_palette
from landmarks.data.sample.raster import Camera, Canvas
from landmarks.data.sample.scene import SEASONS, Shot, cast, cover, finish, frame, photograph
from landmarks.data.sample.solids import Material, Mesh, Pattern, box, dome, prism

KINDS = {"other_building": 34, "street": 26, "nature": 24, "object": 16}


def draw_without_landmark(stream: Stream, scale: int = 1) -> tuple[str, Photo]:
    """Return the kind of picture, and its pixels, uint8 (H, W, 3)."""
    kind = stream.weighted(KINDS)
    if kind == "other_building":
        design = stream.pick(sorted(DESIGNS))
        backdrop = stream.pick(("hills", "mountains", "roofs", "sea", "none"))
        other = Shot(design, f"other/{stream.bits():016x}", None, backdrop)
        return kind, photograph(other, stream, scale)
    draw = {"street": _street, "nature": _nature, "object": _object}[kind]
    return kind, draw(stream, scale)


def _camera(stream: Stream, scale: int, eye: int, portrait: int, tilt: int) -> Camera:
    width, height = frame(stream, portrait, scale)
    focal = max(width, height) * stream.between(75, 130) // 100
    shift = (width * stream.middling(-15, 15) // 100, height * stream.middling(-14, 14) // 100)
    yaw, roll = stream.middling(-240, 240), stream.middling(-60, 60)
    return Camera((0, 0, eye), yaw, stream.middling(-tilt, tilt), roll, focal, width, height, shift)


def _street(stream: Stream, scale: int) -> Photo:
    light, season = make_light(stream), stream.weighted(SEASONS)
    camera = _camera(stream, scale, stream.between(150, 320), 35, 60)
    canvas, houses = Canvas(camera), Mesh()
    half, most = stream.between(500, 1500), stream.between(800, 2600)
    for side in (-1, 1):
        y = stream.between(-600, 900)
        while y < 11_000 and stream.chance(94):
            deep = stream.between(1100, 2000)
            x = side * (half + stream.between(1050, 1250))
            houses.extend(props.house(stream, most), x, y, stream.pick((0, TURN // 4)))
            y += deep + stream.pick((0, 200, 900))
    if houses.polygons:
        canvas.draw(houses.faces(), houses.materials)
    for _ in range(stream.between(1, 5)):
        car = Mesh()
        lane = stream.between(-half * 3 // 4, half * 3 // 4)
        car.extend(props.vehicle(stream), lane, stream.between(900, 5000), TURN // 4)
        canvas.draw(car.faces(), car.materials)
    for _ in range(stream.between(0, 8)):
        props.person(canvas, stream, stream.between(-half, half), stream.between(500, 4000))
    for _ in range(stream.between(0, 5)):
        x, y = half * 9 // 10 * stream.pick((-1, 1)), stream.between(700, 6000)
        if stream.chance(50):
            props.lamp(canvas, stream, x, y, bool(light.windows_lit))
        else:
            props.tree(canvas, stream, x, y, stream.between(400, 900), season)
    if light.sun_color[0] > 100 and houses.polygons:
        cast(canvas, houses, light)
    ground = stream.pick(
        ("asphalt", "asphalt", "paving", "snow" if season == "winter" else "earth")
    )
    backdrop = stream.pick(("none", "roofs", "hills"))
    return finish(canvas, light, Setting(ground, 0, 0, 0, backdrop, 24), 0, stream)


def _nature(stream: Stream, scale: int) -> Photo:
    light, season = make_light(stream), stream.weighted(SEASONS)
    camera = _camera(stream, scale, stream.between(150, 1200), 25, 50)
    canvas = Canvas(camera)
    shore = stream.between(1500, 6000) if stream.chance(40) else 0
    for _ in range(stream.pick((0, 2, 5, 9, 14, 20))):
        y = stream.between(max(shore, 900), 9000)
        across = y * camera.width // camera.focal
        props.tree(
            canvas, stream, stream.between(-across, across), y, stream.between(350, 1300), season
        )
    for _ in range(stream.pick((0, 0, 0, 1, 2))):
        props.person(
            canvas, stream, stream.between(-300, 300), stream.between(max(shore, 500), 7000)
        )
    if stream.chance(20):
        props.twigs(canvas, stream, season)
    backdrop = stream.pick(("hills", "mountains", "mountains", "sea"))
    path = stream.between(80, 200) if stream.chance(30) else 0
    setting = Setting(cover(stream, season), 0, path, 1, backdrop, stream.between(16, 84))
    return finish(canvas, light, setting, shore, stream)


# In a room a unit is a millimetre; the painter does not mind.
def _object(stream: Stream, scale: int) -> Photo:
    wall, wood = near_palette(stream), near_palette(stream)
    strength, warmth = stream.between(150, 230), stream.between(0, 40)
    lamp = (0, stream.between(-2600, -1000), 3200)
    color = (strength // 2, (strength - warmth // 2) // 2, (strength - warmth) // 2)
    ambient = (strength, strength - warmth // 2, strength - warmth)
    light = Light("room", lamp, color, ambient, *(wall.wall,) * 3, 0, 0, 0, 0)
    camera = _camera(stream, scale, stream.between(1100, 1700), 45, 40)
    camera = replace(camera, yaw=camera.yaw // 3, pitch=stream.between(-190, -60))
    canvas, room = Canvas(camera), Mesh()
    back = stream.between(2400, 3600)
    pattern = stream.pick((Pattern.PLAIN, Pattern.COLUMNS, Pattern.BRICKS))
    paper = Material(wall.trim, wall.wall, pattern, (260, 200), (90, 16))
    box(room, (-9000, 9000), (back, back + 90), (0, 6000), paper)
    top, front = stream.between(700, 800), stream.between(900, 1300)
    board = Material(wood.roof, wood.wall, Pattern.TILES, (90, 60), (10, 10))
    box(room, (-1400, 1400), (front, front + 900), (top - 45, top), board)
    for x in (-1300, 1300):
        box(room, (x - 40, x + 40), (front + 40, front + 120), (0, top - 45), board)
    for k in range(stream.between(2, 6)):
        x, y = stream.between(-620, 620), front + 130 + k * 120
        _thing(room, stream, x, y, top)
    canvas.draw(room.faces(), room.materials)
    return finish(canvas, light, Setting("earth", 0, 0, 0, "none", 0), 0, stream)


def _thing(mesh: Mesh, stream: Stream, x: int, y: int, z: int) -> None:
    """Put a pot, a bottle, a ball, books or a box on the table."""
    paint = Material(stream.pick(props.COATS), stream.pick(props.COATS))
    kind, size = stream.below(5), stream.between(40, 90)
    if kind == 0:
        belly, neck = size * stream.between(10, 16) // 10, size * stream.between(4, 8) // 10
        for low, high, wide, narrow in (
            (0, 80, size, belly),
            (80, 190, belly, neck),
            (190, 240, neck, size),
        ):
            prism(mesh, 10, (x, y), (z + low, z + high), (wide, narrow), paint)
    elif kind == 1:
        prism(mesh, 10, (x, y), (z, z + 210), (size, size), paint)
        prism(mesh, 10, (x, y), (z + 210, z + 270), (size, size // 3), paint)
        prism(mesh, 8, (x, y), (z + 270, z + 370), (size // 3, size // 3), paint)
    elif kind == 2:
        dome(mesh, (x, y), z, size, size * 2, paint, 10, 4, 20)
    elif kind == 3:
        for k in range(stream.between(2, 5)):
            wide, cover_ = stream.between(90, 140), Material(stream.pick(props.COATS))
            box(mesh, (x - wide, x + wide), (y - 80, y + 80), (z + k * 36, z + k * 36 + 34), cover_)
    else:
        banded = paint._replace(pattern=Pattern.BANDS, pitch=(100, 60))
        box(
            mesh,
            (x - size, x + size),
            (y - size, y + size),
            (z, z + size * stream.between(2, 5)),
            banded,
        )
