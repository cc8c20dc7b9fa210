"""`landmarks tag` as photographers and scripts call it: what it writes, keeps, refuses and says."""

import csv
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tag_folder import BLUE, GREEN, GREY, RED, REDDISH, Library, photo, sidecar, write_model

from landmarks import card
from landmarks.files import write_json
from landmarks.tagging import packet, run
from landmarks.tagging.places import Position
from landmarks.tagging.walk import Complain, Found, walk

ULURU, HALLERBOS = (-25.3, 131.0), (50.7, 4.3)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "colours")


@pytest.fixture
def library(tmp_path: Path, model: Path) -> Library:
    return Library(tmp_path, model)


def exif(path: Path) -> dict[str, Any]:
    """Read a sidecar with exiftool."""
    if shutil.which("exiftool") is None:
        pytest.skip("no exiftool: apt-get install libimage-exiftool-perl")
    command = ["exiftool", "-j", "-n", "-struct", "-G1", str(path)]
    [tags] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert "ExifTool:Warning" not in tags, tags
    return dict(tags)


def test_a_library_is_tagged_undone_and_no_photo_is_touched(library: Library) -> None:
    library.put("2019/rock.jpg", photo(RED))
    library.put("2019/none.jpg", photo(GREY))
    library.put("Wälder\n塔/trees.JPG", photo(GREEN, 1))
    library.put("lake.jpg", photo(BLUE, 2))
    mine = "<d:subject><r:Bag><r:li>us</r:li></r:Bag></d:subject>"
    library.put("lake.jpg.xmp", sidecar(mine, f'xmlns:d="{packet.SPACES["dc"]}"'))
    before = library.bytes()
    done = library.tag("--xmp")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "photos: 4: 3 named, 0 unsure, 1 unknown, 0 unreadable",
        "sidecars: 3 written, 0 unchanged, 0 cleared",
    ]
    rock = exif(library.folder / "2019/rock.jpg.xmp")
    assert rock["XMP-dc:Subject"] == ["Uluru", "Northern Territory", "Australia"]
    assert rock["XMP-exif:GPSLatitude"] == pytest.approx(-25.3444, abs=1e-6)
    trees = exif(library.folder / "Wälder\n塔/trees.JPG.xmp")
    assert trees["XMP-digiKam:TagsList"] == ["Places/Belgium/Halle/Hallerbos"]
    lake = exif(library.folder / "lake.jpg.xmp")
    assert lake["XMP-dc:Subject"] == ["us", "Blue Lake"] and "XMP-exif:GPSLatitude" not in lake
    tagged = library.bytes()
    assert {name: tagged[name] for name in before if name.lower().endswith("jpg")} == {
        name: sha for name, sha in before.items() if name.lower().endswith("jpg")
    }
    again = library.tag("--xmp").stdout.splitlines()
    assert again[1] == "sidecars: 0 written, 3 unchanged, 0 cleared"
    assert library.bytes() == tagged
    would = library.tag("--undo", "--dry-run")
    assert "would be restored" in would.stdout and library.bytes() == tagged
    undone = library.tag("--undo")
    assert undone.stdout == "sidecars: 1 restored, 2 removed\n" and undone.returncode == 0
    assert library.bytes() == before


def test_tables_have_a_row_for_every_photo_with_what_scripts_need(library: Library) -> None:
    good = library.put("a.jpg", photo(RED, gps=ULURU))
    library.put("b.jpg", photo(REDDISH))
    library.put("c.png", b"\x89PNG\r\n\x1a\nnothing")
    library.put("d.jpg", photo(GREY))
    library.put("notes.txt", b"no photo, and nobody said so")
    library.put("raw.nef", b"II*\0 raw")
    library.put("no extension", photo(BLUE))
    table = library.top / "rows.csv"
    done = library.tag("--csv", table, "--json", library.top / "rows.json")
    assert done.returncode == 1, "one photo is unreadable"
    assert "photos: 5: 2 named, 1 unsure, 1 unknown, 1 unreadable" in done.stdout
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ["a.jpg", "b.jpg", "c.png", "d.jpg", "no extension"]
    assert [row["decision"] for row in rows] == [
        "named",
        "unsure",
        "unreadable",
        "unknown",
        "named",
    ]
    first, second, third = rows[:3]
    assert first["sha256"] == hashlib.sha256(good.read_bytes()).hexdigest()
    assert (first["name"], first["guess_1"]) == ("Uluru", "00.Uluru")
    assert float(first["confidence"]) == float(first["confidence_1"]) > 0.9 > 0.05
    assert float(first["confidence_2"]) < 0.05 and first["guess_4"] == ""
    assert float(first["photo_latitude"]) == -25.3 and float(first["distance_km"]) < 10
    assert second["reason"] == "confidence below 0.9" and third["reason"].startswith("damaged")
    assert first["time"].endswith("+00:00") and len(first["model"]) == 12
    tree = json.loads((library.top / "rows.json").read_text(encoding="utf-8"))
    assert [row["sha256"] for row in tree] == [row["sha256"] for row in rows]
    assert [guess["class"] for guess in tree[0]["guesses"]][0] == "00.Uluru"


