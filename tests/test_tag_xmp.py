"""Places go into sidecars of any program, are read by exiftool, and come out without a trace."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from landmarks.catalogue import Landmark
from landmarks.tagging import packet, xmp
from landmarks.tagging.places import Position
from landmarks.tagging.spans import MOST_BYTES, MOST_ELEMENTS, Malformed

EIFFEL = Landmark.model_validate(
    {
        "class": "07.Eiffel_Tower",
        "name": "Eiffel Tower",
        "locality": "Paris",
        "country": "France",
        "country_code": "FR",
        "latitude": 48.8584,
        "longitude": 2.2945,
    }
)
INFERRED = xmp.Inferred(EIFFEL, 0.98765, "0123456789ab", position=True)
DIGIKAM = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <!-- mine > yours -->
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp='http://ns.adobe.com/xap/1.0/'
    xmlns:digiKam="http://www.digikam.org/ns/1.0/"
   xmp:Rating = '4'
   xmp:Label="a&#10;&quot;b&quot; &gt; c">
   <dc:subject>
    <rdf:Bag>
     <rdf:li>Paris</rdf:li>
     <rdf:li>Tante \xc3\x84nne &amp; ich</rdf:li>
    </rdf:Bag>
   </dc:subject>
   <digiKam:TagsList><rdf:Seq><rdf:li>People/Me</rdf:li></rdf:Seq></digiKam:TagsList>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>\r
<?xpacket end="w"?>"""
DARKTABLE = b"""<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <r:Description r:about="" xmlns:e="http://ns.adobe.com/exif/1.0/"
   e:GPSLatitude="52,30.5N" e:GPSLongitude="13,22.5E"/>
  <r:Description r:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">
   <dc:subject><r:Seq><r:li>here</r:li></r:Seq></dc:subject></r:Description>
 </r:RDF>
</x:xmpmeta>
"""


