"""One person builds and pushes; another clones elsewhere, pulls the release and asks it."""

import json
import shutil
from pathlib import Path

import pytest
from stories.clone import Clone
from stories.repro import repro

# The first story builds the clone; the time is for machines that do other things besides.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.usefixtures("warm")]


@pytest.fixture
def photo(built: Clone, tmp_path: Path) -> Path:
    """A photo of an invented landmark that no stage has seen."""
    path = tmp_path / "holiday photo.jpg"
    built.python("landmarks.data.sample", "--photo", str(path), "--landmark", "1")
    return path


def elsewhere(built: Clone, folder: Path) -> Clone:
    """Clone with Git alone: no cache, no .dvc/config.local."""
    built.run("git", "clone", "--quiet", str(built.folder), str(folder))
    return Clone(folder, built.home)


def ask(clone: Clone, photo: Path) -> list[dict[str, object]]:
    """Return what `landmarks predict --json` says."""
    said = clone.python("landmarks.cli", "predict", str(photo), "--top-k", "3", "--json").stdout
    answer: list[dict[str, object]] = json.loads(said)
    return answer


def test_the_release_is_pulled_and_answers_the_same(
    built: Clone, photo: Path, tmp_path: Path
) -> None:
    assert (built.home / ".local/share/landmarks/storage/files/md5").is_dir()
    clone = elsewhere(built, tmp_path / "else where")
    clone.run("dvc", "pull", "models/landmarks")
    assert not (clone.folder / "data/landmark_images.zip").exists()
    assert ask(clone, photo) == ask(built, photo)
    assert clone.dirt() == ""


def test_a_clone_with_the_storage_at_hand_builds_nothing(built: Clone, tmp_path: Path) -> None:
    clone = elsewhere(built, tmp_path / "clone")
    assert repro(clone, "--pull", "--allow-missing") == []
    assert clone.dirt() == ""
    # What is changed there does run, on what the storage gives.
    params = clone.folder / "params.yaml"
    params.write_text(params.read_text().replace("model: best", "model: scratch"))
    best = json.loads((built.folder / "metrics/released.json").read_text())["cnn"]
    expected = ["release"] if best == "scratch" else ["release", "report"]
    assert repro(clone, "--pull", "--allow-missing") == expected
    assert (clone.folder / "models/landmarks/landmarks.onnx").is_file()


def test_a_damaged_object_in_the_storage_is_not_accepted(built: Clone, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(built.home, home)
    model = (built.folder / "models/landmarks/landmarks.onnx").read_bytes()
    stored = [
        path
        for path in (home / ".local/share/landmarks/storage").rglob("*")
        if path.is_file() and path.read_bytes() == model
    ]
    assert len(stored) == 1
    stored[0].chmod(0o644)
    stored[0].write_bytes(model[:-1] + bytes([model[-1] ^ 1]))
    stored[0].chmod(0o444)
    clone = Clone(elsewhere(built, tmp_path / "clone").folder, home)
    assert clone.run("dvc", "pull", "models/landmarks", check=False).returncode != 0
    assert not (clone.folder / "models/landmarks/landmarks.onnx").exists()


def test_doctor_and_the_demonstration_find_all_in_order(built: Clone, tmp_path: Path) -> None:
    said = built.python("tools.doctor").stdout
    assert "has the released model" in said and "SHA-256 verified" in said
    done = built.python("tools.demo")
    said = done.stdout + done.stderr
    assert "This build has the same bytes as the one in Git." in said
    assert "accuracy on test" in said and "models/landmarks/" in said
    assert "invented places" in said
    assert built.dirt() == ""


def test_storage_is_pointed_elsewhere_with_one_command(built: Clone, tmp_path: Path) -> None:
    clone = built.copy(tmp_path / "copy")
    clone.python("tools.storage", str(tmp_path / "other storage"))
    config = clone.run("dvc", "config", "--list").stdout
    assert "remote.storage.verify=true" in config
    clone.run("dvc", "push", "models/landmarks")
    assert list((tmp_path / "other storage").rglob("files/md5/*"))
