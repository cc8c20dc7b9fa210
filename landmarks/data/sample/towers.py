"""Designs that are tall: towers, lighthouses, churches, obelisks, pagodas, windmills, masts."""

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

MIDDLE = (0, 0)


def merlons(mesh: Mesh, half: int, z: int, material: Material, count: int = 4) -> None:
    """Add the teeth of a square parapet with this half width."""
    step = 2 * half // (2 * count - 1)
    size = step // 2
    for k in range(count):
        along = -half + k * 2 * step + size
        for x, y in ((along, -half + size), (along, half - size), (-half + size, along),
                     (half - size, along)):  # fmt: skip
            box(mesh, (x - size, x + size), (y - size, y + size), (z, z + step * 4 // 3), material)


def tower(stream: Stream, palette: Palette) -> Mesh:
    """A free-standing tower of several storeys with a clock, a gallery and a cap."""
    mesh = Mesh()
    sides = stream.pick((4, 4, 8))
    radius = stream.between(560, 860)
    z, levels = 0, stream.between(2, 4)
    wall = stream.pick((palette.bricks(70), palette.arcade((420, 760), (150, 420)),
                        palette.windows((380, 700), (100, 260))))  # fmt: skip
    prism(mesh, sides, MIDDLE, (0, 260), (radius * 5 // 4, radius * 5 // 4), palette.trimmed())
    for _ in range(levels):
        rise = stream.between(900, 1700)
        upper = radius * stream.between(88, 100) // 100
        prism(mesh, sides, MIDDLE, (z, z + rise), (radius, upper), wall)
        z += rise
        ledge = upper * stream.between(106, 128) // 100
        prism(mesh, sides, MIDDLE, (z, z + 130), (ledge, ledge), palette.trimmed())
        z, radius = z + 130, upper * stream.between(84, 98) // 100
    if stream.chance(55):
        face = Material(palette.wall, (240, 236, 220), Pattern.CLOCK, fill=(radius // 2, 0))
        prism(mesh, sides, MIDDLE, (z, z + radius * 2), (radius, radius), face)
        z += radius * 2
    cap = stream.below(4)
    if cap == 0:
        high = stream.between(600, 1600)
        prism(mesh, sides, MIDDLE, (z, z + high), (radius * 11 // 10, 0), palette.roofed())
    elif cap == 1:
        prism(mesh, 8, MIDDLE, (z, z + 420), (radius * 3 // 4, radius * 3 // 4),
              palette.arcade((240, 420), (110, 330)))  # fmt: skip
        dome(mesh, MIDDLE, z + 420, radius * 7 // 8, radius, palette.roofed(), 8, 4, 12)
    elif cap == 2:
        prism(mesh, sides, MIDDLE, (z, z + 260), (radius * 5 // 4, radius * 5 // 4), palette.plain())
        merlons(mesh, radius * 7 // 8, z + 260, palette.plain(), 3)
    else:
        high = stream.between(500, 900)
        small = radius * 2 // 3
        prism(mesh, sides, MIDDLE, (z, z + high), (small, small), wall)
        prism(mesh, sides, MIDDLE, (z + high, z + high * 2), (small * 5 // 4, 0), palette.roofed())
    return mesh


def lighthouse(stream: Stream, palette: Palette) -> Mesh:
    """A tapered, banded tower with a lantern."""
    mesh = Mesh()
    radius, high = stream.between(380, 560), stream.between(2600, 4200)
    top = radius * stream.between(48, 76) // 100
    band = high // stream.between(4, 9)
    coat = Material((228, 224, 214), palette.paint, Pattern.BANDS, (100, band), (0, 0))
    sides = stream.pick((8, 10))
    if stream.chance(50):
        wide = radius * stream.between(16, 26) // 10
        box(mesh, (-wide, wide), (-wide * 2 // 3, wide * 2 // 3), (0, 480),
            palette.windows((420, 480), (150, 220)))  # fmt: skip
        if stream.chance(60):
            gable(mesh, (-wide, wide), (-wide * 2 // 3, wide * 2 // 3), (480, 800),
                  palette.roofed(), palette.plain(), along_x=True)  # fmt: skip
    prism(mesh, sides, MIDDLE, (0, high), (radius, top), coat)
    gallery = top * stream.between(13, 17) // 10
    prism(mesh, sides, MIDDLE, (high, high + 120), (gallery, gallery), palette.roofed())
    lamp = Material((252, 236, 170), DARK, Pattern.COLUMNS, (150, 100), (30, 100), lit=True)
    prism(mesh, sides, MIDDLE, (high + 120, high + 480), (top * 4 // 5, top * 4 // 5), lamp)
    hood = high + 480
    if stream.chance(50):
        dome(mesh, MIDDLE, hood, top, top * 4 // 5, palette.painted(), 8, 3)
    else:
        prism(mesh, sides, MIDDLE, (hood, hood + top * 3 // 2), (top * 11 // 10, 0), palette.painted())
    return mesh


def church(stream: Stream, palette: Palette) -> Mesh:
    """A nave with one or two spires at its front."""
    mesh = Mesh()
    half, eaves = stream.between(620, 900), stream.between(1000, 1600)
    length = stream.between(2600, 3800)
    wall = palette.arcade((520, eaves), (190, eaves * 7 // 10))
    box(mesh, (-half, half), (-length // 2, length // 2), (0, eaves), wall)
    ridge = eaves + half * stream.between(9, 15) // 10
    gable(mesh, (-half - 60, half + 60), (-length // 2, length // 2), (eaves, ridge),
          palette.roofed(), palette.plain())  # fmt: skip
    twin = stream.chance(50)
    size = stream.between(300, 400) if twin else stream.between(380, 520)
    high = eaves + stream.between(700, 1700)
    spire = stream.between(1000, 2400)
    style = stream.below(3)
    front = -length // 2
    for x in (-half + size // 2, half - size // 2) if twin else (0,):
        shaft = palette.arcade((size * 2, 900), (size * 2 // 3, 560))
        box(mesh, (x - size, x + size), (front - size, front + size), (0, high), shaft)
        box(mesh, (x - size - 50, x + size + 50), (front - size - 50, front + size + 50),
            (high, high + 90), palette.trimmed())  # fmt: skip
        if style == 0:
            prism(mesh, 4, (x, front), (high + 90, high + spire), (size * 7 // 5, 0), palette.roofed())
        elif style == 1:
            prism(mesh, 8, (x, front), (high + 90, high + spire), (size, 0), palette.roofed())
        else:
            prism(mesh, 8, (x, front), (high + 90, high + 450), (size * 3 // 4, size * 3 // 4), shaft)
            dome(mesh, (x, front), high + 450, size * 9 // 10, size * 3 // 2, palette.roofed(), 8, 4,
                 stream.between(10, 40))  # fmt: skip
    if stream.chance(60):
        rose = Material(palette.wall, (70, 80, 110), Pattern.CLOCK, fill=(half // 3, 0))
        mesh.sheet([(-half // 2, front - 4, eaves - half // 2), (half // 2, front - 4, eaves - half // 2),
                    (half // 2, front - 4, eaves + half // 2), (-half // 2, front - 4, eaves + half // 2)],
                   rose)  # fmt: skip
    return mesh


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
        dome(mesh, (wide * 2 // 3 + 12 * high // 40, -wide // 2), shoulder + 7 * high // 30, thick,
             thick * 2, Material((236, 190, 84), lit=True), 6, 2)  # fmt: skip


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


def pagoda(stream: Stream, palette: Palette) -> Mesh:
    """Storeys with wide, upturned roofs and a finial."""
    mesh = Mesh()
    sides = stream.pick((4, 4, 6, 8))
    tiers = stream.between(3, 7)
    radius, z = stream.between(620, 900), 0
    shrink = stream.between(80, 91)
    rise = stream.between(360, 560)
    flare = stream.between(135, 165)
    prism(mesh, sides, MIDDLE, (0, 140), (radius * 3 // 2, radius * 3 // 2), palette.trimmed())
    z = 140
    for _ in range(tiers):
        body = Material(palette.trim, palette.paint, Pattern.COLUMNS, (320, 100), (200, 100))
        prism(mesh, sides, MIDDLE, (z, z + rise), (radius, radius), body)
        z += rise
        wide = radius * flare // 100
        prism(mesh, sides, MIDDLE, (z, z + 60), (wide, wide * 9 // 10), palette.roofed(60))
        prism(mesh, sides, MIDDLE, (z + 60, z + rise * 3 // 5), (wide * 9 // 10, radius * 3 // 4),
              palette.roofed(60))  # fmt: skip
        z += rise * 2 // 5
        radius, rise = radius * shrink // 100, rise * 95 // 100
    prism(mesh, sides, MIDDLE, (z, z + radius * 2), (radius, 0), palette.roofed(60))
    prism(mesh, 6, MIDDLE, (z + radius, z + radius * 4), (70, 20), palette.painted())
    return mesh


def windmill(stream: Stream, palette: Palette) -> Mesh:
    """A tapered mill with a cap and four sails."""
    mesh = Mesh()
    radius, high = stream.between(460, 680), stream.between(1300, 2100)
    top = radius * stream.between(55, 80) // 100
    coat = stream.pick((palette.bricks(70), palette.windows((900, 640), (110, 170))))
    prism(mesh, 8, MIDDLE, (0, high), (radius, top), coat)
    prism(mesh, 8, MIDDLE, (high // 3, high // 3 + 70), (radius * 4 // 3, radius * 4 // 3),
          palette.trimmed())  # fmt: skip
    if stream.chance(50):
        dome(mesh, MIDDLE, high, top * 11 // 10, top, palette.roofed(), 8, 3)
    else:
        prism(mesh, 8, MIDDLE, (high, high + top * 3 // 2), (top * 11 // 10, 0), palette.roofed())
    hub, y = high + top // 3, -top - 160
    bar(mesh, (0, 0, hub), (0, y, hub), 90, palette.painted())
    angle, length = stream.below(TURN // 4), high * stream.between(58, 76) // 100
    sail = Material((216, 204, 178), (112, 84, 60), Pattern.TILES, (90, 90), (20, 24))
    for k in range(4):
        a = angle + k * TURN // 4
        dx, dz, width = cos(a), sin(a), length // 6
        near, far = length // 6, length
        corners = [(r * dx // ONE - w * dz // ONE, y, hub + r * dz // ONE + w * dx // ONE)
                   for r, w in ((near, 0), (far, 0), (far, width), (near, width))]  # fmt: skip
        mesh.sheet(corners, sail)
        bar(mesh, (0, y, hub), (far * dx // ONE, y, hub + far * dz // ONE), 60, palette.painted())
    return mesh


def mast(stream: Stream, palette: Palette) -> Mesh:
    """A lattice tower on four legs."""
    mesh = Mesh()
    foot, high = stream.between(900, 1500), stream.between(3600, 5600)
    iron = stream.pick(((112, 92, 76), (146, 84, 66), (120, 126, 132)))
    web = Material(iron, (196, 196, 190), Pattern.LATTICE, (240, 480), (70, 70))
    joint = high * stream.between(26, 38) // 100
    shoulder = foot * stream.between(38, 52) // 100
    neck = high * stream.between(64, 76) // 100
    leg = foot * stream.between(28, 36) // 100
    for x in (-1, 1):
        for y in (-1, 1):
            low = ring(4, x * (foot - leg), y * (foot - leg), 0, leg, TURN // 8)
            inner = shoulder * 55 // 100
            loft(mesh, low, ring(4, x * inner, y * inner, joint, inner * 2 // 3, TURN // 8), web)
    deck = shoulder * 3 // 2
    prism(mesh, 4, MIDDLE, (joint, joint + 170), (deck, deck), Material(iron))
    prism(mesh, 4, MIDDLE, (joint + 170, neck), (shoulder, shoulder * 2 // 5), web)
    prism(mesh, 4, MIDDLE, (neck, neck + 130), (shoulder * 3 // 4, shoulder * 3 // 4), Material(iron))
    prism(mesh, 4, MIDDLE, (neck + 130, high), (shoulder // 3, shoulder // 8), web)
    if stream.chance(50):
        dome(mesh, MIDDLE, high, shoulder // 3, shoulder // 3, palette.painted(), 8, 3)
    prism(mesh, 4, MIDDLE, (high, high * 108 // 100), (40, 10), Material(iron))
    return mesh
