"""`landmarks tag` keeps its hands off what is not its own, and says in a line what it cannot do."""

import json
import os
import shutil
from pathlib import Path

import pytest
from tag_folder import BLUE, GREEN, RED, Library, landmarks, photo, sidecar, write_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "colours")


@pytest.fixture
def library(tmp_path: Path, model: Path) -> Library:
    return Library(tmp_path, model)


def test_a_raw_and_jpeg_pair_never_share_a_sidecar(library: Library) -> None:
    packet_of_raw = sidecar("")
    library.put("pair.jpg", photo(RED, 1))
    library.put("pair.NEF", b"raw")
    library.put("pair.xmp", packet_of_raw)
    library.put("alone.jpg", photo(RED, 2))
    library.put("alone.xmp", packet_of_raw)
    library.put("both.jpg", photo(RED, 3))
    library.put("both.png", photo(RED, 4))
    library.put("both.xmp", packet_of_raw)
    assert library.tag("--xmp").returncode == 0
    names = sorted(path.name for path in library.folder.glob("*.xmp"))
    assert names == [
        "alone.xmp",
        "both.jpg.xmp",
        "both.png.xmp",
        "both.xmp",
        "pair.jpg.xmp",
        "pair.xmp",
    ]
    for untouched in ("pair.xmp", "both.xmp"):
        assert (library.folder / untouched).read_bytes() == packet_of_raw
    assert b"Uluru" in (library.folder / "alone.xmp").read_bytes()


def test_names_that_differ_in_case_have_sidecars_of_their_own(library: Library) -> None:
    library.put("a.jpg", photo(RED))
    library.put("a.JPG", photo(GREEN))
    library.put("b.jpg", photo(BLUE))
    library.put("b.JPG.XMP", sidecar(""))  # of a program that does not mind case
    for _ in range(2):
        assert library.tag("--xmp").returncode == 0
        names = sorted(path.name for path in library.folder.iterdir() if "xmp" in path.name.lower())
        assert names == ["a.JPG.xmp", "a.jpg.xmp", "b.JPG.XMP"]
    assert b"Uluru" in (library.folder / "a.jpg.xmp").read_bytes()
    assert b"Hallerbos" in (library.folder / "a.JPG.xmp").read_bytes()


def test_hostile_sidecars_are_left_alone_and_named(library: Library) -> None:
    evil = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
    library.put("a.jpg", photo(RED, 1))
    library.put("a.jpg.xmp", evil)
    library.put("b.jpg", photo(RED, 2))
    library.put("b.jpg.xmp/inside.txt", b"a folder in a sidecar's place")
    library.put("c.jpg", photo(RED, 3))
    library.put("d" * 250 + ".jpg", photo(RED, 4))
    done = library.tag("--xmp")
    assert done.returncode == 1 and (library.folder / "a.jpg.xmp").read_bytes() == evil
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 3, done.stderr
    assert "a.jpg.xmp was left as it is: it declares a document type" in errors[0]
    assert "b.jpg.xmp cannot be" in errors[1] and "File name too long" in errors[2]
    assert "sidecars: 1 written" in done.stdout


def test_trouble_with_a_sidecar_is_not_said_of_its_photo(library: Library) -> None:
    library.put("a.jpg", photo(RED))
    damaged = library.put("a.xmp", b"<x")
    done = library.tag("--xmp")
    assert done.returncode == 1 and done.stdout.startswith("photos: 1: 1 named")
    assert done.stderr.startswith(f"error: {damaged} was left as it is: ")


def test_undo_counts_what_it_took_back_and_no_more(library: Library) -> None:
    library.put("a.jpg", photo(RED, 1))
    library.put("a.jpg.xmp", sidecar(""))
    library.put("b.jpg", photo(RED, 2))
    assert "2 written" in library.tag("--xmp").stdout
    longest = library.folder / ("a" * 246 + ".jpg.xmp")  # no room for a name beside it
    (library.folder / "a.jpg.xmp").rename(longest)
    done = library.tag("--undo")
    assert done.returncode == 1 and f"{longest} cannot be written: File name too" in done.stderr
    assert done.stdout == "sidecars: 0 restored, 1 removed\n"
    assert b"Uluru" in longest.read_bytes() and not (library.folder / "b.jpg.xmp").exists()


