"""Whose each photo is, found in a table like that of Google Landmarks."""

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from loopback import HASTE, Site, breaks, serving

from landmarks.data import attribution
from landmarks.data.attributing import LIMITS, Found, Limits, attribute, describe
from landmarks.data.photos import COLUMNS
from landmarks.errors import LandmarksError
from landmarks.files import write_text

site = pytest.fixture(serving)

PATHS = (
    "landmarks/train/00.Old Mill/0123456789abcdef.jpg",
    "landmarks/train/00.Old Mill/IMG_1.jpg",
    "landmarks/train/01.Café/IMG_1.jpg",
    "landmarks/train/01.Café/aa.tar.png",
    "landmarks/test/01.Café/fedcba9876543210.jpg",
)
BY_SA, ZERO = (
    "http://creativecommons.org/licenses/by-sa/3.0",
    "https://creativecommons.org/publicdomain/zero/1.0/deed.en",
)
HEAD = "id,url,author,license,title\n"


def photos(*paths: str, sha1: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return the table of `decode` for photos at these paths, each another file."""
    found = pd.DataFrame({name: [""] * len(paths) for name in COLUMNS})
    same = list(sha1) or [hashlib.sha1(path.encode()).hexdigest() for path in paths]
    return found.assign(id=range(len(paths)), source="archive", path=paths, sha1=same)


class Desk:
    """A folder in which tables are attributed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / ".state/attribution"

    def write(self, *rows: tuple[str, ...], name: str = "mine.csv") -> Path:
        path = self.folder / name
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEAD.strip().split(","), *rows])
        return path

    def run(
        self,
        source: object,
        table: pd.DataFrame | None = None,
        sha256: str | None = None,
        limits: Limits = LIMITS,
    ) -> Found:
        table = photos(*PATHS) if table is None else table
        named = None if source is None else str(source)
        return attribute(named, sha256, table, state=self.state, patience=HASTE, limits=limits)

    def left_over(self) -> list[str]:
        return [path.name for path in self.state.glob("*") if path.suffix != ".lock"]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    assert desk.left_over() == []


def test_a_table_of_google_landmarks_names_photos_by_their_file_names(desk: Desk) -> None:
    source = desk.write(
        ("0123456789abcdef", "https://commons.example/a", "Ann", BY_SA, "File:A mill.jpg"),
        ("ffffffffffffffff", "https://commons.example/x", "Bob", BY_SA, "of no photo here"),
        ("fedcba9876543210", "https://commons.example/c", "Cy, the 2nd", ZERO, 'A "café"'),
    )
    found = desk.run(source)
    assert found.table.to_dict("records") == [
        {
            "id": 0,
            "author": "Ann",
            "license": BY_SA,
            "url": "https://commons.example/a",
            "title": "File:A mill.jpg",
        },
        {
            "id": 4,
            "author": "Cy, the 2nd",
            "license": ZERO,
            "url": "https://commons.example/c",
            "title": 'A "café"',
        },
    ]
    assert describe(found, 5) == (
        "attribution: 2 of 5 photos have an entry, by 2 authors under 2 licences; 3 have none; "
        "1 entry is of no photo here"
    )


@pytest.mark.parametrize(
    ("id", "row"),
    [
        ("0123456789abcdef", 0),
        ("0123456789abcdef.jpg", 0),
        ("00.Old Mill/IMG_1", 1),
        ("00.Old Mill/IMG_1.jpg", 1),
        ("01.Cafe\N{COMBINING ACUTE ACCENT}/IMG_1.jpg", 2),
        ("./landmarks/train/01.Café/IMG_1.jpg", 2),
        ("aa.tar", 3),
        ("aa.tar.png", 3),
    ],
)
def test_an_id_is_the_end_of_a_photos_path_with_or_without_its_suffix(
    desk: Desk, id: str, row: int
) -> None:
    assert list(desk.run(desk.write((id, "", "Ann", "", ""))).table["id"]) == [row]


@pytest.mark.parametrize("id", ["ill/IMG_1", "IMG_1.jpeg", "train", "aa", "Mill/IMG_1"])
def test_a_part_of_a_name_is_no_id(desk: Desk, id: str) -> None:
    with pytest.raises(LandmarksError, match=r"mine\.csv has an entry for none of the 5 photos"):
        desk.run(desk.write((id, "", "Ann", "", "")))


def test_an_id_that_stands_for_several_photos_is_refused_unless_they_are_one_file(
    desk: Desk,
) -> None:
    source = desk.write(("IMG_1", "", "Ann", "", ""))
    with pytest.raises(
        LandmarksError, match=r"mine\.csv:2: id IMG_1 stands for 2 photos"
    ) as caught:
        desk.run(source)
    assert "`01.Café/IMG_1`" in caught.value.hint or "`00.Old Mill/IMG_1`" in caught.value.hint
    same = photos(*PATHS, sha1=("0", "1", "1", "2", "3"))
    assert list(desk.run(source, same).table["id"]) == [1, 2]


def test_two_entries_for_one_photo_are_refused_with_both_lines(desk: Desk) -> None:
    source = desk.write(
        ("aa.tar", "", "Ann", "", ""), ("none", "", "", "", ""), ("aa.tar.png", "", "Bob", "", "")
    )
    with pytest.raises(LandmarksError, match=r"mine\.csv:4: .*aa\.tar\.png.* line 2 already"):
        desk.run(source)


def test_what_people_typed_becomes_one_plain_line(desk: Desk) -> None:
    author = "  Ann\n\tO'Hara\N{RIGHT-TO-LEFT OVERRIDE}gpj\x00 <b>"
    (desk.folder / "odd.csv").write_bytes(
        b"\xef\xbb\xbfnote,title,license,author,url,id\r\n"
        + f'x,,CC BY 4.0,"{author}",,aa.tar\r\n'.encode()
    )
    [row] = desk.run(desk.folder / "odd.csv").table.to_dict("records")
    assert row["author"] == "Ann O'Hara gpj <b>"
    assert (row["license"], row["url"], row["title"]) == ("CC BY 4.0", "", "")


