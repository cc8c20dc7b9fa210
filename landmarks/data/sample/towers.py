"""Designs that are slender: towers, lighthouses, windmills, lattice masts."""

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
    gable,
    loft,
    prism,
    ring,
)


def merlons(mesh: Mesh, half: int, z: int, material: Material, count: int = 4) -> None:
    """Add the teeth of a square parapet with this half width."""
    step = 2 * half // (2 * count - 1)
    size = step // 2
    for k in range(count):
        along = -half + k * 2 * step + size
        for x, y in (
            (along, -half + size),
            (along, half - size),
            (-half + size, along),
            (half - size, along),
        ):
            box(mesh, (x - size, x + size), (y - size, y + size), (z, z + step * 4 // 3), material)


def tower(stream: Stream, palette: Palette) -> Mesh:
    """A free-standing tower of several storeys with a clock, a gallery and a cap."""
    mesh = Mesh()
    sides = stream.pick((4, 4, 8))
    radius = stream.between(560, 860)
    z, levels = 0, stream.between(2, 4)
    wall = stream.pick(
        (
            palette.bricks(70),
            palette.arcade((420, 760), (150, 420)),
            palette.windows((380, 700), (100, 260)),
        )
    )
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
    _cap(mesh, stream, palette, sides, radius, z, wall)
    return mesh


def _cap(
    mesh: Mesh,
    stream: Stream,
    palette: Palette,
    sides: int,
    radius: int,
    z: int,
    wall: Material,
) -> None:
    """Finish a tower with a spire, a dome, battlements or a smaller storey."""
    cap = stream.below(4)
    if cap == 0:
        high = stream.between(600, 1600)
        prism(mesh, sides, MIDDLE, (z, z + high), (radius * 11 // 10, 0), palette.roofed())
    elif cap == 1:
        prism(
            mesh,
            8,
            MIDDLE,
            (z, z + 420),
            (radius * 3 // 4, radius * 3 // 4),
            palette.arcade((240, 420), (110, 330)),
        )
        dome(mesh, MIDDLE, z + 420, radius * 7 // 8, radius, palette.roofed(), 8, 4, 12)
    elif cap == 2:
        prism(
            mesh, sides, MIDDLE, (z, z + 260), (radius * 5 // 4, radius * 5 // 4), palette.plain()
        )
        merlons(mesh, radius * 7 // 8, z + 260, palette.plain(), 3)
    else:
        high = stream.between(500, 900)
        small = radius * 2 // 3
        prism(mesh, sides, MIDDLE, (z, z + high), (small, small), wall)
        prism(mesh, sides, MIDDLE, (z + high, z + high * 2), (small * 5 // 4, 0), palette.roofed())


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
        box(
            mesh,
            (-wide, wide),
            (-wide * 2 // 3, wide * 2 // 3),
            (0, 480),
            palette.windows((420, 480), (150, 220)),
        )
        if stream.chance(60):
            gable(
                mesh,
                (-wide, wide),
                (-wide * 2 // 3, wide * 2 // 3),
                (480, 800),
                palette.roofed(),
                palette.plain(),
                along_x=True,
            )
    prism(mesh, sides, MIDDLE, (0, high), (radius, top), coat)
    gallery = top * stream.between(13, 17) // 10
    prism(mesh, sides, MIDDLE, (high, high + 120), (gallery, gallery), palette.roofed())
    lamp = Material((252, 236, 170), DARK, Pattern.COLUMNS, (150, 100), (30, 100), lit=True)
    prism(mesh, sides, MIDDLE, (high + 120, high + 480), (top * 4 // 5, top * 4 // 5), lamp)
    hood = high + 480
    if stream.chance(50):
        dome(mesh, MIDDLE, hood, top, top * 4 // 5, palette.painted(), 8, 3)
    else:
        prism(
            mesh, sides, MIDDLE, (hood, hood + top * 3 // 2), (top * 11 // 10, 0), palette.painted()
        )
    return mesh


def windmill(stream: Stream, palette: Palette) -> Mesh:
    """A tapered mill with a cap and four sails."""
    mesh = Mesh()
    radius, high = stream.between(460, 680), stream.between(1300, 2100)
    top = radius * stream.between(55, 80) // 100
    coat = stream.pick((palette.bricks(70), palette.windows((900, 640), (110, 170))))
    prism(mesh, 8, MIDDLE, (0, high), (radius, top), coat)
    prism(
        mesh,
        8,
        MIDDLE,
        (high // 3, high // 3 + 70),
        (radius * 4 // 3, radius * 4 // 3),
        palette.trimmed(),
    )
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
        corners = [
            (r * dx // ONE - w * dz // ONE, y, hub + r * dz // ONE + w * dx // ONE)
            for r, w in ((near, 0), (far, 0), (far, width), (near, width))
        ]
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
    prism(
        mesh, 4, MIDDLE, (neck, neck + 130), (shoulder * 3 // 4, shoulder * 3 // 4), Material(iron)
    )
    prism(mesh, 4, MIDDLE, (neck + 130, high), (shoulder // 3, shoulder // 8), web)
    if stream.chance(50):
        dome(mesh, MIDDLE, high, shoulder // 3, shoulder // 3, palette.painted(), 8, 3)
    prism(mesh, 4, MIDDLE, (high, high * 108 // 100), (40, 10), Material(iron))
    return mesh