def read(content: bytes, folder: Path) -> dict[str, Any]:
    """Read a sidecar with exiftool: numbers as numbers, structures as objects, lists as lists."""
    if shutil.which("exiftool") is None:
        pytest.skip("no exiftool: apt-get install libimage-exiftool-perl")
    path = folder / "photo.jpg.xmp"
    path.write_bytes(content)
    command = ["exiftool", "-j", "-n", "-struct", "-G1", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    [tags] = json.loads(done.stdout)
    assert "ExifTool:Warning" not in tags, tags
    return dict(tags)


def test_exiftool_reads_every_field_of_a_new_sidecar(tmp_path: Path) -> None:
    tags = read(xmp.add(None, INFERRED), tmp_path)
    assert tags["XMP-dc:Subject"] == ["Eiffel Tower", "Paris", "France"]
    assert tags["XMP-lr:HierarchicalSubject"] == ["Places|France|Paris|Eiffel Tower"]
    assert tags["XMP-digiKam:TagsList"] == ["Places/France/Paris/Eiffel Tower"]
    assert tags["XMP-iptcExt:LocationShown"] == [
        {
            "Sublocation": "Eiffel Tower",
            "City": "Paris",
            "CountryName": "France",
            "CountryCode": "FR",
        }
    ]
    assert tags["XMP-exif:GPSLatitude"] == pytest.approx(48.8584, abs=1e-6)
    assert tags["XMP-exif:GPSLongitude"] == pytest.approx(2.2945, abs=1e-6)
    assert tags["XMP-landmarks:Inferred"] is True and tags["XMP-landmarks:Confidence"] == 0.9877
    assert "0123456789ab" in str(tags["XMP-landmarks:Model"])


EMPTY = DARKTABLE.replace(b"<r:li>here</r:li>", b"")


@pytest.mark.parametrize(
    "before", [DIGIKAM, DARKTABLE, EMPTY], ids=["digiKam", "darktable", "empty list"]
)
def test_an_existing_sidecar_keeps_every_byte_and_comes_back(before: bytes, tmp_path: Path) -> None:
    after = xmp.add(before, INFERRED)
    kept = iter(after)
    assert all(byte in kept for byte in before), "what was there is no subsequence any more"
    read(after, tmp_path)
    assert xmp.remove(after) == before


def test_values_that_are_there_are_not_doubled_and_stay(tmp_path: Path) -> None:
    tags = read(xmp.add(DIGIKAM, INFERRED), tmp_path)
    assert tags["XMP-dc:Subject"] == ["Paris", "Tante Änne & ich", "Eiffel Tower", "France"]
    assert tags["XMP-digiKam:TagsList"] == ["People/Me", "Places/France/Paris/Eiffel Tower"]
    assert tags["XMP-xmp:Rating"] == 4 and tags["XMP-xmp:Label"] == 'a\n"b" > c'


def test_a_position_is_never_replaced(tmp_path: Path) -> None:
    after = xmp.add(DARKTABLE, INFERRED)
    assert packet.position_in(after) == Position(52 + 30.5 / 60, 13 + 22.5 / 60)
    assert after.count(b"GPSLatitude") == 1
    assert read(after, tmp_path)["XMP-dc:Subject"] == ["here", "Eiffel Tower", "Paris", "France"]
    without = xmp.Inferred(EIFFEL, 0.9, "0123456789ab", position=False)
    assert b"GPSL" not in xmp.add(None, without)


def test_a_second_time_changes_nothing_and_a_tag_taken_out_stays_out() -> None:
    once = xmp.add(DIGIKAM, INFERRED)
    assert xmp.add(once, INFERRED) == once
    edited = once.replace(b"<rdf:li>Eiffel Tower</rdf:li>", b"", 1)
    assert edited != once and xmp.add(edited, INFERRED) == edited


def test_another_model_replaces_what_the_first_wrote() -> None:
    louvre = EIFFEL.model_copy(update={"class_name": "08.Louvre", "name": "Louvre"})
    second = xmp.Inferred(louvre, 0.99, "ba9876543210", position=True)
    for before in (DIGIKAM, None):
        both = xmp.add(xmp.add(before, INFERRED), second)
        assert both == xmp.add(before, second) and b"Eiffel" not in both
        assert xmp.remove(both) == before


def test_a_new_sidecar_is_gone_after_undo_unless_a_person_added_to_it() -> None:
    new = xmp.add(None, INFERRED)
    assert xmp.remove(new) is None
    edited = new.replace(b"<rdf:li>Paris</rdf:li>", b"<rdf:li>Paris</rdf:li><rdf:li>Oma</rdf:li>")
    left = xmp.remove(edited)
    assert left and b"Oma" in left and b"Eiffel" not in left and b"<landmarks:" not in left


def test_undo_works_after_another_program_rewrote_the_sidecar(tmp_path: Path) -> None:
    if shutil.which("exiftool") is None:
        pytest.skip("no exiftool: apt-get install libimage-exiftool-perl")
    path = tmp_path / "photo.jpg.xmp"
    path.write_bytes(xmp.add(DIGIKAM, INFERRED))
    # It turns all into descriptions of its own making and adds a keyword.
    change = ["exiftool", "-q", "-overwrite_original", "-XMP-dc:Subject+=Oma", str(path)]
    subprocess.run(change, check=True)
    left = xmp.remove(path.read_bytes())
    assert left is not None
    tags = read(left, tmp_path)
    assert tags["XMP-dc:Subject"] == ["Paris", "Tante Änne & ich", "Oma"]
    assert tags["XMP-digiKam:TagsList"] == ["People/Me"] and tags["XMP-xmp:Rating"] == 4
    gone = ("landmarks", "GPS", "LocationShown", "Hierarchical")
    assert not [tag for tag in tags if any(word in tag for word in gone)]


def test_undo_takes_properties_out_of_attributes_too() -> None:
    own = packet.OWN.encode()
    compact = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="' + packet.RDF.encode() + b'">'
        b'<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
        b'xmlns:landmarks="' + own + b'" exif:GPSLatitude="48,51.504N" exif:FNumber="8/1" '
        b'landmarks:Model="0123456789ab" landmarks:Class="07.Eiffel_Tower"><landmarks:Added>'
        b"<rdf:Bag><rdf:li>exif:GPSLatitude=48,51.504000N</rdf:li></rdf:Bag></landmarks:Added>"
        b"</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    left = xmp.remove(compact)
    assert left and b"GPSLatitude" not in left and b"landmarks:" not in left.replace(own, b"")
    assert b'exif:FNumber="8/1"' in left


def test_names_with_odd_signs_are_written_and_taken_out(tmp_path: Path) -> None:
    odd = EIFFEL.model_copy(
        update={"name": "A|B/C <&> \x07 “D”=\n塔", "class_name": "=&", "locality": "Paris & Co"}
    )
    inferred = xmp.Inferred(odd, 0.9, "0123456789ab", position=True)
    after = xmp.add(DIGIKAM, inferred)
    assert read(after, tmp_path)["XMP-lr:HierarchicalSubject"] == [
        "Places|France|Paris & Co|A-B-C <&> “D”= 塔"
    ]
    assert xmp.add(after, inferred) == after and xmp.remove(after) == DIGIKAM


_BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
HOSTILE = {
    "entities": (_BOMB + DIGIKAM[57:], "document type"),
    "outside": (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', "document type"),
    "a million nodes": (b"<x>" + b"<a/>" * (MOST_ELEMENTS + 1) + b"</x>", "more than 50,000"),
    "deep": (b"<a>" * 5000 + b"</a>" * 5000, "deeper than 64"),
    "large": (b"<a>" + b" " * MOST_BYTES + b"</a>", "larger than 8,000,000 bytes"),
    "cut": (DIGIKAM[:700], "no well-formed XML"),
    "empty": (b"", "no well-formed XML"),
    "binary": (bytes(range(128)), "no well-formed XML"),
    "no XMP": (b"<html/>", "no XMP"),
    "UTF-16": (DIGIKAM.decode().encode("utf-16"), "not UTF-8"),
    "Latin-1": (b'<?xml version="1.0" encoding="latin1"?><a/>', "latin1, not UTF-8"),
    "empty RDF": (
        b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>',
        "rdf:RDF is empty",
    ),
    "no list": (
        DIGIKAM.replace(b"<rdf:Seq><rdf:li>People/Me</rdf:li></rdf:Seq>", b"<rdf:Seq/>"),
        "digiKam:TagsList is no list",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_sidecar_that_cannot_be_trusted_is_refused(name: str) -> None:
    content, reason = HOSTILE[name]
    with pytest.raises(Malformed, match=reason):
        xmp.add(content, INFERRED)
