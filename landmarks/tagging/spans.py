"""XML read with the place of every element in the file, so that edits leave all other bytes alone.

Only expat of the standard library is used. Whatever could make it work hard or look elsewhere is
refused before it does: document types (so entities), large files, many or deeply nested elements.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat

MOST_BYTES = 8_000_000
MOST_ELEMENTS = 50_000
MOST_DEPTH = 64

_DECLARED = re.compile(rb"<\?xml[^>]*\bencoding\s*=\s*[\"']([^\"']*)")
_ATTRIBUTE = re.compile(rb"\s+([^\s=/>]+)\s*=\s*(?:\"[^\"]*\"|'[^']*')")
_CLOSED = b"/>"


class Malformed(Exception):
    """XML that is not read; says why in a few words."""


class Name(NamedTuple):
    """An expanded name: namespace and local part."""

    space: str
    local: str


class Edit(NamedTuple):
    """Bytes from `start` to `end` give way to `text`."""

    start: int
    end: int
    text: bytes = b""


@dataclass
class Attribute:
    """One attribute of a start tag, with the white space before it."""

    name: Name
    value: str
    start: int
    end: int


@dataclass
class Element:
    """An element and where it stands.

    Attributes:
        start: of its start tag.
        close: of its end tag; None where it is one tag that closes itself.
        end: behind its end tag.
        text: its own character data.
    """

    name: Name
    start: int
    close: int | None = None
    end: int = 0
    text: str = ""
    attributes: list[Attribute] = field(default_factory=list)
    children: list["Element"] = field(default_factory=list)

    def of(self, name: Name) -> Iterator["Element"]:
        """Yield the children of a name."""
        return (child for child in self.children if child.name == name)

    def walk(self) -> Iterator["Element"]:
        """Yield this element and all below it."""
        todo = [self]
        while todo:
            element = todo.pop()
            yield element
            todo += reversed(element.children)


def apply(content: bytes, edits: list[Edit]) -> bytes:
    """Return `content` with edits made that do not overlap; of equal places the first comes first.

    An edit within a piece that another one takes out is dropped.
    """
    parts, at = [], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, -edit.end)):
        if edit.start < at:
            continue
        parts += [content[at : edit.start], edit.text]
        at = edit.end
    return b"".join([*parts, content[at:]])


def parse(content: bytes) -> Element:
    """Read XML in UTF-8.

    Raises:
        Malformed: it is none, another encoding, has a document type, or is too large or too deep.
    """
    if len(content) > MOST_BYTES:
        raise Malformed(f"larger than {MOST_BYTES:,} bytes")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"it is not UTF-8 (byte {error.start})") from error
    declared = _DECLARED.match(content.removeprefix(b"\xef\xbb\xbf"))
    if declared and declared[1].lower() not in (b"utf-8", b"us-ascii", b"ascii"):
        raise Malformed(f"its encoding is {declared[1][:20].decode('ascii', 'replace')}, not UTF-8")
    return _Reader(content).read()


class _Reader:
    """Builds the tree as expat goes through the bytes."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.open: list[Element] = []
        self.root: Element | None = None
        self.count = 0
        parser = expat.ParserCreate("UTF-8", namespace_separator="\n")
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        self.parser = parser

    def read(self) -> Element:
        try:
            self.parser.Parse(self.content, True)
        except expat.ExpatError as error:
            said = expat.ErrorString(error.code)
            raise Malformed(f"no well-formed XML: {said}, line {error.lineno}") from error
        if self.root is None:
            raise Malformed("no well-formed XML")
        return self.root

    def _doctype(self, *_: object) -> None:
        raise Malformed("it declares a document type, as hostile files do")

    def _start(self, tag: str, attributes: list[str]) -> None:
        self.count += 1
        if self.count > MOST_ELEMENTS:
            raise Malformed(f"more than {MOST_ELEMENTS:,} elements")
        if len(self.open) >= MOST_DEPTH:
            raise Malformed(f"elements nested deeper than {MOST_DEPTH}")
        element = Element(_name(tag), self.parser.CurrentByteIndex)
        if attributes:
            element.attributes = self._attributes(element.start, attributes)
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)

    def _attributes(self, start: int, found: list[str]) -> list[Attribute]:
        """Find where each attribute stands in the start tag at `start`; expat keeps their order."""
        at = re.compile(rb"<[^\s/>]+").match(self.content, start)
        places: list[tuple[int, int]] = []
        position = at.end() if at else start
        while match := _ATTRIBUTE.match(self.content, position):
            position = match.end()
            if match[1] != b"xmlns" and not match[1].startswith(b"xmlns:"):
                places.append(match.span())
        pairs = zip(found[::2], found[1::2], places, strict=True)
        return [Attribute(_name(name), value, *place) for name, value, place in pairs]

    def _end(self, tag: str) -> None:
        element = self.open.pop()
        at = self.parser.CurrentByteIndex
        empty = not element.children and not element.text
        if empty and self.content[at - 2 : at] == _CLOSED:
            element.end = at
        else:
            element.close = at
            element.end = self.content.index(b">", at) + 1

    def _text(self, data: str) -> None:
        self.open[-1].text += data


def _name(tag: str) -> Name:
    space, _, local = tag.rpartition("\n")
    return Name(space, local)