def test_a_folder_without_photos_makes_tables_without_rows(library: Library) -> None:
    tables = {name: library.top / f"{name}.csv" for name in ("none", "one")}
    done = library.tag("--csv", tables["none"], "--json", library.top / "none.json")
    assert done.returncode == 0 and "photos: 0:" in done.stdout
    library.put("a.jpg", photo(RED))
    library.tag("--csv", tables["one"])
    none, one = (path.read_text(encoding="utf-8").splitlines() for path in tables.values())
    assert none == one[:1] and none[0].startswith("path,sha256,decision,")
    assert json.loads((library.top / "none.json").read_text(encoding="utf-8")) == []


def test_gps_of_the_photo_is_kept_and_overrules_a_landmark_far_away(library: Library) -> None:
    library.put("there.jpg", photo(RED, 1, gps=ULURU))
    library.put("far.jpg", photo(RED, 2, gps=HALLERBOS))
    library.put("sidecar.jpg", photo(RED, 3))
    belgium = f'xmlns:e="{packet.SPACES["exif"]}" e:GPSLatitude="50,42N" e:GPSLongitude="4,18E"'
    library.put("sidecar.xmp", sidecar("", belgium))
    rows = library.rows("--xmp")
    assert {path: row["decision"] for path, row in rows.items()} == {
        "far.jpg": "unsure",
        "sidecar.jpg": "unsure",
        "there.jpg": "named",
    }
    assert "its own GPS is 14," in rows["far.jpg"]["reason"]
    assert rows["far.jpg"]["distance_km"] == pytest.approx(14_716, abs=1)
    assert not (library.folder / "far.jpg.xmp").exists()
    assert "GPS" not in (library.folder / "there.jpg.xmp").read_text(encoding="utf-8")
    assert (rows["sidecar.jpg"]["photo_latitude"], rows["there.jpg"]["photo_latitude"]) == (
        pytest.approx(50.7),
        pytest.approx(ULURU[0]),
    )
    # A position that was inferred is no evidence: a second run decides alike.
    new = library.put("new.jpg", photo(RED, 4)).with_name("new.jpg.xmp")
    assert library.rows("--xmp")["new.jpg"]["distance_km"] is None
    assert library.rows("--xmp")["new.jpg"]["distance_km"] is None
    # Until a person corrects it.
    text = new.read_text(encoding="utf-8")
    new.write_text(re.sub("(?<=GPSLatitude>)[^<]+", "50,42.0N", text), encoding="utf-8")
    assert library.rows("--xmp")["new.jpg"]["decision"] == "unsure"


def corrected(model: Path, to: Path, **changes: Any) -> Path:
    """Copy a model, with a corrected card: the network stays as it was.

    Args:
        model: what to copy.
        to: where to.
        changes: entries of the card; of `classes`, what changes by number; `landmark` is class 0.
    """
    shutil.copytree(model, to)
    described = json.loads((to / card.CARD).read_text(encoding="utf-8"))
    for number, landmark in {0: changes.pop("landmark", {}), **changes.pop("classes", {})}.items():
        described["classes"][number] |= landmark
    write_json(to / card.CARD, described | changes)
    return to


def test_a_corrected_catalogue_reaches_photos_that_are_tagged_already(library: Library) -> None:
    library.put("old.jpg", photo(RED, 1))
    table = library.top / "rows.csv"
    library.tag("--csv", table, "--xmp")
    right = {"name": "Uluṟu", "latitude": -25.5, "longitude": 131.5}
    library.model = corrected(library.model, library.top / "corrected", landmark=right)
    library.put("new.jpg", photo(RED, 2))
    assert "sidecars: 2 written, 0 unchanged" in library.tag("--csv", table, "--xmp").stdout
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], row["latitude"], row["longitude"]) for row in rows] == [
        ("Uluṟu", "-25.5", "131.5")
    ] * 2
    assert rows[0]["model"] == rows[1]["model"]
    for name in ("old", "new"):
        written = (library.folder / f"{name}.jpg.xmp").read_bytes()
        assert "Uluṟu".encode() in written and b">Uluru<" not in written
        assert packet.position_in(written) == Position(-25.5, 131.5)


