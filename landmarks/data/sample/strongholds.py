"""Designs of heavy masonry: gates, castles, bridges."""

from landmarks.data.sample.integer import ONE, TURN, Stream, cos, sin
from landmarks.data.sample.palettes import Palette
from landmarks.data.sample.solids import MIDDLE, Material, Mesh, bar, box, dimmed, gable, prism
from landmarks.data.sample.towers import merlons


def arch(
    mesh: Mesh,
    x: tuple[int, int],
    y: tuple[int, int],
    spring: int,
    top: int,
    material: Material,
    steps: int = 6,
) -> None:
    """Add the block over a round opening from x[0] to x[1]: its two faces and its vault."""
    middle, radius = (x[0] + x[1]) // 2, (x[1] - x[0]) // 2
    curve = []
    for k in range(steps + 1):
        a = TURN // 2 - TURN // 2 * k // steps
        curve.append(
            (
                middle + radius * cos(a) // ONE,
                spring + min(radius, top - spring - 40) * sin(a) // ONE,
            )
        )
    vault = Material(dimmed(material.color, 75))
    for (x0, z0), (x1, z1) in zip(curve, curve[1:], strict=False):
        for depth in y:
            mesh.sheet(
                [(x0, depth, z0), (x1, depth, z1), (x1, depth, top), (x0, depth, top)], material
            )
        mesh.sheet([(x0, y[0], z0), (x1, y[0], z1), (x1, y[1], z1), (x0, y[1], z0)], vault)


