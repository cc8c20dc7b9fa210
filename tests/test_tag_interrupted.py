"""A run that is killed, stopped or not alone loses nothing, and photos are looked at once."""

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tag_folder import GREY, RED, command, landmarks, photo, slow_photos, write_model

from landmarks.predictor import Predictor
from landmarks.tagging.journal import Journal, one_run
from landmarks.tagging.reading import BATCH, Reader
from landmarks.tagging.walk import walk

MARK = 0.125


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "colours")


def journaled(state: Path) -> int:
    """Return how many photos the journal knows."""
    try:
        with sqlite3.connect(f"file:{state}/tagging.sqlite?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM predictions").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def mark(state: Path) -> set[str]:
    """Change a number in every journaled answer, so that it is known where it is met again."""
    change = "UPDATE predictions SET prediction = json_set(prediction, '$.known_score', ?)"
    with sqlite3.connect(state / "tagging.sqlite") as connection:
        connection.execute(change, (MARK,))
        return {row[0] for row in connection.execute("SELECT sha256 FROM predictions")}


def rows(folder: Path, model: Path, state: Path, *options: str) -> list[dict[str, Any]]:
    """Tag, and return the rows of the table."""
    table = state / "rows.json"
    done = landmarks("tag", folder, "--model", model, "--state", state, "--json", table, *options)
    assert done.returncode == 0, done.stderr
    return list(json.loads(table.read_text(encoding="utf-8")))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_that_ends_early_is_continued(
    tmp_path: Path, model: Path, how: signal.Signals
) -> None:
    folder, state, total = tmp_path / "photos", tmp_path / "state", 80
    folder.mkdir()
    files = slow_photos()
    for number in range(total):
        content = files[number % 10 > 0] + number.to_bytes(2, "big")
        (folder / f"{number:03}.jpg").write_bytes(content)
    given = command("tag", folder, "--model", model, "--state", state, "--xmp")
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    process = subprocess.Popen(given, stderr=subprocess.PIPE, text=True, env=environment)
    while journaled(state) == 0 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(how)
    _, said = process.communicate()
    assert process.returncode == {"SIGKILL": -9, "SIGINT": 130, "SIGTERM": 143}[how.name], said
    if how is not signal.SIGKILL:
        assert len(said.strip().splitlines()) == 1 and "run the same command again" in said
    kept = mark(state)
    assert 0 < len(kept) < total
    found = rows(folder, model, state, "--xmp")
    assert [row["decision"] == "named" for row in found] == [n % 10 == 0 for n in range(total)]
    assert {row["sha256"] for row in found if row["known_score"] == MARK} == kept
    assert len(list(folder.glob("*.xmp"))) == total / 10 and journaled(state) == total
    assert not list(folder.glob(".*")), "nothing half-written is left"


def test_renamed_photos_are_known_and_changed_ones_are_not(tmp_path: Path, model: Path) -> None:
    folder, state = tmp_path / "photos", tmp_path / "state"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(photo(RED, number))
    rows(folder, model, state)
    mark(state)
    (folder / "0.jpg").rename(folder / "other name.jpg")
    (folder / "1.jpg").write_bytes(photo(GREY, 7))
    found = {row["path"]: row["known_score"] == MARK for row in rows(folder, model, state)}
    assert found == {"1.jpg": False, "2.jpg": True, "other name.jpg": True}
    other = write_model(tmp_path / "another model")
    card = json.loads((other / "model.json").read_text())
    content = (other / "landmarks.onnx").read_bytes() + b"\x32\x00"  # an empty field: another file
    (other / "landmarks.onnx").write_bytes(content)
    card["files"]["landmarks.onnx"]["sha256"] = hashlib.sha256(content).hexdigest()
    (other / "model.json").write_text(json.dumps(card))
    assert all(row["known_score"] != MARK for row in rows(folder, other, state))