def test_a_card_that_says_more_of_the_same_answers_asks_nothing_anew(library: Library) -> None:
    library.put("old.jpg", photo(RED))
    library.tag("--xmp")
    versions, licences = {"torch": "3"}, {"weights": "CC BY 4.0"}
    library.model = corrected(
        library.model, library.top / "noted", versions=versions, licences=licences
    )
    assert "sidecars: 0 written, 1 unchanged" in library.tag("--xmp").stdout


def test_thresholds_can_be_changed(library: Library) -> None:
    library.put("red.jpg", photo(REDDISH))
    library.put("green.jpg", photo(GREEN))

    def named(*options: str) -> set[str]:
        rows = library.rows(*options)
        return {path for path, row in rows.items() if row["decision"] == "named"}

    assert named() == {"green.jpg"}
    assert named("--min-confidence", "0.5") == {"green.jpg", "red.jpg"}
    assert named("--min-confidence", "1") == set()
    assert named("--per-class") == {"red.jpg"}
    both = library.tag("--per-class", "--min-confidence", "0.5")
    assert both.returncode == 1 and "Give one of them" in both.stderr


def test_a_person_has_the_last_word(library: Library) -> None:
    for number in range(3):
        library.put(f"{number}.jpg", photo(REDDISH, number))
    library.put("sure.jpg", photo(RED))
    table = library.top / "review.csv"
    assert library.tag("--xmp", "--review", table).returncode == 0
    with table.open(encoding="utf-8", newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert sorted(rows) == ["0.jpg", "1.jpg", "2.jpg"] and rows["0.jpg"]["name"] == "Uluru"
    assert rows["0.jpg"]["others"].split() == ["01.Hallerbos", "02.Blue_Lake"]
    for path, verdict in (("0.jpg", "Yes"), ("1.jpg", "01.Hallerbos"), ("2.jpg", "no")):
        rows[path]["verdict"] = verdict
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows["0.jpg"]))
        writer.writeheader()
        writer.writerows(rows.values())
    decided = library.rows("--xmp", "--review", table)
    assert [decided[f"{n}.jpg"]["decision"] for n in range(3)] == ["named", "named", "unknown"]
    assert decided["2.jpg"]["reason"] == "refused by a person"
    assert b"Uluru" in (library.folder / "0.jpg.xmp").read_bytes()
    assert b"Hallerbos" in (library.folder / "1.jpg.xmp").read_bytes()
    assert not (library.folder / "2.jpg.xmp").exists()
    assert library.rows("--xmp", "--review", table)["1.jpg"]["name"] == "Hallerbos"
    table.write_text(table.read_text(encoding="utf-8").replace("\nno,", "\nperhaps,"))
    wrong = library.tag("--review", table)
    assert wrong.returncode == 1 and ": verdict is 'perhaps'. Write yes, no," in wrong.stderr


KATA_TJUTA = {"class": "00.Kata_Tjuta", "name": "Kata Tjuta"}


def review_rows(table: Path) -> dict[str, dict[str, str]]:
    """Return the rows of a review table by class."""
    with table.open(encoding="utf-8", newline="") as file:
        return {row["class"]: row for row in csv.DictReader(file)}


def answer(table: Path, verdict: str) -> None:
    """Type a verdict into the row of `a.jpg` that has none."""
    text = table.read_text(encoding="utf-8")
    assert "\n,a.jpg" in text
    table.write_text(text.replace("\n,a.jpg", f"\n{verdict},a.jpg"), encoding="utf-8")


def test_yes_accepts_the_class_that_was_asked_about_and_no_other(library: Library) -> None:
    library.put("a.jpg", photo(REDDISH))
    table, first = library.top / "review.csv", library.model
    library.tag("--review", table)
    answer(table, "yes")
    library.model = corrected(first, library.top / "other", landmark=KATA_TJUTA)
    row = library.rows("--xmp", "--review", table)["a.jpg"]
    assert (row["decision"], row["name"]) == ("unsure", "Kata Tjuta")
    assert not (library.folder / "a.jpg.xmp").exists()
    rows = review_rows(table)
    assert rows["00.Uluru"]["verdict"] == "yes" and rows["00.Kata_Tjuta"]["verdict"] == ""
    answer(table, "no")
    row = library.rows("--review", table)["a.jpg"]
    assert (row["decision"], row["reason"]) == ("unknown", "refused by a person")
    library.model = first
    row = library.rows("--review", table)["a.jpg"]
    assert (row["name"], row["reason"]) == ("Uluru", "accepted by a person")


