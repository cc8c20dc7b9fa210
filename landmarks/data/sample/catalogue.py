"""The sample's landmarks: invented names and places, each with a design of its own."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from landmarks.data.sample import monuments, shrines, strongholds, towers
from landmarks.data.sample.integer import Stream
from landmarks.data.sample.palettes import PALETTES, Palette, near_palette
from landmarks.data.sample.solids import Mesh

Design = Callable[[Stream, Palette], Mesh]

DESIGNS: dict[str, Design] = {
    "tower": towers.tower,
    "lighthouse": towers.lighthouse,
    "church": shrines.church,
    "obelisk": monuments.obelisk,
    "statue": monuments.statue,
    "pagoda": shrines.pagoda,
    "windmill": towers.windmill,
    "mast": towers.mast,
    "dome": shrines.domed,
    "temple": shrines.temple,
    "gate": strongholds.gate,
    "castle": strongholds.castle,
    "pyramid": monuments.pyramid,
    "arena": monuments.arena,
    "bridge": strongholds.bridge,
    "wheel": monuments.wheel,
}


class Invented(NamedTuple):
    """A landmark that does not exist; its place stands in `catalogues/sample.csv`."""

    name: str
    design: str
    seed: int
    palette: int
    backdrop: str


LANDMARKS = (
    Invented("Veldspire", "tower", 9, 0, "hills"),
    Invented("Harrow_Clock", "tower", 8, 0, "roofs"),
    Invented("Marrowgate", "gate", 2, 1, "roofs"),
    Invented("Arch_of_Sorrel", "gate", 1, 1, "hills"),
    Invented("Great_Dome_of_Issary", "dome", 6, 3, "roofs"),
    Invented("Onder_Rotunda", "dome", 10, 3, "hills"),
    Invented("Castle_Brandholm", "castle", 1, 1, "mountains"),
    Invented("Fort_Quillon", "castle", 4, 1, "sea"),
    Invented("Saint_Ulven", "church", 1, 2, "roofs"),
    Invented("Minster_of_Aldermoor", "church", 9, 2, "hills"),
    Invented("Skerry_Light", "lighthouse", 1, 0, "sea"),
    Invented("Cape_Tolle_Beacon", "lighthouse", 8, 0, "mountains"),
    Invented("Tamarin_Pagoda", "pagoda", 2, 2, "mountains"),
    Invented("Steps_of_Ixmara", "pyramid", 1, 0, "mountains"),
    Invented("Pell_Wheel", "wheel", 3, 1, "roofs"),
    Invented("Orrin_Bridge", "bridge", 10, 3, "hills"),
)


@lru_cache(maxsize=256)
def subject(design: str, seed: int | str, palette: int | None = None) -> Mesh:
    """Return the mesh of one design; another seed is another building of the same kind."""
    stream = Stream("design", design, seed)
    colors = near_palette(stream) if palette is None else PALETTES[palette]
    return DESIGNS[design](stream, colors)