def test_without_a_table_nothing_is_known(desk: Desk) -> None:
    assert not desk.run("").asked
    found = desk.run(None)
    assert list(found.table.columns) == list(attribution.COLUMNS) and not len(found.table)
    assert describe(found, 5) == "attribution: no table is named in download.attribution"


def test_a_table_from_the_web_is_fetched_checked_and_resumed(desk: Desk, site: Site) -> None:
    rows = [
        f"{number:016x},https://commons.example/{number},Ann,{BY_SA}," for number in range(9000)
    ]
    site.content = (HEAD + "\n".join([*rows, "aa.tar,,Bob,,"])).encode()
    site.answers = [breaks(200_000), lambda request: request.right()]
    digest = hashlib.sha256(site.content).hexdigest()
    found = desk.run(site.url, sha256=digest)
    assert (list(found.table["author"]), found.strangers) == (["Bob"], 9000)
    assert site.asked[0] == "" and site.asked[1].startswith("bytes=")
    with pytest.raises(LandmarksError, match="has the SHA-256 .*, but 0000"):
        desk.run(site.url, sha256="0" * 64)


def test_a_table_that_came_is_not_fetched_again_after_a_stop(
    desk: Desk, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.content = (HEAD + "aa.tar,,Bob,,").encode()

    def stop(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(csv, "DictReader", stop)
        with pytest.raises(KeyboardInterrupt):
            desk.run(site.url)
    assert list(desk.run(site.url).table["author"]) == ["Bob"]
    assert site.sent == len(site.content)


def test_a_table_of_a_source_that_was_given_up_goes(desk: Desk, site: Site) -> None:
    site.content = (HEAD + "aa.tar,,Bob,," + "\n" * 300_000).encode()
    site.answers = [breaks(200_000), lambda request: request.status(404)]
    with pytest.raises(LandmarksError, match="404"):
        desk.run(site.url)
    assert desk.left_over()
    desk.run(desk.write(("aa.tar", "", "Eve", "", "")))


def test_a_table_that_is_too_large_is_not_taken(desk: Desk, site: Site) -> None:
    site.content = HEAD.encode() + b"x" * 400_000
    small = Limits(file_bytes=300_000)
    with pytest.raises(LandmarksError, match="400,028 bytes, and 300,000 are the most"):
        desk.run(site.url, limits=small)
    long = desk.write(("aa.tar", "", "A" * 101, "", ""))
    with pytest.raises(LandmarksError, match=r"mine\.csv:2: author has 101 characters"):
        desk.run(long, limits=Limits(cell_characters=100))
    strange = desk.write(("of no photo", "", "A" * 101, "", ""), ("aa.tar", "", "A", "", ""))
    assert desk.run(strange, limits=Limits(cell_characters=100)).strangers == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no CSV table but empty"),
        (b"<!doctype html><p>404", "is no CSV table but a web page"),
        (b"PK\3\4" + bytes(600), "is no CSV table but an archive"),
        (b"id,url,author\n", r"mine\.csv:1: no column license, title"),
        (b"id;url;author;license;title\n", r"mine\.csv:1: no column id, url"),
        (HEAD.encode() + b"a,,,,\nb,,M\xfcller,,\n", r"mine\.csv:3 is not UTF-8"),
        (HEAD.encode("utf-16"), r"mine\.csv:1 is not UTF-8"),
        (HEAD.encode() + b"aa.tar,,Hill, Ann,,\n", r"mine\.csv:2: more or fewer cells"),
        (HEAD.encode() + b",,Ann,,\n", r"mine\.csv:2: id is empty"),
        (HEAD.encode() + b"/,,Ann,,\n", r"mine\.csv:2: id is empty"),
        (HEAD.encode() + b'aa,"x\n', r"mine\.csv:\d: .*no CSV.*unexpected end"),
        (HEAD.encode(), "has an entry for none of the 5 photos"),
    ],
)
def test_another_file_is_refused_in_one_line(desk: Desk, content: bytes, said: str) -> None:
    path = desk.folder / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(LandmarksError, match=said) as caught:
        desk.run(path)
    assert caught.value.hint and "\n" not in str(caught.value)
    assert ".state" not in str(caught.value)


def test_readers_get_what_was_written(desk: Desk, tmp_path: Path) -> None:
    found = desk.run(
        desk.write(("aa.tar", "nan", "NULL", "", "1.50"), ("IMG_1.jpg", *"1234")),
        photos(PATHS[3], PATHS[1]),
    )
    path = tmp_path / "attribution.csv"
    write_text(path, found.to_csv())
    again = attribution.read_attribution(path, photos=2)
    assert again.to_dict("index") == {
        0: {"author": "NULL", "license": "", "url": "nan", "title": "1.50"},
        1: {"author": "2", "license": "3", "url": "1", "title": "4"},
    }
    for text, said in (
        (found.to_csv().replace("\n1,", "\n2,"), "is of other photos"),
        (found.to_csv().replace("\n1,", "\n0,"), "is damaged: its ids"),
        ("id,author\n", "has columns id, author, expected id, author, license"),
    ):
        path.write_text(text)
        with pytest.raises(LandmarksError, match=f"{said}.*dvc repro attribution"):
            attribution.read_attribution(path, photos=2)
    with pytest.raises(LandmarksError, match="there is no .*dvc repro attribution"):
        attribution.read_attribution(tmp_path / "missing.csv", photos=2)