def test_no_refuses_the_class_that_was_asked_about_and_no_other(library: Library) -> None:
    library.put("a.jpg", photo(REDDISH))
    table, first = library.top / "review.csv", library.model
    library.tag("--review", table)
    answer(table, "no")
    other = library.model = corrected(first, library.top / "other", landmark=KATA_TJUTA)
    assert library.rows("--review", table)["a.jpg"]["decision"] == "unsure"
    answer(table, "01.Hallerbos")
    for model in (other, first):
        library.model = model
        row = library.rows("--review", table)["a.jpg"]
        assert (row["name"], row["reason"]) == ("Hallerbos", "accepted by a person")


def test_a_class_that_another_model_offered_is_no_mistake(library: Library) -> None:
    library.put("a.jpg", photo(REDDISH))
    table = library.top / "review.csv"
    library.tag("--review", table)
    answer(table, "00.Uluru")
    library.model = corrected(library.model, library.top / "other", landmark=KATA_TJUTA)
    assert library.rows("--review", table)["a.jpg"]["decision"] == "unsure"
    assert review_rows(table)["00.Uluru"]["verdict"] == "00.Uluru"


def test_the_right_class_refuses_the_one_that_was_asked_about(library: Library) -> None:
    """Also where the model of today does not know the right one."""
    library.put("a.jpg", photo(REDDISH))
    table, first = library.top / "review.csv", library.model
    here = {"class": "77.Kata_Tjuta", "name": "Kata Tjuta"}
    library.model = corrected(first, library.top / "other", classes={1: here})
    library.tag("--review", table)
    answer(table, "77.Kata_Tjuta")
    assert library.rows("--review", table)["a.jpg"]["name"] == "Kata Tjuta"
    library.model = first
    row = library.rows("--xmp", "--min-confidence", "0", "--review", table)["a.jpg"]
    assert (row["decision"], row["reason"]) == ("unknown", "refused by a person")


def test_a_table_keeps_notes_and_what_another_run_asked(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.put("a.jpg", photo(REDDISH))
    library.put("noted.jpg", photo(REDDISH, 2))
    table = library.top / "review.csv"
    library.tag("--review", table)
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["my notes"] = "ask Anna" if row["path"] == "noted.jpg" else ""
    other = {name: f"other {name}" for name in rows[0]} | {"verdict": "", "my notes": ""}

    def typing(folder: Path, complain: Complain) -> Iterator[Found]:
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(other))
            writer.writeheader()
            writer.writerows([*rows, other])
        yield from walk(folder, complain)

    with monkeypatch.context() as patch:
        patch.setattr(run, "walk", typing)
        library.tag("--review", table)
    library.put("b.jpg", photo(REDDISH, 1))
    library.tag("--review", table)
    with table.open(encoding="utf-8", newline="") as file:
        kept = {row["path"]: row["my notes"] for row in csv.DictReader(file)}
    assert kept == {"a.jpg": "", "b.jpg": "", "noted.jpg": "ask Anna", "other path": ""}