class Counting(Predictor):
    """A predictor that counts what it decodes, and notes what it classifies."""

    decoded = 0
    batches: list[list[bytes]] = []

    def prepare(self, photo: Any) -> Any:
        self.decoded += 1
        return super().prepare(photo)

    def classify(self, pixels: Any, top_k: int = 5) -> Any:
        self.batches = [*self.batches, [one.tobytes() for one in pixels]]
        return super().classify(pixels, top_k)


def test_duplicates_are_decoded_once_and_answered_in_order(tmp_path: Path, model: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(90):
        content = photo(RED, number % 3) if number % 10 else b"no photo"
        (folder / f"{number:02}.jpg").write_bytes(content)
    predictor = Counting.load(model)
    with Journal.open(tmp_path / "state", predictor.card.version) as journal:
        found = walk(folder, lambda path, reason: pytest.fail(reason))
        reads = list(Reader(predictor, journal, threads=4).read(found))
    assert [read.found.path.name for read in reads] == sorted(os.listdir(folder))
    assert predictor.decoded == 4, "one content is unreadable"
    assert len({one for batch in predictor.batches for one in batch}) == 3
    assert {len(batch) for batch in predictor.batches} == {BATCH}, "sizes may round differently"
    for number, read in enumerate(reads):
        assert (read.prediction is None) == (number % 10 == 0)
        assert read.reason == ("not an image" if number % 10 == 0 else "")


def test_two_runs_on_one_folder_take_turns(tmp_path: Path, model: Path) -> None:
    folder, state = tmp_path / "photos", tmp_path / "state"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(photo(RED))
    given = command("tag", folder, "--model", model, "--state", state, "--xmp")
    with one_run(state, folder):
        second = subprocess.Popen(given, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert second.stderr is not None
        assert second.stderr.readline().startswith("waiting for another run of `landmarks tag")
        assert not (folder / "a.jpg.xmp").exists()
    out, _ = second.communicate()
    assert second.returncode == 0 and "1 written" in out


def test_photos_that_vanish_while_walking_are_rows(tmp_path: Path, model: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(photo(RED, number))
    predictor = Predictor.load(model)
    with Journal.open(tmp_path / "state", predictor.card.version) as journal:
        met = list(walk(folder, lambda path, reason: pytest.fail(reason)))
        (folder / "1.jpg").unlink()
        reads = list(Reader(predictor, journal, threads=2).read(met))
    assert [read.reason for read in reads] == [
        "",
        "cannot be opened (No such file or directory)",
        "",
    ]


def test_the_command_needs_nothing_of_the_training(tmp_path: Path) -> None:
    training = ("torch", "torchvision", "dvc", "lightning_fabric", "pandas", "yaml", "scipy")
    code = (
        "import sys, landmarks.tagging.run; "
        f"print([name for name in {training} if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


@pytest.mark.parametrize(
    ("kilobytes", "total", "said"),
    [(1, 3, "tagging.sqlite cannot be used"), (64, 400, "no space on the disk")],
    ids=["journal", "table"],
)
def test_a_full_disk_is_said_in_one_line_and_the_run_goes_on_later(
    tmp_path: Path, model: Path, kilobytes: int, total: int, said: str
) -> None:
    folder, state, table = tmp_path / "photos", tmp_path / "state", tmp_path / "rows.csv"
    folder.mkdir()
    for number in range(total):
        (folder / f"{number}.jpg").write_bytes(photo(RED))
    given = command("tag", folder, "--model", model, "--state", state, "--csv", table)
    # A limit on the size of a file stands in for a disk without space.
    limited = ["bash", "-c", f'ulimit -f {kilobytes}; exec "$@"', "bash", *given]
    done = subprocess.run(limited, capture_output=True, text=True)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    assert said in done.stderr and "Free" in done.stderr
    assert not table.exists() and not list(tmp_path.glob(".*"))
    assert len(rows(folder, model, state)) == total


def test_a_folder_that_cannot_be_read_is_complained_about(tmp_path: Path) -> None:
    said = []
    assert not list(walk(tmp_path / "gone", lambda path, reason: said.append((path, reason))))
    assert said == [(tmp_path / "gone", "No such file or directory")]
