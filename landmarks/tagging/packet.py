"""An XMP packet as it stands in a file: its properties, its lists, and what was inferred in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from landmarks.tagging.places import Position, from_xmp
from landmarks.tagging.spans import Edit, Element, Malformed, Name, parse

SPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "landmarks": "urn:landmarks:inferred-place:1#",
}
"""Namespaces by the prefix that they usually have; the last is the project's own."""

RDF, OWN = SPACES["rdf"], SPACES["landmarks"]
ABOUT = Name(RDF, "about")
LATITUDE, LONGITUDE = "exif:GPSLatitude", "exif:GPSLongitude"
_SUBLOCATION = Name(SPACES["Iptc4xmpExt"], "Sublocation")


@dataclass
class Record:
    """What a sidecar says was written into it.

    Attributes:
        made: properties that were not there before, such as `dc:subject`.
        added: property -> values.
        created: whether the whole sidecar was.
    """

    model: str = ""
    class_name: str = ""
    created: bool = False
    made: list[str] = field(default_factory=list)
    added: dict[str, list[str]] = field(default_factory=dict)


class Packet:
    """An XMP packet: its one `rdf:RDF` and the descriptions in it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        found = [one for one in parse(content).walk() if one.name == Name(RDF, "RDF")]
        if len(found) != 1:
            raise Malformed("it is XML, but no XMP (not one rdf:RDF)" if not found else "two RDFs")
        self._rdf = found[0]
        self.descriptions = list(found[0].of(Name(RDF, "Description")))

    @property
    def rdf_close(self) -> int:
        """Where a description can be added."""
        if self._rdf.close is None:
            raise Malformed("its rdf:RDF is empty")
        return self._rdf.close

    @property
    def about(self) -> str:
        """What all descriptions are about: they must agree (XMP specification, part 1)."""
        values = (attribute(one, ABOUT) for one in self.descriptions)
        return next((value for value in values if value), "")

    def find(self, name: Name) -> list[Element]:
        """Return the elements of a property."""
        return [child for one in self.descriptions for child in one.of(name)]

    def value(self, name: Name) -> str | None:
        """Return a simple property, written as an attribute or an element."""
        for one in self.descriptions:
            if (value := attribute(one, name)) is not None:
                return value
        return next((element.text.strip() for element in self.find(name)), None)

    def values(self, local: str) -> list[str]:
        """Return the items of a list in the own namespace."""
        return [item(li) for one in self.find(Name(OWN, local)) for li in items(one)]

    def record(self) -> Record | None:
        """Return what was written here; None where nothing was."""
        model = self.value(Name(OWN, "Model"))
        if model is None:
            return None
        added: dict[str, list[str]] = {}
        for text in self.values("Added"):
            name, _, value = text.partition("=")
            added.setdefault(name, []).append(value)
        return Record(
            model,
            self.value(Name(OWN, "Class")) or "",
            self.value(Name(OWN, "Created")) == "True",
            self.values("Made"),
            added,
        )

    def missing(self, name: str, values: list[str]) -> tuple[list[str], list[Edit]]:
        """Return which values a list that exists lacks, and the edit that adds them."""
        existing = self.find(expanded(name))
        container = existing[0].children[0] if existing and existing[0].children else None
        if container is None or container.close is None or container.name.space != RDF:
            raise Malformed(f"its {name} is no list that can be extended")
        present = {item(li) for one in existing for li in items(one)}
        lacking = [value for value in values if value not in present]
        prefix = _prefix(self.content, container.close)
        text = "".join(f"<{prefix}li>{escape(value)}</{prefix}li>" for value in lacking)
        return lacking, [Edit(container.close, container.close, text.encode())] if text else []

    def has(self, name: str) -> bool:
        """Tell whether there is such a property."""
        return self.value(expanded(name)) is not None


def items(element: Element) -> Iterator[Element]:
    """Yield the items of a list."""
    for container in element.children:
        yield from container.of(Name(RDF, "li"))


def item(li: Element) -> str:
    """Return the text of an item; of a location the name of the place."""
    for element in li.walk():
        if element.name == _SUBLOCATION:
            return element.text.strip()
        if (value := attribute(element, _SUBLOCATION)) is not None:
            return value
    return li.text.strip()


def attribute(element: Element, name: Name) -> str | None:
    """Return the value of an attribute."""
    return next((one.value for one in element.attributes if one.name == name), None)


def expanded(name: str) -> Name:
    """Turn `dc:subject` into an expanded name."""
    prefix, _, local = name.partition(":")
    return Name(SPACES[prefix], local)


def short(name: Name) -> str:
    """Turn an expanded name into `dc:subject`."""
    prefix = next((key for key, space in SPACES.items() if space == name.space), "")
    return f"{prefix}:{name.local}"


def _prefix(content: bytes, close: int) -> str:
    """Return the prefix, with its colon, of the end tag at `close`."""
    match = re.compile(rb"</([^\s:>]*:)?").match(content, close)
    return (match[1] or b"").decode() if match else "rdf:"


def holds_record(content: bytes) -> bool:
    """Tell whether a place was inferred here. Raises `Malformed`."""
    return OWN.encode() in content and Packet(content).record() is not None


def position_in(content: bytes) -> Position | None:
    """Return the position that an XMP packet gives its photo. Raises `Malformed`."""
    values = [Packet(content).value(expanded(name)) for name in (LATITUDE, LONGITUDE)]
    return from_xmp(values[0] or "", values[1] or "")
