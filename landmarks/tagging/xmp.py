"""Places written into XMP sidecars so that they can be taken out again, other bytes untouched.

The fields are those that photo software shares: `dc:subject` (Dublin Core), Lightroom's
`lr:hierarchicalSubject`, `digiKam:TagsList`, `LocationShown` of the IPTC extension,
`exif:GPSLatitude` and `exif:GPSLongitude` (XMP specification, parts 1 and 2). What was added stands
beside it in a namespace of the project's own, so that anyone can tell inferred from known, and
`remove` needs nothing but the sidecar.
"""

import re
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from landmarks.catalogue import Landmark
from landmarks.tagging.packet import (
    ABOUT,
    LATITUDE,
    LONGITUDE,
    OWN,
    RDF,
    SPACES,
    Packet,
    Record,
    item,
    items,
    short,
)
from landmarks.tagging.places import Position, coordinate, to_xmp
from landmarks.tagging.spans import Edit, Element, apply

_LISTS = {"dc:subject": "Bag", "lr:hierarchicalSubject": "Bag", "digiKam:TagsList": "Seq"}
_SHOWN = "Iptc4xmpExt:LocationShown"
_NEW = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    b'<rdf:RDF xmlns:rdf="' + RDF.encode() + b'">\n</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>\n'
)
_SAME_DEGREES = 1e-6
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Inferred:
    """A place to write: the landmark, how sure the model is, which model, and whether with GPS."""

    landmark: Landmark
    confidence: float
    model: str
    position: bool


def add(content: bytes | None, inferred: Inferred) -> bytes:
    """Return a sidecar with a place in it; `content` is what it holds now, None without one.

    A sidecar that holds this model's answer already is returned as it is, so that a tag which a
    person took out stays out. Another model's answer is replaced. Existing values stay; a position
    or a shown location is added only where there is none.

    Raises:
        Malformed: the sidecar cannot be read, or cannot be extended safely.
    """
    if content is not None:
        record = Packet(content).record()
        if record and (record.model, record.class_name) == _identity(inferred):
            return content
        if record:
            content = remove(content)
    packet = Packet(content or _NEW)
    record = Record(*_identity(inferred), created=content is None)
    edits: list[Edit] = []
    block: list[str] = []
    for name, values in _tags(inferred.landmark).items():
        if packet.has(name):
            values, changes = packet.missing(name, values)
            edits += changes
        else:
            record.made.append(name)
            block.append(_list(name, _LISTS[name], values))
        record.added[name] = values
    block += _location(packet, inferred, record)
    block += _described(record, inferred)
    edits.append(Edit(packet.rdf_close, packet.rdf_close, _description(packet, block)))
    return apply(packet.content, edits)


def remove(content: bytes) -> bytes | None:
    """Take out what `add` put in, also after other programs rewrote the sidecar.

    Returns:
        The sidecar without it; the same bytes where nothing was put in, and those from before `add`
        where nobody changed it since; None where it would not exist.

    Raises:
        Malformed: the sidecar cannot be read.
    """
    packet = Packet(content)
    record = packet.record()
    if record is None:
        return content
    left = apply(content, [edit for one in packet.descriptions for edit in _cuts(one, record)])
    bare = all(_is_bare(one) for one in Packet(left).descriptions)
    return None if record.created and bare else left


def _identity(inferred: Inferred) -> tuple[str, str]:
    return inferred.model, _clean(inferred.landmark.class_name)


def _tags(landmark: Landmark) -> dict[str, list[str]]:
    """Return the values of each list of tags, from the largest place to the landmark."""
    places = [landmark.country, landmark.locality, landmark.name]
    names = list(dict.fromkeys(_clean(place) for place in places if place))
    path = ["Places", *(re.sub(r"[|/\\]", "-", name) for name in names)]
    return {
        "dc:subject": names[::-1],
        "lr:hierarchicalSubject": ["|".join(path)],
        "digiKam:TagsList": ["/".join(path)],
    }