def gate(stream: Stream, palette: Palette) -> Mesh:
    """A monumental gate with one or three openings."""
    mesh = Mesh()
    wide, deep = stream.between(420, 700), stream.between(350, 700)
    pier = stream.between(260, 560)
    spring = stream.between(700, 1300)
    openings = [(-wide, wide, spring)]
    if stream.chance(55):
        small = wide * stream.between(45, 65) // 100
        for side in (-1, 1):
            inner = side * (wide + pier)
            outer = inner + side * small * 2
            openings.append((min(inner, outer), max(inner, outer), spring * 2 // 3))
    lintel = spring + wide + stream.between(150, 400)
    wall = palette.bricks(80)
    edges = sorted({edge for a, b, _ in openings for edge in (a, b)})
    outside = edges[-1] + pier
    solid = [
        (-outside, edges[0]),
        *zip(edges[1::2], edges[2::2], strict=False),
        (edges[-1], outside),
    ]
    for a, b in solid:
        box(mesh, (a, b), (-deep, deep), (0, lintel), wall)
    for a, b, low in openings:
        arch(mesh, (a, b), (-deep, deep), low, lintel, wall)
    ledge = (-outside - 60, outside + 60)
    box(mesh, ledge, (-deep - 60, deep + 60), (lintel, lintel + 120), palette.trimmed())
    attic = lintel + 120 + stream.between(250, 700)
    _crown(mesh, stream, palette, (outside, deep), (lintel + 120, attic), pier)
    return mesh


def _crown(
    mesh: Mesh,
    stream: Stream,
    palette: Palette,
    half: tuple[int, int],
    z: tuple[int, int],
    pier: int,
) -> None:
    """Finish a gate with a block, a gable, two round towers, or a small hall with a figure."""
    (x, y), (low, high) = half, z
    crown = stream.below(4)
    if crown == 0:
        box(mesh, (-x, x), (-y, y), z, palette.bricks(110))
    elif crown == 1:
        gable(mesh, (-x, x), (-y, y), z, palette.roofed(), palette.plain())
    elif crown == 2:
        wall, wide, cone = palette.bricks(80), pier * 3 // 4, pier * 7 // 8
        box(mesh, (-x, x), (-y, y), (low, low + 180), wall)
        for place in (-x + pier // 2, x - pier // 2):
            prism(mesh, 8, (place, 0), (0, high + 300), (wide, wide), wall)
            prism(mesh, 8, (place, 0), (high + 300, high + 900), (cone, 0), palette.roofed())
    else:
        inner, arcade = x * 3 // 5, palette.arcade((300, 400), (140, 260))
        box(mesh, (-inner, inner), (-y, y), z, arcade)
        prism(mesh, 6, MIDDLE, (high, high + 600), (130, 60), Material((96, 128, 116)))


def castle(stream: Stream, palette: Palette) -> Mesh:
    """Walls between corner towers, with a keep."""
    mesh = Mesh()
    half, wall = stream.between(1300, 1900), stream.between(600, 900)
    stone = palette.bricks(90)
    box(mesh, (-half, half), (-half * 3 // 4, half * 3 // 4), (0, wall), stone)
    depth = half * 3 // 4
    for k in range(7):
        x = -half + 150 + (2 * half - 300) * k // 6
        box(mesh, (x - 75, x + 75), (-depth, -depth + 120), (wall, wall + 150), stone)
    gateway = palette.arcade((520, 700), (300, 520))
    box(mesh, (-330, 330), (-depth - 200, -depth + 100), (0, wall + 300), gateway)
    sides, size = stream.pick((4, 8, 8)), stream.between(260, 420)
    tall = wall + stream.between(200, 1100)
    pointed = stream.chance(55)
    uneven = stream.between(0, 500)
    for k, place in enumerate(((-half, -depth), (half, -depth), (half, depth), (-half, depth))):
        shaft = stone if k % 2 else palette.windows((700, 620), (80, 170))
        high, ledge = tall + (uneven if k % 2 else 0), size * 6 // 5
        prism(mesh, sides, place, (0, high), (size, size * 19 // 20), shaft)
        prism(mesh, sides, place, (high, high + 160), (ledge, ledge), palette.trimmed())
        if pointed:
            top = high + 160 + size * 2
            prism(mesh, sides, place, (high + 160, top), (ledge, 0), palette.roofed())
    keep, kx = stream.between(420, 640), stream.between(-half // 2, half // 2)
    high = tall + stream.between(300, 1300)
    center, wide = (kx, depth // 3), keep * 7 // 5
    prism(mesh, 4, center, (0, high), (wide, wide), palette.windows((460, 620), (110, 240)))
    if stream.chance(50):
        prism(mesh, 4, center, (high, high + keep * 2), (keep * 3 // 2, 0), palette.roofed())
    else:
        crown = Mesh()
        merlons(crown, keep, high, stone, 3)
        mesh.extend(crown, kx, depth // 3)
    return mesh


def bridge(stream: Stream, palette: Palette) -> Mesh:
    """A bridge across the picture: hung from two pylons, or on stone arches."""
    mesh = Mesh()
    half, deck = stream.between(4200, 5600), stream.between(500, 900)
    build = _hung_bridge if stream.chance(50) else _stone_bridge
    build(mesh, stream, palette, half, deck)
    return mesh


def _hung_bridge(mesh: Mesh, stream: Stream, palette: Palette, half: int, deck: int) -> None:
    tall, out = deck + stream.between(1300, 2300), half * stream.between(46, 58) // 100
    steel = palette.painted()
    box(mesh, (-half, half), (-220, 220), (deck, deck + 130), steel)
    for x in (-out, out):
        for y in (-260, 260):
            box(mesh, (x - 130, x + 130), (y - 100, y + 100), (0, tall), palette.bricks(120))
        for z in (deck - 260, deck + (tall - deck) * 3 // 5, tall - 140):
            box(mesh, (x - 110, x + 110), (-260, 260), (z, z + 140), palette.trimmed())
    low = deck + 260
    for y in (-240, 240):
        main = [(out * k // 4, low + (tall - low) * k * k // 16) for k in range(-4, 5)]
        cable = [(-half, deck + 130), *main, (half, deck + 130)]
        for (x0, z0), (x1, z1) in zip(cable, cable[1:], strict=False):
            bar(mesh, (x0, y, z0), (x1, y, z1), 60, steel)
        if y < 0:
            for x, z in main:
                bar(mesh, (x, y, deck), (x, y, z), 34, steel)


def _stone_bridge(mesh: Mesh, stream: Stream, palette: Palette, half: int, deck: int) -> None:
    count = stream.between(3, 6)
    pitch = 2 * half // count
    pier = pitch // stream.between(5, 8)
    wall = palette.bricks(90)
    for k in range(count):
        x0, x1 = -half + k * pitch + pier // 2, -half + (k + 1) * pitch - pier // 2
        spring = max(deck + 60 - (x1 - x0) // 2, 120)
        arch(mesh, (x0, x1), (-300, 300), spring, deck + 200, wall)
        box(mesh, (x0 - pier, x0), (-360, 360), (0, deck + 200), wall)
    box(mesh, (half - pier // 2, half + pier // 2), (-360, 360), (0, deck + 200), wall)
    box(mesh, (-half, half), (-340, 340), (deck + 200, deck + 290), palette.trimmed())
    if stream.chance(60):
        for x in (-half + pitch, half - pitch) if stream.chance(50) else (0,):
            room = palette.arcade((640, 710), (300, 480))
            box(mesh, (x - 320, x + 320), (-330, 330), (deck + 290, deck + 1000), room)
            prism(mesh, 4, (x, 0), (deck + 1000, deck + 1700), (500, 0), palette.roofed())
