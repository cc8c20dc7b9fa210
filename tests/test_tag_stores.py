"""`landmarks tag` over stores that fsspec reaches: the rows of a folder, and tables put there."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from tag_bucket import BUCKET, bucket, upload
from tag_folder import BLUE, GREEN, GREY, RED, Library, landmarks, photo, sidecar, write_model

from landmarks.tagging import packet, walk

HALLERBOS = (50.7, 4.3)
BELGIUM = f'xmlns:e="{packet.SPACES["exif"]}" e:GPSLatitude="50,42N" e:GPSLongitude="4,18E"'


def fill(library: Library) -> None:
    """Put photos of all kinds into a folder, and what is none."""
    library.put("2019/rock.jpg", photo(RED))
    library.put("2019/copy of rock.jpg", photo(RED))
    library.put("2019/far.jpg", photo(RED, 2, gps=HALLERBOS))
    library.put("2019/beside.jpg", photo(RED, 3))
    library.put("2019/beside.xmp", sidecar("", BELGIUM))
    library.put("Wälder 塔/trees #1?.JPG", photo(GREEN, 1))
    library.put("a.jpg", b"\xff\xd8\xff cut off")
    library.put("empty.jpg", b"")
    library.put("no extension", photo(BLUE))
    library.put("empty without extension", b"")
    library.put("none.png", photo(GREY))
    library.put("notes.txt", b"no photo")
    library.put("raw.nef", b"II*\0 raw")
    library.put(".hidden/x.jpg", photo(RED, 9))
    library.put("2019/.hidden.jpg", photo(RED, 10))


def plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows without the time, which is never the same."""
    return [{name: cell for name, cell in row.items() if name != "time"} for row in rows]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with bucket(tmp_path_factory.mktemp("s3")) as opened:
        yield opened


@pytest.fixture
def library(tmp_path: Path) -> Library:
    filled = Library(tmp_path, write_model(tmp_path / "model"))
    fill(filled)
    return filled


def test_a_bucket_has_the_rows_of_the_folder_and_takes_the_tables(
    library: Library, store: Any
) -> None:
    wanted = library.rows()
    assert len(wanted) == 9 and {"named", "unsure", "unknown", "unreadable"} == {
        row["decision"] for row in wanted.values()
    }
    url = upload(store, library.folder, "library")
    store.pipe_file(f"{BUCKET}/library/", b"")  # as consoles make folders
    library.folder = url  # type: ignore[assignment]
    out = f"s3://{BUCKET}/out"
    tables = ("--csv", f"{out}/rows.csv", "--json", f"{out}/rows.json")
    done = library.tag(*tables, "--parquet", f"{out}/rows.parquet")
    assert done.returncode == 1 and "photos: 9: 4 named" in done.stdout, done.stderr
    rows = json.loads(store.cat_file(f"{BUCKET}/out/rows.json"))
    assert plain(rows) == plain(list(wanted.values()))
    assert store.cat_file(f"{BUCKET}/out/rows.csv").count(b"\n") == 10
    assert store.cat_file(f"{BUCKET}/out/rows.parquet").endswith(b"PAR1")
    assert len(store.ls(f"{BUCKET}/out")) == 3, "nothing half-written is left"


def test_many_names_without_extensions_are_told_by_content(
    library: Library, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "_LIST", 3)
    for number in range(8):
        content = photo(RED, number) if number % 2 else b"text"
        store.pipe_file(f"{BUCKET}/hashes/{number}", content)
    library.folder = f"s3://{BUCKET}/hashes"  # type: ignore[assignment]
    assert list(library.rows()) == ["1", "3", "5", "7"]


def test_other_stores_and_urls_of_files(library: Library) -> None:
    memory = fsspec.filesystem("memory")
    for name in ("a.jpg", "b/c.jpg"):
        memory.pipe_file(f"/library/{name}", photo(RED))
    library.folder = "memory://library"  # type: ignore[assignment]
    table = library.top / "a b.csv"
    assert library.tag("--csv", f"file://{table}", "--json", "memory://t.json").returncode == 0
    assert table.read_text().count(",named,") == 2
    assert [row["path"] for row in json.loads(memory.cat_file("/t.json"))] == ["a.jpg", "b/c.jpg"]
    memory.rm("/library", recursive=True)