def _location(packet: Packet, inferred: Inferred, record: Record) -> list[str]:
    """Return the shown location and the position, where the sidecar has none."""
    landmark, parts = inferred.landmark, []
    if not packet.has(_SHOWN):
        fields = {
            "Sublocation": landmark.name,
            "City": landmark.locality,
            "CountryName": landmark.country,
            "CountryCode": landmark.country_code,
        }
        inner = "".join(_simple(f"Iptc4xmpExt:{k}", v) for k, v in fields.items() if v)
        item = f'<rdf:li rdf:parseType="Resource">{inner}</rdf:li>'
        parts.append(f"<{_SHOWN}><rdf:Bag>{item}</rdf:Bag></{_SHOWN}>\n")
        record.made.append(_SHOWN)
        record.added[_SHOWN] = [_clean(landmark.name)]
    known = packet.has(LATITUDE) or packet.has(LONGITUDE)
    if inferred.position and not known and landmark.latitude is not None:
        where = Position(landmark.latitude, landmark.longitude or 0.0)
        for name, value in zip((LATITUDE, LONGITUDE), to_xmp(where), strict=True):
            parts.append(_simple(name, value) + "\n")
            record.made.append(name)
            record.added[name] = [value]
    return parts


def _described(record: Record, inferred: Inferred) -> list[str]:
    """Return the own namespace: that the place was inferred, by what, how sure, what was added."""
    fields = {
        "Inferred": "True",
        "Model": record.model,
        "Class": record.class_name,
        "Confidence": f"{inferred.confidence:.4f}",
    }
    if record.created:
        fields["Created"] = "True"
    added = [f"{name}={value}" for name, values in record.added.items() for value in values]
    parts = [_simple(f"landmarks:{key}", value) + "\n" for key, value in fields.items()]
    lists = {"Made": record.made, "Added": added}
    return parts + [_list(f"landmarks:{key}", "Bag", values) for key, values in lists.items()]


def _description(packet: Packet, block: list[str]) -> bytes:
    text = "".join(block)
    used = [prefix for prefix in SPACES if f"<{prefix}:" in text or prefix == "rdf"]
    spaces = " ".join(f'xmlns:{prefix}="{SPACES[prefix]}"' for prefix in used)
    head = f"<rdf:Description {spaces} rdf:about={quoteattr(packet.about)}>\n"
    return f"{head}{text}</rdf:Description>".encode()


def _cuts(description: Element, record: Record) -> list[Edit]:
    """Return what takes the recorded values out of a description, or all of it if none is left."""
    edits, whole = [], True
    for child in description.children:
        cuts = _cuts_in(child, record)
        whole &= Edit(child.start, child.end) in cuts
        edits += cuts
    for one in description.attributes:
        if one.name.space == OWN or _is_written(short(one.name), one.value, record):
            edits.append(Edit(one.start, one.end))
        else:
            whole &= one.name == ABOUT
    return [Edit(description.start, description.end)] if edits and whole else edits


def _cuts_in(element: Element, record: Record) -> list[Edit]:
    """Return what takes the recorded values out of a property, or all of it if none is left."""
    name, listed = short(element.name), list(items(element))
    ours = [li for li in listed if item(li) in record.added.get(name, [])]
    whole = bool(ours) and len(ours) == len(listed) and name in record.made
    if element.name.space == OWN or whole or _is_written(name, element.text, record):
        return [Edit(element.start, element.end)]
    return [Edit(li.start, li.end) for li in ours]


def _is_written(name: str, text: str, record: Record) -> bool:
    """Tell whether a coordinate still is the one that was written, however it is spelled."""
    if name not in (LATITUDE, LONGITUDE) or name not in record.added:
        return False
    found, written = coordinate(text), coordinate(record.added[name][0])
    return found is not None and written is not None and abs(found - written) < _SAME_DEGREES


def _is_bare(description: Element) -> bool:
    return not description.children and all(one.name == ABOUT for one in description.attributes)


def _list(name: str, container: str, values: list[str]) -> str:
    items = "".join(f"<rdf:li>{escape(_clean(value))}</rdf:li>" for value in values)
    return f"<{name}><rdf:{container}>{items}</rdf:{container}></{name}>\n"


def _simple(name: str, value: str) -> str:
    return f"<{name}>{escape(_clean(value))}</{name}>"


def _clean(text: str) -> str:
    """Return text that XML 1.0 can hold, white space as readers give it back."""
    return " ".join(_NOT_XML.sub("", text).split())
