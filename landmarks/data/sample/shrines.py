"""Designs for worship: churches, pagodas, temples, domed halls."""

from landmarks.data.sample.integer import Stream
from landmarks.data.sample.palettes import Palette
from landmarks.data.sample.solids import MIDDLE, Material, Mesh, Pattern, box, dome, gable, prism


def church(stream: Stream, palette: Palette) -> Mesh:
    """A nave with one or two spires at its front."""
    mesh = Mesh()
    half, eaves = stream.between(620, 900), stream.between(1000, 1600)
    length = stream.between(2600, 3800)
    wall = palette.arcade((520, eaves), (190, eaves * 7 // 10))
    box(mesh, (-half, half), (-length // 2, length // 2), (0, eaves), wall)
    ridge = eaves + half * stream.between(9, 15) // 10
    gable(
        mesh,
        (-half - 60, half + 60),
        (-length // 2, length // 2),
        (eaves, ridge),
        palette.roofed(),
        palette.plain(),
    )
    twin = stream.chance(50)
    size = stream.between(300, 400) if twin else stream.between(380, 520)
    high = eaves + stream.between(700, 1700)
    spire = stream.between(1000, 2400)
    style = stream.below(3)
    front = -length // 2
    for x in (-half + size // 2, half - size // 2) if twin else (0,):
        _steeple(mesh, stream, palette, (x, front), size, (high, high + spire), style)
    if stream.chance(60):
        _rose(mesh, palette, half // 2, front - 4, eaves)
    return mesh


def _steeple(
    mesh: Mesh,
    stream: Stream,
    palette: Palette,
    center: tuple[int, int],
    size: int,
    z: tuple[int, int],
    style: int,
) -> None:
    """Add a square tower up to z[0] and a spire up to z[1], or an onion dome in its place."""
    shaft = palette.arcade((size * 2, 900), (size * 2 // 3, 560))
    (x, y), (high, top) = center, z
    box(mesh, (x - size, x + size), (y - size, y + size), (0, high), shaft)
    edge = size + 50
    box(mesh, (x - edge, x + edge), (y - edge, y + edge), (high, high + 90), palette.trimmed())
    if style == 0:
        prism(mesh, 4, center, (high + 90, top), (size * 7 // 5, 0), palette.roofed())
    elif style == 1:
        prism(mesh, 8, center, (high + 90, top), (size, 0), palette.roofed())
    else:
        narrow, onion = size * 3 // 4, stream.between(10, 40)
        prism(mesh, 8, center, (high + 90, high + 450), (narrow, narrow), shaft)
        round_roof = palette.roofed()
        dome(mesh, center, high + 450, size * 9 // 10, size * 3 // 2, round_roof, 8, 4, onion)


def _rose(mesh: Mesh, palette: Palette, half: int, y: int, z: int) -> None:
    """Add a round window about height z to a front."""
    glass = Material(palette.wall, (70, 80, 110), Pattern.CLOCK, fill=(half * 2 // 3, 0))
    corners = ((-half, -half), (half, -half), (half, half), (-half, half))
    mesh.sheet([(x, y, z + up) for x, up in corners], glass)


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
        prism(
            mesh,
            sides,
            MIDDLE,
            (z + 60, z + rise * 3 // 5),
            (wide * 9 // 10, radius * 3 // 4),
            palette.roofed(60),
        )
        z += rise * 2 // 5
        radius, rise = radius * shrink // 100, rise * 95 // 100
    prism(mesh, sides, MIDDLE, (z, z + radius * 2), (radius, 0), palette.roofed(60))
    prism(mesh, 6, MIDDLE, (z + radius, z + radius * 4), (70, 20), palette.painted())
    return mesh


def temple(stream: Stream, palette: Palette) -> Mesh:
    """A hall ringed by columns, on steps, under a low gable."""
    mesh = Mesh()
    half, length = stream.between(900, 1400), stream.between(2400, 4200)
    high = stream.between(900, 1300)
    z, back = 0, length // 2
    for step in range(stream.between(2, 5), 0, -1):
        x, y = half + step * 110, back + step * 110
        box(mesh, (-x, x), (-y, y), (z, z + 70), palette.trimmed())
        z += 70
    count = stream.between(4, 8)
    radius = half // count // 2
    for k in range(count):
        x = -half + radius * 2 + (2 * half - 4 * radius) * k // (count - 1)
        for y in (-back + radius * 2, back - radius * 2):
            prism(mesh, 6, (x, y), (z, z + high), (radius, radius * 4 // 5), palette.trimmed())
    cella = palette.columns(2 * (half - radius) // (count - 1), radius)
    inner = (-half + radius, half - radius)
    box(mesh, inner, (-back + 420, back - 420), (z, z + high), cella)
    z += high
    frieze = stream.between(140, 320)
    box(mesh, (-half, half), (-back, back), (z, z + frieze), palette.plain())
    z += frieze
    if stream.chance(75):
        rise = half * stream.between(30, 55) // 100
        eaves, slates = (-half - 60, half + 60), palette.roofed()
        gable(mesh, eaves, (-back, back), (z, z + rise), slates, palette.trimmed())
    else:
        dome(mesh, (0, 0), z, half * 4 // 5, half * 4 // 5, palette.roofed(), 10, 4)
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
        prism(
            mesh, 6, (place, y[0] + radius), (0, high), (radius, radius * 4 // 5), palette.trimmed()
        )
    box(mesh, x, y, (high, high + high // 8), palette.trimmed())
    rise = (x[1] - x[0]) // 7
    gable(
        mesh, x, y, (high + high // 8, high + high // 8 + rise), palette.roofed(), palette.plain()
    )


def domed(stream: Stream, palette: Palette) -> Mesh:
    """A hall under a dome on a drum, perhaps with corner turrets and a portico."""
    mesh = Mesh()
    half, high = stream.between(1100, 1700), stream.between(900, 1500)
    wall = stream.pick(
        (palette.arcade((620, high), (260, high * 3 // 4)), palette.windows((520, 520), (170, 300)))
    )
    box(mesh, (-half, half), (-half, half), (0, high), wall)
    edge = (-half - 60, half + 60)
    box(mesh, edge, edge, (high, high + 110), palette.trimmed())
    radius, drum = half * stream.between(56, 84) // 100, stream.between(250, 900)
    z = high + 110
    lights = palette.arcade((330, drum), (140, drum * 3 // 4))
    prism(mesh, 10, MIDDLE, (z, z + drum), (radius, radius), lights)
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
                _minaret(mesh, palette, (x, y), size, tall)
    if stream.chance(50):
        front, wide = -half, half * stream.between(45, 70) // 100
        portico(mesh, (-wide, wide), (front - 420, front), high * 4 // 5, palette)
    return mesh


def _minaret(mesh: Mesh, palette: Palette, center: tuple[int, int], size: int, tall: int) -> None:
    ledge = (size * 3 // 2, size * 3 // 2)
    prism(mesh, 6, center, (0, tall), (size, size * 4 // 5), palette.bricks(90))
    prism(mesh, 6, center, (tall, tall + 70), ledge, palette.trimmed())
    prism(mesh, 6, center, (tall + 70, tall + size * 4), (size, 0), palette.roofed())
