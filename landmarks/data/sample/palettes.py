"""Building materials: four families of stone and paint that many landmarks share."""

from typing import NamedTuple

from landmarks.data.sample.integer import Stream
from landmarks.data.sample.solids import Color, Material, Pattern, dimmed

DARK = (52, 50, 56)
GLASS = (84, 104, 122)


class Palette(NamedTuple):
    """Colours that go together: wall, trim, roof, and a spot of paint."""

    wall: Color
    trim: Color
    roof: Color
    paint: Color

    def plain(self) -> Material:
        """Return a bare wall."""
        return Material(self.wall, self.trim)

    def bricks(self, size: int = 60) -> Material:
        """Return a wall of blocks, `size` high in centimetres."""
        joint = max(size // 8, 5)
        dark = dimmed(self.wall, 62)
        return Material(self.wall, dark, Pattern.BRICKS, (size * 2, size), (joint, joint))

    def windows(self, pitch: tuple[int, int], fill: tuple[int, int]) -> Material:
        """Return a wall with a grid of windows; they may be lit in the evening."""
        return Material(self.wall, DARK, Pattern.WINDOWS, pitch, fill)

    def arcade(self, pitch: tuple[int, int], fill: tuple[int, int]) -> Material:
        """Return a wall with rows of round-headed openings."""
        return Material(self.wall, DARK, Pattern.ARCADE, pitch, fill)

    def columns(self, pitch: int, gap: int) -> Material:
        """Return a row of columns before a dark hall."""
        return Material(self.trim, (84, 78, 76), Pattern.COLUMNS, (pitch, 100), (gap, 100))

    def trimmed(self) -> Material:
        """Return bare trim."""
        return Material(self.trim, self.wall)

    def roofed(self, course: int = 90) -> Material:
        """Return roof tiles or sheets in courses."""
        dark = dimmed(self.roof, 62)
        return Material(self.roof, dark, Pattern.TILES, (100, course), (20, course // 4))

    def painted(self) -> Material:
        """Return bare paint."""
        return Material(self.paint, self.trim)


PALETTES = (
    Palette((204, 178, 134), (226, 208, 170), (158, 92, 66), (176, 60, 48)),
    Palette((186, 182, 172), (214, 210, 200), (96, 104, 116), (64, 92, 128)),
    Palette((172, 106, 82), (212, 192, 160), (86, 88, 96), (206, 172, 84)),
    Palette((222, 216, 204), (198, 188, 168), (98, 146, 128), (188, 148, 72)),
)


def near_palette(stream: Stream) -> Palette:
    """Return one of the palettes with each colour moved a little."""
    base = stream.pick(PALETTES)

    def moved(color: Color) -> Color:
        shift = stream.between(-14, 14)
        red, green, blue = (max(0, min(255, c + shift + stream.between(-8, 8))) for c in color)
        return red, green, blue

    return Palette(*(moved(color) for color in base))