def test_a_model_of_invented_places_tags_drawn_photos_only(
    library: Library, tmp_path: Path
) -> None:
    from landmarks.data.sample import LANDMARKS, draw_photo, encode
    from landmarks.data.sample.integer import Stream

    library.model = write_model(tmp_path / "invented", invented=True)
    assert LANDMARKS
    drawn = encode(draw_photo(0, 1, 5), Stream("test"))
    library.put("drawn.jpg", drawn)
    library.put("holiday.jpg", photo(RED))
    albums = tmp_path / "albums"
    done = library.tag("--xmp", "--albums", albums, "--min-confidence", "0")
    assert done.returncode == 1
    assert (
        "as the sample did not draw them: 1; demonstration" in done.stderr
        and "make preset" in done.stderr
    )
    assert not (library.folder / "holiday.jpg.xmp").exists()
    assert not list(albums.rglob("holiday*"))
    rows = library.rows("--min-confidence", "0")
    assert rows["holiday.jpg"]["decision"] == "unknown"
    assert rows["holiday.jpg"]["reason"] == "the model knows invented places only"
    # The drawn one takes the usual way: the model of this test may or may not know it.
    assert rows["drawn.jpg"]["reason"] != rows["holiday.jpg"]["reason"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--undo", "--xmp"], "--undo takes sidecars back and does nothing else"),
        (["--undo", "--per-class"], "--undo takes sidecars back and does nothing else"),
        (["--undo", "--min-confidence", "0"], "--undo takes sidecars back and does nothing else"),
        (["--undo", "--copies"], "--undo takes sidecars back and does nothing else"),
        (["--xmp", "--copies"], "--copies is for --albums. Add it, or leave --copies out"),
        (["--csv", "/"], "/ is a folder"),
        (["--csv", "t.csv", "--json", "./t.csv"], "two tables have one name"),
        (["--model", "no/model"], "there is no model in no/model"),
        (["--csv", "/proc/rows.csv"], "/proc"),
        (["--review", "/dev/null/unsure.csv"], "/dev/null/unsure.csv cannot be written"),
        (["--min-confidence", "nan"], "--min-confidence is nan. Give a number from 0 to 1"),
        (["--albums", "loop"], "loop"),
        (["--state", "/proc/state"], "/proc/state"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    library: Library, options: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(library.top)
    Path("loop").symlink_to("loop")
    library.put("a.jpg", photo(RED))
    done = library.tag(*options)
    assert done.returncode == 1 and said in done.stderr and done.stdout == ""
    assert len([line for line in done.stderr.splitlines() if line.startswith("error: ")]) == 1


@pytest.mark.parametrize("option", ["--csv", "--json", "--parquet", "--review"])
def test_a_pipe_or_device_is_never_replaced_by_a_table(library: Library, option: str) -> None:
    library.put("a.jpg", photo(RED))
    pipe, stdout = library.top / "pipe", library.top / "stdout"
    os.mkfifo(pipe)
    stdout.symlink_to(pipe)
    for path in (pipe, stdout):
        done = library.tag(option, path)
        assert done.returncode == 1 and done.stdout == ""
        assert f"{path} is a pipe or a device. Name a file to write" in done.stderr
    assert pipe.is_fifo() and stdout.is_symlink()
    assert not library.state.exists(), "nothing was begun"


def test_a_table_that_is_a_link_is_written_where_it_leads(library: Library) -> None:
    library.put("a.jpg", photo(RED))
    (library.top / "rows.csv").symlink_to("shared.csv")
    (library.top / "shared.csv").write_text("an older table")
    assert library.tag("--csv", library.top / "rows.csv").returncode == 0
    assert (library.top / "rows.csv").is_symlink()
    assert "00.Uluru" in (library.top / "shared.csv").read_text(encoding="utf-8")


def test_a_table_may_take_the_place_of_a_link_that_leads_to_itself(library: Library) -> None:
    library.put("a.jpg", photo(RED))
    loop = library.top / "loop.csv"
    loop.symlink_to("loop.csv")
    assert library.tag("--csv", loop, "--review", library.top / "unsure.csv").returncode == 0
    assert "00.Uluru" in loop.read_text(encoding="utf-8")


def test_a_folder_that_is_not_named_is_not_the_one_we_are_in(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo_here = library.put("a.jpg", photo(RED))
    monkeypatch.chdir(library.folder)
    done = landmarks("tag", "", "--xmp", "--model", library.model, "--state", library.state)
    assert done.returncode == 1 and "FOLDER is empty" in done.stderr
    assert list(library.folder.iterdir()) == [photo_here]


def test_a_backup_of_a_photo_does_not_write_into_its_sidecar(library: Library) -> None:
    library.put("a.jpg", photo(RED))
    library.put("a.jpg_original", photo(GREEN))
    library.put("a.jpg~", photo(BLUE))
    library.put("a.xmp", sidecar(""))
    assert "sidecars: 3 written" in library.tag("--xmp").stdout
    text = (library.folder / "a.xmp").read_text(encoding="utf-8")
    assert "Uluru" in text and "Hallerbos" not in text and "Blue" not in text
    assert "sidecars: 0 written, 3 unchanged" in library.tag("--xmp").stdout


def test_another_model_takes_its_place_out_of_every_sidecar(library: Library) -> None:
    """darktable makes a photo.jpg.xmp beside the photo.xmp that has the place of an older model."""
    library.put("a.jpg", photo(RED))
    before = library.put("a.xmp", sidecar("")).read_bytes()
    library.tag("--xmp")
    assert b"Uluru" in (library.folder / "a.xmp").read_bytes()
    library.put("a.jpg.xmp", sidecar(""))
    other = library.top / "other"
    shutil.copytree(library.model, other)
    described = json.loads((other / "model.json").read_text(encoding="utf-8"))
    described["classes"][0]["name"] = "Corrected"
    (other / "model.json").write_text(json.dumps(described), encoding="utf-8")
    library.model = other
    said = f"would be written to {library.folder / 'a.jpg.xmp'}, a place would be taken out of "
    assert said + str(library.folder / "a.xmp") in library.tag("--xmp", "--dry-run").stdout
    done = library.tag("--xmp")
    assert "sidecars: 1 written, 0 unchanged, 1 cleared" in done.stdout and done.returncode == 0
    assert (library.folder / "a.xmp").read_bytes() == before
    assert b"Corrected" in (library.folder / "a.jpg.xmp").read_bytes()
    assert "sidecars: 0 written, 1 unchanged, 0 cleared" in library.tag("--xmp").stdout


def test_a_huge_sidecar_of_a_photo_without_a_name_is_no_fault(library: Library) -> None:
    library.put("none.jpg", photo(RED))
    huge = library.put("none.jpg.xmp", sidecar("<!--" + " " * 9_000_000 + "-->"))
    done = library.tag("--xmp", "--min-confidence", "1")
    assert (done.returncode, done.stderr) == (0, "")
    named = library.tag("--xmp", "--min-confidence", "0")
    assert named.returncode == 1 and f"{huge} was left as it is: larger than" in named.stderr


def test_a_folder_that_is_none_and_a_damaged_journal_are_said(library: Library) -> None:
    missing = landmarks("tag", library.top / "nowhere", "--model", library.model)
    assert missing.returncode == 1 and "no such folder" in missing.stderr
    library.put("a.jpg", photo(RED))
    library.state.mkdir()
    (library.state / "tagging.sqlite").write_bytes(b"not a journal, but long enough" * 100)
    done = library.tag("--xmp")
    assert done.returncode == 1 and "tagging.sqlite cannot be used: file is not a" in done.stderr


def test_links_loops_and_names_that_are_no_text_are_met_once(library: Library) -> None:
    real = library.put("real.jpg", photo(RED))
    (library.folder / "loop").symlink_to(library.folder)
    (library.folder / "broken.jpg").symlink_to("nowhere.jpg")
    (library.folder / "self.jpg").symlink_to("self.jpg")
    os.mkfifo(library.folder / "pipe.jpg")
    library.put(".hidden/x.jpg", photo(RED, 1))
    strange = os.fsdecode(os.fsencode(library.folder) + b"/caf\xe9.jpg")
    shutil.copy(real, strange)
    rows = library.rows("--xmp", "--csv", library.top / "rows.csv")
    assert {path: row["decision"] for path, row in rows.items()} == {
        "broken.jpg": "unreadable",
        "caf\udce9.jpg": "named",
        "real.jpg": "named",
        "self.jpg": "unreadable",
    }
    assert "No such file" in rows["broken.jpg"]["reason"]
    assert os.path.exists(strange + ".xmp")