def test_a_verdict_that_is_typed_during_a_run_is_kept(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.put("a.jpg", photo(REDDISH))
    table = library.top / "review.csv"
    library.tag("--review", table)

    def typing(folder: Path, complain: Complain) -> Iterator[Found]:
        answer(table, "yes")
        yield from walk(folder, complain)

    library.put("b.jpg", photo(REDDISH, 1))
    with monkeypatch.context() as patch:
        patch.setattr(run, "walk", typing)
        assert library.rows("--review", table)["a.jpg"]["decision"] == "unsure"
    rows = library.rows("--review", table)
    assert {path: row["decision"] for path, row in rows.items()} == {
        "a.jpg": "named",
        "b.jpg": "unsure",
    }
    assert table.read_text(encoding="utf-8").count("b.jpg") == 1


def test_a_refused_place_is_taken_out_again(library: Library) -> None:
    library.put("a.jpg", photo(REDDISH))
    table = library.top / "review.csv"
    library.tag("--review", table)
    table.write_text(table.read_text(encoding="utf-8").replace("\n,a.jpg", "\nno,a.jpg"))
    library.tag("--xmp", "--min-confidence", "0")
    assert (library.folder / "a.jpg.xmp").exists()
    done = library.tag("--xmp", "--review", table)
    assert "sidecars: 0 written, 0 unchanged, 1 cleared" in done.stdout
    assert not (library.folder / "a.jpg.xmp").exists()


def test_a_place_that_another_model_no_longer_gives_is_taken_out(library: Library) -> None:
    library.put("rock.jpg", photo(REDDISH, 1))
    library.put("mine.jpg", photo(REDDISH, 2))
    mine = "<d:subject><r:Bag><r:li>us</r:li></r:Bag></d:subject>"
    before = library.put("mine.jpg.xmp", sidecar(mine, f'xmlns:d="{packet.SPACES["dc"]}"'))
    kept = before.read_bytes()
    library.tag("--xmp", "--min-confidence", "0")
    tagged = library.bytes()
    same = library.tag("--xmp")
    assert "sidecars: 0 written, 0 unchanged, 0 cleared" in same.stdout
    assert library.bytes() == tagged, "the model still gives it, on other terms"
    stricter = {"precision": 0.99, "confidence": 0.99, "classes": [0.9, 0.9999, 0.9]}
    library.model = corrected(library.model, library.top / "stricter", thresholds=stricter)
    would = library.tag("--xmp", "--dry-run")
    assert f"would be taken out of {library.folder / 'rock.jpg.xmp'}" in would.stdout
    assert library.bytes() == tagged
    (library.folder / "none.jpg").symlink_to("nowhere.jpg")
    lost = library.put("none.jpg.xmp", (library.folder / "rock.jpg.xmp").read_bytes())
    done = library.tag("--xmp")
    assert "sidecars: 0 written, 0 unchanged, 2 cleared" in done.stdout
    assert not (library.folder / "rock.jpg.xmp").exists() and before.read_bytes() == kept
    assert lost.exists(), "nobody looked at that photo"


def test_a_model_of_invented_places_takes_no_real_place_out(library: Library) -> None:
    library.put("rock.jpg", photo(RED))
    library.tag("--xmp")
    tagged = library.bytes()
    library.model = corrected(library.model, library.top / "drawn", invented=True)
    assert library.tag("--xmp").returncode == 1 and library.bytes() == tagged


def test_albums_are_links_by_country_with_a_page_that_needs_no_network(library: Library) -> None:
    first = library.put("a/rock <1>.jpg", photo(RED, 1))
    library.put("b/rock <1>.jpg", photo(RED, 2))
    library.put("lake.jpg", photo(BLUE))
    albums = library.top / "albums"
    for _ in range(2):
        assert library.tag("--albums", albums).returncode == 0
        links = sorted(path for path in albums.rglob("*.jpg"))
        assert len(links) == 3 and all(path.is_symlink() for path in links)
    assert (albums / "Australia/Uluru/rock <1>.jpg").resolve() == first
    assert (albums / "Elsewhere/Blue Lake/lake.jpg").exists()
    page = (albums / "index.html").read_text(encoding="utf-8")
    assert "rock &lt;1&gt;.jpg" in page and "3 photos of 2 landmarks" in page
    assert 'src="Australia/Uluru/rock%20%3C1%3E.jpg"' in page
    assert '<circle cx="311.04" cy="115.34"' in page and page.count("<circle") == 1
    assert "http" not in page and "<script" not in page
    copies = library.top / "copies"
    assert library.tag("--albums", copies, "--copies").returncode == 0
    copied = copies / "Australia/Uluru/rock <1>.jpg"
    assert not copied.is_symlink() and copied.read_bytes() == first.read_bytes()
    inside = library.tag("--albums", library.folder / "albums")
    assert inside.returncode == 1 and "Name a folder outside" in inside.stderr


def test_albums_of_copies_hold_photos_that_share_name_and_size(library: Library) -> None:
    for number, folder in enumerate("abc"):
        content = photo(RED, number)
        library.put(f"{folder}/rock.jpg", content + bytes(4000 - len(content)))
    albums = library.top / "albums"
    for _ in range(2):
        assert library.tag("--albums", albums, "--copies").returncode == 0
        copied = {path.read_bytes() for path in albums.rglob("*.jpg")}
        assert copied == {path.read_bytes() for path in library.folder.rglob("*.jpg")}
        assert len(list(albums.rglob("*.jpg"))) == 3


def test_dry_run_says_what_would_happen_and_writes_nothing(library: Library) -> None:
    rock = library.put("rock.jpg", photo(RED))
    library.put("none.jpg", photo(GREY))
    before, files = library.bytes(), [library.top / name for name in ("t.csv", "t.json", "r.csv")]
    options = zip(("--csv", "--json", "--review"), files, strict=True)
    done = library.tag("--xmp", "--dry-run", *(part for pair in options for part in pair))
    assert done.returncode == 0 and library.bytes() == before
    assert not any(path.exists() for path in files)
    assert f"would be written to {rock}.xmp" in done.stdout
    assert "none.jpg: unknown (shows none of the known landmarks)" in done.stdout
