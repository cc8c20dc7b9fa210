"""A training that is killed continues where it was, and ends with the bytes of one that was not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from small_training import Ended, fork, settings_with

from landmarks import checkpoint, files
from landmarks.checkpoint import Checkpoint, fingerprint, modules
from landmarks.locks import alone
from stages import train

ROOT = Path(__file__).resolve().parents[1]
TEACHER = "teacher.safetensors"
SCRIPT = Path(__file__).with_name("small_training.py")
CNNS = ("scratch", "transfer")
EPOCHS, STEPS = 3, 6  # of the small training


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The weights of both CNNs, trained without a kill."""
    made = {}
    for cnn in CNNS:
        out = tmp_path_factory.mktemp(cnn) / "w"
        done = fork(out, out.parent / "state", f"cnn={cnn}")
        assert done.code == 0, done.said
        assert names(out.parent / "state") == ["train-test.lock"]
        made[cnn] = out.read_bytes()
    return made


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Training:
    """One small training that is killed again and again."""

    def __init__(self, cnn: str, folder: Path, **env: str) -> None:
        self.cnn, self.out, self.state, self.env = cnn, folder / "w", folder / "state", env

    def kill(self, place: str, *settings: str) -> None:
        """Start or continue it, and let it die at a place."""
        died = fork(self.out, self.state, f"cnn={self.cnn}", f"kill={place}", *settings, **self.env)
        assert died.code == -9, f"was not killed at {place}: {died.said}"
        assert not self.out.exists()

    def end(self) -> Ended:
        """Continue it to its end; nothing but its lock is left then."""
        done = fork(self.out, self.state, f"cnn={self.cnn}", **self.env)
        assert done.code == 0, done.said
        assert names(self.state) == ["train-test.lock"]
        return done

    def told(self, done: Ended) -> list[int]:
        """Return the epochs that were trained by a process."""
        return [int(line.split()[1][0]) for line in done.said.splitlines() if "val loss" in line]