def test_a_review_of_a_bucket_is_a_file_here(library: Library, store: Any) -> None:
    library.folder = upload(store, library.folder, "reviewed")  # type: ignore[assignment]
    table = library.top / "review.csv"
    library.tag("--review", table)
    assert "2019/far.jpg" in table.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gopher://photos"], "gopher://photos: Protocol not known: gopher"),
        (["s3://"], "s3:// names no bucket"),
        (["s3://no-such-bucket/photos"], "s3://no-such-bucket/photos: no such folder"),
        ([f"s3://{BUCKET}/nothing"], f"s3://{BUCKET}/nothing: no such folder"),
        ([f"s3://{BUCKET}/x.jpg"], f"s3://{BUCKET}/x.jpg: no folder"),
        ([f"s3://{BUCKET}", "--xmp"], "--xmp is for a folder of this machine"),
        ([f"s3://{BUCKET}", "--albums", "albums"], "--albums is for a folder of this machine"),
        ([f"s3://{BUCKET}", "--undo"], "--undo is for a folder of this machine"),
        ([f"s3://{BUCKET}", "--state", "s3://photos/s"], "the journal cannot lie at s3://photos/s"),
        ([".", "--csv", "s3://no-such-bucket/t.csv"], "there is no bucket no-such-bucket"),
        ([".", "--csv", "memory://t", "--json", "memory://t"], "two tables have one name"),
        ([".", "--review", "s3://photos/r.csv"], "--review cannot be s3://photos/r.csv"),
        ([".", "--workers", "2"], "addresses and workers are for --engine ray"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(
    library: Library, store: Any, arguments: list[str], said: str
) -> None:
    store.pipe_file(f"{BUCKET}/x.jpg", photo(RED))
    model = ["--model", str(library.model), "--state", str(library.state)]
    done = landmarks("tag", *model, *arguments)
    assert done.returncode == 1 and done.stdout == "" and said in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1 and "Traceback" not in done.stderr


def test_keys_that_are_missing_are_asked_for(
    library: Library, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(library.top))
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    library.folder = f"s3://{BUCKET}"  # type: ignore[assignment]
    done = library.tag()
    assert done.returncode == 1 and "AWS_ACCESS_KEY_ID" in done.stderr
    assert done.stderr.startswith(f"error: s3://{BUCKET} is not open to you: Unable to locate")
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def test_without_fsspec_or_ray_it_is_said_what_brings_them(library: Library) -> None:
    for missing, arguments in {
        "fsspec": ["s3://bucket/photos"],
        "ray": [str(library.folder), "--engine", "ray"],
    }.items():
        script = f"import sys; sys.modules[{missing!r}] = None; import landmarks.cli as c; c.main()"
        command = [sys.executable, "-c", script, "tag", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ.copy())
        assert done.returncode == 1 and f"needs {missing}, which is not installed" in done.stderr
        hint = '`pip install ".[scale]"` in the project brings what it needs.\n'
        assert done.stderr.endswith(hint)


def test_a_table_that_cannot_be_put_leaves_the_old_one(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/tables/rows.csv", b"old")

    def full(local: str, path: str) -> None:
        memory.pipe_file(path, Path(local).read_bytes()[:100])
        raise OSError("no space left")

    monkeypatch.setattr(memory, "put_file", full)
    done = library.tag("--csv", "memory://tables/rows.csv")
    assert done.returncode == 1
    assert "error: memory:///tables/rows.csv cannot be used: no space left. Mend" in done.stderr
    assert memory.find("/tables") == ["/tables/rows.csv"]
    assert memory.cat_file("/tables/rows.csv") == b"old"


def test_a_store_that_fails_half_way_ends_the_run_and_makes_no_rows(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = fsspec.filesystem("memory")
    for number in range(20):
        memory.pipe_file(f"/failing/{number}.jpg", photo(RED, number))
    read = memory.cat_file

    def slow_down(path: str, **given: Any) -> Any:
        if path.endswith("7.jpg"):
            raise OSError("Please reduce your request rate")
        return read(path, **given)

    monkeypatch.setattr(memory, "cat_file", slow_down)
    library.folder, table = "memory://failing", library.top / "t.csv"  # type: ignore[assignment]
    done = library.tag("--csv", table)
    assert done.returncode == 1 and "Please reduce your request rate" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and not table.exists()
    monkeypatch.undo()
    assert library.tag("--csv", table).returncode == 0
    assert table.read_text().count(",named,") == 20
