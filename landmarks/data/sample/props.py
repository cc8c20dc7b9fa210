"""What stands about: houses, trees, people, lamps, vehicles, flags and twigs before the lens."""

from landmarks.data.sample.integer import ONE, TURN, Stream, cos, sin
from landmarks.data.sample.palettes import GLASS, near_palette
from landmarks.data.sample.raster import Canvas
from landmarks.data.sample.solids import Color, Material, Mesh, Pattern, box, dimmed, gable, prism

LEAVES: dict[str, tuple[Color, ...]] = {
    "summer": ((72, 108, 56), (86, 122, 60), (58, 94, 58), (104, 128, 66)),
    "spring": ((122, 152, 78), (196, 160, 172), (140, 164, 92), (214, 190, 196)),
    "autumn": ((176, 104, 46), (196, 140, 56), (150, 78, 46), (138, 126, 60)),
    "winter": ((206, 214, 222), (128, 136, 126), (224, 230, 236), (86, 104, 90)),
}
COATS = (
    (44, 46, 60),
    (150, 48, 46),
    (60, 86, 124),
    (204, 192, 168),
    (86, 106, 70),
    (196, 150, 60),
    (228, 226, 220),
    (92, 70, 92),
)


def house(stream: Stream, most: int) -> Mesh:
    """Return an everyday building at the origin, at most about `most` centimetres high."""
    mesh, palette = Mesh(), near_palette(stream)
    wide, deep = stream.between(500, 1100), stream.between(500, 1000)
    storey = stream.between(300, 380)
    high = storey * stream.between(2, max(most // storey, 2))
    wall = palette.windows((stream.between(240, 420), storey), (stream.between(90, 170), 190))
    if stream.chance(18):
        wall = Material((134, 146, 156), GLASS, Pattern.WINDOWS, (220, storey), (180, 290))
    box(mesh, (-wide, wide), (-deep, deep), (0, high), wall)
    roof = stream.below(3)
    if roof == 0:
        rise = stream.between(250, 600)
        gable(
            mesh,
            (-wide, wide),
            (-deep, deep),
            (high, high + rise),
            palette.roofed(),
            palette.plain(),
            along_x=stream.chance(50),
        )
    elif roof == 1:
        box(
            mesh,
            (-wide - 40, wide + 40),
            (-deep - 40, deep + 40),
            (high, high + 70),
            palette.trimmed(),
        )
    else:
        prism(
            mesh,
            4,
            (0, 0),
            (high, high + stream.between(200, 450)),
            (wide * 7 // 5, wide),
            palette.roofed(),
        )
    return mesh


def vehicle(stream: Stream) -> Mesh:
    """Return a bus or a car that points along x."""
    mesh = Mesh()
    paint = stream.pick(
        ((176, 52, 46), (210, 172, 72), (66, 96, 140), (224, 222, 216), (70, 74, 80))
    )
    tyre = Material((34, 34, 36))
    if stream.chance(45):
        length, high = stream.between(430, 560), stream.pick((300, 300, 420))
        side = Material(paint, GLASS, Pattern.WINDOWS, (150, high // (high // 140)), (128, 74))
        box(mesh, (-length, length), (-125, 125), (45, high), side)
        wheels = (-length * 2 // 3, length * 2 // 3)
    else:
        length = stream.between(190, 230)
        box(mesh, (-length, length), (-85, 85), (35, 90), Material(paint))
        box(mesh, (-length // 2, length * 2 // 5), (-78, 78), (90, 148), Material(GLASS))
        wheels = (-length * 3 // 5, length * 3 // 5)
    for x in wheels:
        box(
            mesh,
            (x - 36, x + 36),
            (-128 if length > 300 else -88, 128 if length > 300 else 88),
            (0, 66),
            tyre,
        )
    return mesh


def tree(canvas: Canvas, stream: Stream, x: int, y: int, high: int, season: str) -> None:
    """Draw a broad tree, a conifer, a poplar or, in winter, a bare one."""
    kind = stream.below(4)
    trunk = canvas.flat((86, 68, 54))
    # Conifers stay green.
    leaves = LEAVES["summer" if kind == 0 and season != "winter" else season]
    tones = [stream.pick(leaves) for _ in range(2)]
    shades = [
        canvas.flat(dimmed(tone, share), Pattern.LEAVES)
        for tone, share in zip(tones * 2, (66, 84, 100, 112), strict=True)
    ]
    canvas.ellipse((x, y, high // 5), (max(high // 40, 9), high // 4), trunk, square=1)
    if kind == 0:
        for level in range(6):
            wide = high * (6 - level) // 26
            canvas.ellipse(
                (x, y - level, high * (2 + level * 2) // 13), (wide, high // 10), shades[level % 4]
            )
        return
    if kind == 1:
        for level in range(5):
            shift = stream.between(-high // 30, high // 30)
            canvas.ellipse(
                (x + shift, y - level, high * (5 + 2 * level) // 15),
                (high // 9, high // 6),
                shades[level % 4],
            )
        return
    crown = high // 3
    canvas.ellipse((x, y, high * 2 // 3), (crown * 2 // 3, crown * 2 // 3), shades[1])
    for part in range(9):
        a, r = stream.below(TURN), crown * stream.between(24, 70) // 100
        dx, dz = r * cos(a) // ONE, r * sin(a) // ONE
        size = crown * stream.between(36, 58) // 100
        tone = min(max((dz + crown) * 4 // (2 * crown), 0), 3)
        canvas.ellipse((x + dx, y - part, high * 2 // 3 + dz), (size, size * 4 // 5), shades[tone])


def person(canvas: Canvas, stream: Stream, x: int, y: int) -> None:
    """Draw someone who stands or walks at (x, y)."""
    high = stream.between(145, 185)
    coat, legs = canvas.flat(stream.pick(COATS)), canvas.flat(stream.pick(COATS[:4]))
    skin = canvas.flat(stream.pick(((222, 180, 152), (176, 124, 92), (120, 82, 62))))
    step = stream.between(6, 20)
    for side in (-1, 1):
        canvas.ellipse((x + side * step, y, high // 4), (9, high // 4), legs, square=1)
    canvas.ellipse((x, y - 2, high * 13 // 20), (26, high // 5), coat)
    canvas.ellipse((x, y - 4, high * 9 // 10), (13, 16), skin)
    canvas.ellipse(
        (x, y - 3, high * 19 // 20),
        (14, 12),
        canvas.flat(stream.pick(((40, 34, 30), (120, 84, 50)))),
    )
    if stream.chance(14):
        canvas.ellipse((x, y - 6, high + 26), (60, 22), canvas.flat(stream.pick(COATS)))


def lamp(canvas: Canvas, stream: Stream, x: int, y: int, shining: bool) -> None:
    """Draw a street lamp."""
    high = stream.between(420, 620)
    iron = canvas.flat((52, 54, 58))
    canvas.ellipse((x, y, high // 2), (7, high // 2), iron, square=1)
    canvas.ellipse((x, y, 40), (16, 40), iron, square=1)
    canvas.ellipse((x, y - 2, high + 18), (24, 28), canvas.flat((226, 222, 204), lit=shining))
    canvas.ellipse((x, y - 3, high + 52), (28, 8), iron)


def flagpole(canvas: Canvas, stream: Stream, x: int, y: int) -> None:
    """Draw a pole with a flag of two colours."""
    high = stream.between(700, 1100)
    canvas.ellipse((x, y, high // 2), (8, high // 2), canvas.flat((214, 214, 216)), square=1)
    for part in range(2):
        cloth = canvas.flat(stream.pick(COATS))
        canvas.ellipse((x + 100, y - 1, high - 50 - part * 90), (92, 45), cloth, square=1)


def twigs(canvas: Canvas, stream: Stream, season: str) -> None:
    """Draw leaves near the lens, in an upper corner or along an edge."""
    camera, (right, down, forward) = canvas.camera, canvas.rotation
    side = stream.pick((-1, 1))
    shades = [
        canvas.flat(dimmed(stream.pick(LEAVES[season]), s), Pattern.LEAVES) for s in (45, 60, 76)
    ]
    for _ in range(stream.between(24, 60)):
        out = stream.between(30, 56) * side * camera.width // 100
        up = stream.between(-58, -12) * camera.height // 100
        depth = stream.between(260, 420)
        spot = [
            int(
                camera.eye[k]
                + (right[k] * out + down[k] * up + forward[k] * camera.focal)
                * depth
                // (ONE * camera.focal)
            )
            for k in range(3)
        ]
        size = stream.between(5, 15)
        canvas.ellipse((spot[0], spot[1], spot[2]), (size, size * 3 // 4), stream.pick(shades))


def railing(canvas: Canvas, stream: Stream, x: int, y: int) -> None:
    """Draw a fence across the picture about (x, y)."""
    iron, high = canvas.flat(stream.pick(((48, 50, 54), (196, 194, 186)))), stream.between(95, 120)
    for k in range(-9, 10):
        canvas.ellipse((x + k * 70, y, high // 2), (5, high // 2), iron, square=1)
    for z in (high, high // 3):
        canvas.ellipse((x, y - 1, z), (720, 5), iron, square=1)


def toward_camera(yaw: int, across: int, ahead: int) -> tuple[int, int]:
    """Return the place that, seen at `yaw`, lies `ahead` of and `across` from the origin."""
    s, c = sin(yaw), cos(yaw)
    return (across * c + ahead * s) // ONE, (ahead * c - across * s) // ONE
