"""Designs that are broad: domes, gates, castles, pyramids, temples, arenas, bridges, big wheels."""

from landmarks.data.sample.integer import ONE, TURN, Stream, cos, sin
from landmarks.data.sample.palettes import DARK, Palette
from landmarks.data.sample.solids import (
    Material,
    Mesh,
    Pattern,
    bar,
    box,
    dome,
    gable,
    loft,
    prism,
    ring,
)
from landmarks.data.sample.towers import MIDDLE, merlons


def domed(stream: Stream, palette: Palette) -> Mesh:
    """A hall under a dome on a drum, perhaps with corner turrets and a portico."""
    mesh = Mesh()
    half, high = stream.between(1100, 1700), stream.between(900, 1500)
    wall = stream.pick((palette.arcade((620, high), (260, high * 3 // 4)),
                        palette.windows((520, 520), (170, 300))))  # fmt: skip
    box(mesh, (-half, half), (-half, half), (0, high), wall)
    box(mesh, (-half - 60, half + 60), (-half - 60, half + 60), (high, high + 110), palette.trimmed())
    radius, drum = half * stream.between(56, 84) // 100, stream.between(250, 900)
    z = high + 110
    prism(mesh, 10, MIDDLE, (z, z + drum), (radius, radius), palette.arcade((330, drum), (140, drum * 3 // 4)))
    z += drum
    rise = radius * stream.between(75, 125) // 100
    dome(mesh, MIDDLE, z, radius, rise, palette.roofed(120), 10, 5, stream.pick((0, 0, 14, 26)))
    z += rise
    prism(mesh, 6, MIDDLE, (z - 60, z + 260), (radius // 6, radius // 6), palette.trimmed())
    prism(mesh, 6, MIDDLE, (z + 260, z + 260 + radius // 2), (radius // 6, 0), palette.painted())
    if stream.chance(60):
        out = half if stream.chance(50) else half * 7 // 5
        tall = stream.between(high + 200, high + 2200)
        size = half // stream.between(7, 10)
        for x in (-out, out):
            for y in (-out, out):
                prism(mesh, 6, (x, y), (0, tall), (size, size * 4 // 5), palette.bricks(90))
                prism(mesh, 6, (x, y), (tall, tall + 70), (size * 3 // 2, size * 3 // 2), palette.trimmed())
                prism(mesh, 6, (x, y), (tall + 70, tall + size * 4), (size, 0), palette.roofed())
    if stream.chance(50):
        front, wide = -half, half * stream.between(45, 70) // 100
        portico(mesh, (-wide, wide), (front - 420, front), high * 4 // 5, palette)
    return mesh


def portico(
    mesh: Mesh, x: tuple[int, int], y: tuple[int, int], high: int, palette: Palette, count: int = 0
) -> None:
    """Add columns under a low gable; `count` of them, or as the width asks."""
    columns = count or max((x[1] - x[0]) // 330, 4)
    radius = max((x[1] - x[0]) // columns // 5, 40)
    inner = (x[0] + radius, x[1] - radius)
    for k in range(columns):
        place = inner[0] + (inner[1] - inner[0]) * k // (columns - 1)
        prism(mesh, 6, (place, y[0] + radius), (0, high), (radius, radius * 4 // 5), palette.trimmed())
    box(mesh, x, y, (high, high + high // 8), palette.trimmed())
    rise = (x[1] - x[0]) // 7
    gable(mesh, x, y, (high + high // 8, high + high // 8 + rise), palette.roofed(), palette.plain())


def temple(stream: Stream, palette: Palette) -> Mesh:
    """A hall ringed by columns, on steps, under a low gable."""
    mesh = Mesh()
    half, length = stream.between(900, 1400), stream.between(2400, 4200)
    high = stream.between(900, 1300)
    z = 0
    for step in range(stream.between(2, 5), 0, -1):
        out = step * 110
        box(mesh, (-half - out, half + out), (-length // 2 - out, length // 2 + out), (z, z + 70),
            palette.trimmed())  # fmt: skip
        z += 70
    count = stream.between(4, 8)
    radius = half // count // 2
    for k in range(count):
        x = -half + radius * 2 + (2 * half - 4 * radius) * k // (count - 1)
        for y in (-length // 2 + radius * 2, length // 2 - radius * 2):
            prism(mesh, 6, (x, y), (z, z + high), (radius, radius * 4 // 5), palette.trimmed())
    cella = palette.columns(2 * (half - radius) // (count - 1), radius)
    box(mesh, (-half + radius, half - radius), (-length // 2 + 420, length // 2 - 420), (z, z + high), cella)
    z += high
    frieze = stream.between(140, 320)
    box(mesh, (-half, half), (-length // 2, length // 2), (z, z + frieze), palette.plain())
    z += frieze
    if stream.chance(75):
        rise = half * stream.between(30, 55) // 100
        gable(mesh, (-half - 60, half + 60), (-length // 2, length // 2), (z, z + rise),
              palette.roofed(), palette.trimmed())  # fmt: skip
    else:
        dome(mesh, (0, 0), z, half * 4 // 5, half * 4 // 5, palette.roofed(), 10, 4)
    return mesh


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
        curve.append((middle + radius * cos(a) // ONE, spring + min(radius, top - spring - 40) * sin(a) // ONE))
    vault = material._replace(color=tuple(c * 3 // 4 for c in material.color), pattern=Pattern.PLAIN)
    for (x0, z0), (x1, z1) in zip(curve, curve[1:], strict=False):
        for depth in y:
            mesh.sheet([(x0, depth, z0), (x1, depth, z1), (x1, depth, top), (x0, depth, top)], material)
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
    solid = [(-outside, edges[0]), *zip(edges[1::2], edges[2::2], strict=False), (edges[-1], outside)]
    for a, b in solid:
        box(mesh, (a, b), (-deep, deep), (0, lintel), wall)
    for a, b, low in openings:
        arch(mesh, (a, b), (-deep, deep), low, lintel, wall)
    ledge = (-outside - 60, outside + 60)
    box(mesh, ledge, (-deep - 60, deep + 60), (lintel, lintel + 120), palette.trimmed())
    attic = lintel + 120 + stream.between(250, 700)
    crown = stream.below(4)
    if crown == 0:
        box(mesh, (-outside, outside), (-deep, deep), (lintel + 120, attic), palette.bricks(110))
    elif crown == 1:
        gable(mesh, (-outside, outside), (-deep, deep), (lintel + 120, attic), palette.roofed(), palette.plain())
    elif crown == 2:
        box(mesh, (-outside, outside), (-deep, deep), (lintel + 120, lintel + 300), wall)
        for x in (-outside + pier // 2, outside - pier // 2):
            prism(mesh, 8, (x, 0), (0, attic + 300), (pier * 3 // 4, pier * 3 // 4), wall)
            prism(mesh, 8, (x, 0), (attic + 300, attic + 900), (pier * 7 // 8, 0), palette.roofed())
    else:
        inner = outside * 3 // 5
        box(mesh, (-inner, inner), (-deep, deep), (lintel + 120, attic), palette.arcade((300, 400), (140, 260)))
        prism(mesh, 6, MIDDLE, (attic, attic + 600), (130, 60), Material((96, 128, 116)))
    return mesh


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
    for k, (x, y) in enumerate(((-half, -depth), (half, -depth), (half, depth), (-half, depth))):
        high = tall + (uneven if k % 2 else 0)
        shaft = stone if k % 2 else palette.windows((700, 620), (80, 170))
        prism(mesh, sides, (x, y), (0, high), (size, size * 19 // 20), shaft)
        prism(mesh, sides, (x, y), (high, high + 160), (size * 6 // 5, size * 6 // 5), palette.trimmed())
        if pointed:
            prism(mesh, sides, (x, y), (high + 160, high + 160 + size * 2), (size * 6 // 5, 0), palette.roofed())
    keep, kx = stream.between(420, 640), stream.between(-half // 2, half // 2)
    high = tall + stream.between(300, 1300)
    prism(mesh, 4, (kx, depth // 3), (0, high), (keep * 7 // 5, keep * 7 // 5),
          palette.windows((460, 620), (110, 240)))  # fmt: skip
    if stream.chance(50):
        prism(mesh, 4, (kx, depth // 3), (high, high + keep * 2), (keep * 3 // 2, 0), palette.roofed())
    else:
        crown = Mesh()
        merlons(crown, keep, high, stone, 3)
        mesh.extend(crown, kx, depth // 3)
    return mesh


def pyramid(stream: Stream, palette: Palette) -> Mesh:
    """A pyramid of terraces with stairs, or a smooth one."""
    mesh = Mesh()
    radius, tiers = stream.between(2000, 3000), stream.between(3, 9)
    rise = stream.between(1600, 2800) // tiers
    z, top = 0, stream.between(22, 40)
    lean = stream.between(84, 96)
    sizes = [radius * (100 - (100 - top) * k // tiers) // 100 for k in range(tiers + 1)]
    for k in range(tiers):
        prism(mesh, 4, MIDDLE, (z, z + rise), (sizes[k], sizes[k] * lean // 100), palette.bricks(rise // 4))
        z += rise
    stair = palette.roofed(60)._replace(color=palette.trim)
    width = stream.between(240, 480)
    front, crest = -sizes[0] * 71 // 100 - 160, -sizes[-1] * 71 // 100
    low = [(-width, front, 0), (width, front, 0), (width, 0, 0), (-width, 0, 0)]
    high = [(-width, crest, z), (width, crest, z), (width, 0, z), (-width, 0, z)]
    loft(mesh, low, high, stair)
    if stream.chance(75):
        house = sizes[-1] * 3 // 4
        prism(mesh, 4, MIDDLE, (z, z + 420), (house, house), palette.columns(240, 110))
        if stream.chance(50):
            prism(mesh, 4, MIDDLE, (z + 420, z + 800), (house * 6 // 5, 0), palette.roofed())
        else:
            prism(mesh, 4, MIDDLE, (z + 420, z + 540), (house * 6 // 5, house * 6 // 5), palette.painted())
    return mesh


def arena(stream: Stream, palette: Palette) -> Mesh:
    """A round arcade of several storeys, broken on one side."""
    mesh = Mesh()
    sides, radius = 20, stream.between(2000, 2800)
    storey, storeys = stream.between(480, 700), stream.between(2, 4)
    wall = palette.arcade((radius * 62 // 100 // stream.between(1, 2), storey), (stream.between(200, 300), storey * 3 // 4))
    broken, gap = stream.below(sides), stream.between(0, 8)
    thick = 320
    outer, inner = ring(sides, 0, 0, 0, radius), ring(sides, 0, 0, 0, radius - thick)
    for k in range(sides):
        gone = (k - broken) % sides < gap
        high = storey * (max(storeys - 1 - k % 2, 1) if gone else storeys)
        a, b, c, d = outer[k], outer[(k + 1) % sides], inner[(k + 1) % sides], inner[k]
        low = [a, b, c, d]
        loft(mesh, low, [(p[0], p[1], high) for p in low], wall, palette.trimmed())
    return mesh


def bridge(stream: Stream, palette: Palette) -> Mesh:
    """A bridge across the picture: hung from two pylons, or on stone arches."""
    mesh = Mesh()
    half, deck = stream.between(4200, 5600), stream.between(500, 900)
    if stream.chance(50):
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
        return mesh
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
            box(mesh, (x - 320, x + 320), (-330, 330), (deck + 290, deck + 1000), palette.arcade((640, 710), (300, 480)))
            prism(mesh, 4, (x, 0), (deck + 1000, deck + 1700), (500, 0), palette.roofed())
    return mesh


def wheel(stream: Stream, palette: Palette) -> Mesh:
    """A big wheel with cabins on two legs."""
    mesh = Mesh()
    radius, count = stream.between(1500, 2300), stream.pick((8, 10, 12))
    hub = radius + stream.between(350, 700)
    steel = Material(stream.pick(((226, 226, 228), palette.paint)))
    for y in (-150, 150):
        for side in (-1, 1):
            bar(mesh, (side * radius * 2 // 3, y * 3, 0), (0, y, hub), 110, palette.trimmed())
    rim = 2 * count
    for k in range(rim):
        a, b = TURN * k // rim, TURN * (k + 1) // rim
        for r in (radius, radius * 9 // 10):
            start = (r * cos(a) // ONE, 0, hub + r * sin(a) // ONE)
            end = (r * cos(b) // ONE, 0, hub + r * sin(b) // ONE)
            bar(mesh, start, end, 70, steel)
        if k % 2 == 0:
            x, z = radius * cos(a) // ONE, hub + radius * sin(a) // ONE
            bar(mesh, (0, 0, hub), (x, 0, z), 40, steel)
            cabin = Material(stream.pick((palette.paint, palette.roof)), DARK, Pattern.COLUMNS, (120, 90), (60, 60))
            box(mesh, (x - 110, x + 110), (-110, 110), (z - 240, z - 30), cabin)
    prism(mesh, 8, (0, 0), (hub - 120, hub + 120), (120, 120), palette.painted())
    box(mesh, (-radius // 2, radius // 2), (-500, 500), (0, 260), palette.columns(300, 140))
    return mesh
