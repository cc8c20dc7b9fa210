"""Whose photos the page shows, and under which licences they and all others are."""

from collections.abc import Iterable
from dataclasses import dataclass

from landmarks.data.attribution import licences, names, readable
from landmarks.report.material import Material

NOBODY, NO_LICENCE = "unknown author", "licence unknown"


@dataclass(frozen=True)
class Credit:
    """What an entry tells of a photo that is shown.

    `source` and `deed`, the address of the licence, are empty where they are no web addresses.
    """

    row: int
    shows: str
    title: str
    author: str
    licence: str
    source: str
    deed: str

    @property
    def caption(self) -> str:
        """Author and licence, as they stand below the photo."""
        return f"{self.author}, {self.licence}"


@dataclass(frozen=True)
class Share:
    """How many photos are under a licence: of all that have a role, and to learn from."""

    licence: str
    deed: str
    learned: int
    used: int


def credit(material: Material, row: int) -> Credit | None:
    """Return what is known of a photo's author and licence; None where there is no entry."""
    if row not in material.attribution.index:
        return None
    entry = {name: str(text) for name, text in material.attribution.loc[row].items()}
    label = material.truth[row]
    kind = str(material.split["class"].iloc[row]).replace("_", " ")
    return Credit(
        row=row,
        shows=material.names[label] if label >= 0 else kind,
        title=entry["title"] or entry["url"] or str(material.store.table["path"].iloc[row]),
        author=entry["author"] or NOBODY,
        licence=readable(entry["license"]) if entry["license"] else NO_LICENCE,
        source=_address(entry["url"]),
        deed=_address(entry["license"]),
    )


def listed(credits: Iterable[Credit | None]) -> list[Credit]:
    """Return each credit once, by what the photos show and then by their row."""
    once = {one.row: one for one in credits if one}
    return sorted(once.values(), key=lambda one: (one.shows, one.row))


def shares(material: Material) -> list[Share]:
    """Return the licences of the photos that have a role, the commonest first."""
    if not len(material.attribution):
        return []
    used = material.split.index[material.split["role"] != "dropped"]
    learned = names(material.attribution, material.rows("train"))
    deeds: dict[str, str] = {}
    for licence in licences(material.attribution, used).unique():
        deeds.setdefault(readable(licence), _address(licence))
    return [
        Share(str(name), deeds[str(name)], int(learned.get(name, 0)), int(n))
        for name, n in names(material.attribution, used).items()
    ]


def _address(text: str) -> str:
    """Return a web address; anything else must not become a link."""
    return text if text.startswith(("https://", "http://")) else ""