@pytest.mark.slow
def test_killed_after_every_single_step(undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    training = Training("scratch", tmp_path)
    for _ in range(EPOCHS):
        for step in range(1, STEPS + 1):
            training.kill(f"step:{step}")
        training.kill("placed:1")
    assert training.told(training.end()) == []
    assert training.out.read_bytes() == undisturbed["scratch"]


@pytest.mark.parametrize("cnn", CNNS)
@pytest.mark.parametrize("place", ["half", "whole", "flushed", "placed"])
def test_killed_twice_while_a_recovery_state_is_written(
    undisturbed: dict[str, bytes], tmp_path: Path, cnn: str, place: str
) -> None:
    training = Training(cnn, tmp_path)
    training.kill(f"{place}:2")
    training.kill(f"{place}:1")
    # What was in place counts, what was on its way does not.
    assert training.told(training.end()) == ([] if place == "placed" else [2, 3])
    assert training.out.read_bytes() == undisturbed[cnn]


def test_killed_in_the_second_epoch_of_a_backbone(
    undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    """The first epoch is frozen in part, so the second is not like it."""
    training = Training("transfer", tmp_path)
    training.kill("step:8")
    training.kill("step:4")
    assert training.told(training.end()) == [2, 3]
    assert training.out.read_bytes() == undisturbed["transfer"]


def test_killed_with_workers_and_continued_without(
    undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    Training("scratch", tmp_path, LANDMARKS_WORKERS="2").kill("step:9")
    training = Training("scratch", tmp_path, LANDMARKS_WORKERS="0")
    # Its workers see that it is dead a little later, and hold its lock until then.
    assert training.told(training.end()) == [2, 3]
    assert training.out.read_bytes() == undisturbed["scratch"]


def test_where_saving_is_dear_a_kill_costs_more_epochs_and_no_bit(
    undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    training = Training("scratch", tmp_path)
    training.kill("step:15", "share=1.0e-9")
    assert training.told(training.end()) == [2, 3], "only the first epoch was saved"
    assert training.out.read_bytes() == undisturbed["scratch"]


def test_saving_keeps_to_its_share_of_the_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A disk that takes two seconds is written to every twenty seconds, at most."""
    now, write = [0.0], Path.write_bytes

    def slowly(path: Path, content: bytes) -> int:
        now[0] += 2
        return write(path, content)

    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(Path, "write_bytes", slowly)
    saved = []
    checkpoint = Checkpoint("train-x", "0" * 64, tmp_path)
    while now[0] < 100:
        now[0] += 1  # an epoch
        if checkpoint.due():
            checkpoint.save({})
            saved.append(now[0])
    assert saved == [3, 25, 47, 69, 91]


@pytest.mark.parametrize("damage", ["truncated", "one byte", "zeros", "another object"])
def test_a_damaged_recovery_state_starts_over_and_says_so(
    undisturbed: dict[str, bytes], tmp_path: Path, damage: str
) -> None:
    training = Training("scratch", tmp_path)
    training.kill("placed:2")
    [state] = training.state.glob("*.pt")
    content = state.read_bytes()
    middle = len(content) // 2
    if damage == "another object":
        torch.save(["not", "ours"], state)
    else:
        flipped = bytes([content[middle] ^ 1])
        state.write_bytes(
            {
                "truncated": content[:middle],
                "one byte": content[:middle] + flipped + content[middle + 1 :],
                "zeros": bytes(len(content)),
            }[damage]
        )
    done = training.end()
    assert f"the recovery state {state} is damaged: starting over" in done.said
    assert training.told(done) == [1, 2, 3]
    assert training.out.read_bytes() == undisturbed["scratch"]


def test_a_recovery_state_is_found_only_by_its_own_run(tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("1")
    mine = fingerprint({"lr": 1}, [data])
    assert fingerprint({"lr": 1}, [data]) == mine
    assert fingerprint({"lr": 2}, [data]) != mine
    data.write_text("2")
    other = fingerprint({"lr": 1}, [data])
    assert other != mine
    assert fingerprint({"lr": 1}, []) != mine
    Checkpoint("train-x", mine, tmp_path).save({"history": [1]})
    assert Checkpoint("train-x", mine, tmp_path).load() == {"history": [1]}
    assert Checkpoint("train-x", other, tmp_path).load() is None
    assert list(tmp_path.glob("*.pt")) == [], "the state of a run that cannot continue stayed"


def test_the_code_of_a_run_is_what_it_has_imported(tmp_path: Path) -> None:
    root = Path(files.__file__).parents[1]
    found = modules("landmarks")
    assert {root / "landmarks/files.py", root / "landmarks/__init__.py"} <= set(found)
    assert all(path.is_relative_to(root / "landmarks") for path in found)
    assert not {path for path in modules("small_training") if path != SCRIPT}


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that a training of transfer reads, in the working folder. Only hashes matter here."""
    monkeypatch.chdir(tmp_path)
    found = [train.SPLIT, train.NORMALIZATION, train.PHOTOS / "photos.csv"]
    found += [train.PHOTOS / "pixels.npy", *map(Path, ("initial.safetensors", TEACHER))]
    for path in found:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    return found


def test_a_state_belongs_to_the_data_parameters_code_and_packages_of_its_run(
    inputs: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = settings_with(
        "transfer", weights="initial.safetensors", weights_sha256=None, teacher=TEACHER
    )
    code = tmp_path / "landmarks.py"
    code.write_text("")
    monkeypatch.setattr(checkpoint, "modules", lambda *_: [code])
    mine = train.run_of("transfer", settings).path
    assert train.run_of("transfer", settings).path == mine
    for path in [*inputs, code]:  # one byte, of the same length
        before = path.read_text()
        path.write_text("2")
        assert train.run_of("transfer", settings).path != mine, path
        path.write_text(before)
    other = settings.model_copy(update={"label_smoothing": 0.2})
    assert train.run_of("transfer", other).path != mine
    assert train.run_of("transfer", settings).path == mine
    monkeypatch.setattr(checkpoint, "version", lambda _: "0")
    assert train.run_of("transfer", settings).path != mine


def test_a_change_of_code_that_training_does_not_import_costs_no_state() -> None:
    shown = "import stages.train as t; print(*t.checkpoint.modules('landmarks', 'stages'))"
    done = subprocess.run(
        [sys.executable, "-c", shown], cwd=ROOT, capture_output=True, text=True, check=True
    )
    used = {Path(path).relative_to(ROOT).as_posix() for path in done.stdout.split()}
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    declared = {dep for dep in stages["train"]["do"]["deps"] if dep.endswith(".py")}
    assert {path for path in used if not path.endswith("/__init__.py")} == {
        path for path in declared if not path.endswith("/__init__.py")
    }
    assert "landmarks/training.py" in used and "landmarks/cli.py" not in used


def test_a_second_training_waits_for_the_first(tmp_path: Path) -> None:
    with alone(tmp_path / "train-test.lock", "the test"):
        command = [sys.executable, str(SCRIPT), str(tmp_path / "w"), str(tmp_path)]
        second = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert second.stderr is not None
        said = second.stderr.readline()
        assert f"waiting for the test: process {os.getpid()} is at it" in said
        assert not (tmp_path / "w").exists()
    second.communicate(timeout=120)
    assert (tmp_path / "w").exists()


def test_leftovers_of_dead_processes_are_removed_and_others_stay(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    gone = [f".a.csv.{dead.pid}.part", f".b.zip.{dead.pid}.tar.part", f"models/.c.{dead.pid}.part"]
    lives = [f".a.csv.{os.getppid()}.part", ".d.part", f"a.csv.{dead.pid}.part", "a.csv"]
    (tmp_path / "models").mkdir()
    for name in gone + lives:
        (tmp_path / name).touch()
    folder = tmp_path / f".export.{dead.pid}.part"
    folder.mkdir()
    (folder / "half").touch()
    files.clear_leftovers(tmp_path, tmp_path / "absent")
    assert names(tmp_path) == sorted([*lives, "models"]) and names(tmp_path / "models") == []
