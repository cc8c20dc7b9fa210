"""Designs to remember by or to marvel at: obelisks, statues, pyramids, arenas, big wheels."""

from landmarks.data.sample.integer import ONE, TURN, Stream, cos, sin
from landmarks.data.sample.palettes import DARK, Palette
from landmarks.data.sample.solids import (
    MIDDLE,
    Material,
    Mesh,
    Pattern,
    bar,
    box,
    dome,
    loft,
    prism,
    ring,
)


def obelisk(stream: Stream, palette: Palette) -> Mesh:
    """A needle or a column with a figure, on steps."""
    mesh = Mesh()
    size = stream.between(150, 260)
    high = size * stream.between(9, 13)
    z = 0
    for step in range(stream.between(2, 4), 0, -1):
        wide = size * (12 + 7 * step) // 8
        prism(mesh, 4, MIDDLE, (z, z + 110), (wide, wide), palette.trimmed())
        z += 110
    base = size * 3 // 2
    prism(mesh, 4, MIDDLE, (z, z + base), (base * 5 // 4, base * 5 // 4), palette.bricks(80))
    z += base
    if stream.chance(50):
        prism(mesh, 4, MIDDLE, (z, z + high), (size, size * 2 // 3), palette.bricks(130))
        prism(mesh, 4, MIDDLE, (z + high, z + high + size), (size * 2 // 3, 0), palette.painted())
    else:
        flutes = palette.columns(size // 2, size // 6)
        prism(mesh, 8, MIDDLE, (z, z + high), (size * 4 // 5, size * 2 // 3), flutes)
        z += high
        prism(mesh, 4, MIDDLE, (z, z + 140), (size * 5 // 4, size * 5 // 4), palette.trimmed())
        figure(mesh, stream, z + 140, size * 3, Material((96, 128, 116)))
    return mesh


def figure(mesh: Mesh, stream: Stream, z: int, high: int, skin: Material) -> None:
    """Add a robed figure that stands at height `z`, perhaps with a raised arm."""
    wide = high // stream.between(4, 6)
    hip, neck = z + high * 11 // 20, z + high * 4 // 5
    prism(mesh, 8, MIDDLE, (z, hip), (wide, wide * 2 // 3), skin)
    prism(mesh, 8, MIDDLE, (hip, neck), (wide * 2 // 3, wide * 7 // 9), skin)
    head = high // 12
    prism(mesh, 8, MIDDLE, (neck, neck + head), (head // 2, head), skin)
    dome(mesh, MIDDLE, neck + head, head, head * 5 // 4, skin, 8, 3)
    pose, thick = stream.below(3), high // 14
    shoulder = neck - high // 20
    hands = {0: ((1, 12, 7),), 1: ((1, 9, 10), (-1, 9, 10)), 2: ((1, 10, 1), (-1, 4, -8))}[pose]
    for side, out, up in hands:
        end = (side * (wide * 2 // 3 + out * high // 40), -wide // 2, shoulder + up * high // 30)
        bar(mesh, (side * wide * 2 // 3, 0, shoulder), end, thick, skin)
    if pose == 0:
        dome(
            mesh,
            (wide * 2 // 3 + 12 * high // 40, -wide // 2),
            shoulder + 7 * high // 30,
            thick,
            thick * 2,
            Material((236, 190, 84), lit=True),
            6,
            2,
        )


def statue(stream: Stream, palette: Palette) -> Mesh:
    """A giant figure on a plinth."""
    mesh = Mesh()
    high = stream.between(1700, 2800)
    wide, rise = stream.between(500, 900), stream.between(500, 1600)
    prism(mesh, 4, MIDDLE, (0, 140), (wide * 8 // 5, wide * 8 // 5), palette.trimmed())
    sides = stream.pick((4, 8))
    prism(mesh, sides, MIDDLE, (140, rise), (wide, wide * 4 // 5), palette.bricks(90))
    prism(mesh, sides, MIDDLE, (rise, rise + 110), (wide, wide), palette.trimmed())
    skin = Material(stream.pick(((104, 146, 128), (120, 92, 66), palette.trim)))
    figure(mesh, stream, rise + 110, high, skin)
    return mesh


def pyramid(stream: Stream, palette: Palette) -> Mesh:
    """A pyramid of terraces with stairs, mostly with a house on top."""
    mesh = Mesh()
    radius, tiers = stream.between(2000, 3000), stream.between(3, 9)
    rise = stream.between(1600, 2800) // tiers
    z, top = 0, stream.between(22, 40)
    lean = stream.between(84, 96)
    sizes = [radius * (100 - (100 - top) * k // tiers) // 100 for k in range(tiers + 1)]
    for k in range(tiers):
        wide = (sizes[k], sizes[k] * lean // 100)
        prism(mesh, 4, MIDDLE, (z, z + rise), wide, palette.bricks(rise // 4))
        z += rise
    stair = palette.roofed(60)._replace(color=palette.trim)
    width = stream.between(240, 480)
    # Far enough out that no terrace, seen from its middle (71 % of its radius), covers a step.
    steps = zip(sizes, sizes[1:], strict=False)
    out = max(low * lean // 100 - high for low, high in steps) * 71 // 100 + 60
    front, crest = -sizes[0] * 71 // 100 - out, -sizes[-1] * 71 // 100 - out
    low = [(-width, front, 0), (width, front, 0), (width, 0, 0), (-width, 0, 0)]
    high = [(-width, crest, z), (width, crest, z), (width, 0, z), (-width, 0, z)]
    loft(mesh, low, high, stair)
    if stream.chance(75):
        house = sizes[-1] * 3 // 4
        prism(mesh, 4, MIDDLE, (z, z + 420), (house, house), palette.columns(240, 110))
        if stream.chance(50):
            prism(mesh, 4, MIDDLE, (z + 420, z + 800), (house * 6 // 5, 0), palette.roofed())
        else:
            slab = (house * 6 // 5, house * 6 // 5)
            prism(mesh, 4, MIDDLE, (z + 420, z + 540), slab, palette.painted())
    return mesh


def arena(stream: Stream, palette: Palette) -> Mesh:
    """A round arcade of several storeys, broken on one side."""
    mesh = Mesh()
    sides, radius = 20, stream.between(2000, 2800)
    storey, storeys = stream.between(480, 700), stream.between(2, 4)
    wall = palette.arcade(
        (radius * 62 // 100 // stream.between(1, 2), storey),
        (stream.between(200, 300), storey * 3 // 4),
    )
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
            cabin = Material(
                stream.pick((palette.paint, palette.roof)),
                DARK,
                Pattern.COLUMNS,
                (120, 90),
                (60, 60),
            )
            box(mesh, (x - 110, x + 110), (-110, 110), (z - 240, z - 30), cabin)
    prism(mesh, 8, (0, 0), (hub - 120, hub + 120), (120, 120), palette.painted())
    box(mesh, (-radius // 2, radius // 2), (-500, 500), (0, 260), palette.columns(300, 140))
    return mesh
