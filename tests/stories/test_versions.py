"""A version is released only if it is fit, and whoever asks for exactly that version gets it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from stories import quick, storages
from stories.clone import Clone
from stories.storages import Storage
from stories.test_damage import flipped, stored
from stories.test_remotes import point

from landmarks import Predictor
from landmarks.errors import LandmarksError
from tools import release

pytestmark = pytest.mark.usefixtures("warm")

WHO = {
    "GIT_AUTHOR_NAME": "story",
    "GIT_AUTHOR_EMAIL": "story@localhost",
    "GIT_COMMITTER_NAME": "story",
    "GIT_COMMITTER_EMAIL": "story@localhost",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The quick project with a storage of its own and data pushed there; stories take copies."""
    top = tmp_path_factory.mktemp("versions")
    made = quick.make(top)
    point(made, storage_of(made))
    made.run("dvc", "push")
    return made


@pytest.fixture
def author(project: Clone, tmp_path: Path) -> Clone:
    """A copy of the project and its storage, whose user has told Git a name."""
    top = tmp_path / "author"
    shutil.copytree(project.folder.parent, top, symlinks=True)
    clone = Clone(top / "the project", top / "home", WHO)
    point(clone, storage_of(clone))
    return clone


def storage_of(clone: Clone) -> Storage:
    folder = clone.folder.parent / "team storage"
    return Storage(str(folder), folder)


def better(clone: Clone, lr: str) -> None:
    """Train with another learning rate; commit and push what came out."""
    for cnn in ("scratch", "transfer"):
        clone.run("dvc", "exp", "run", "--quiet", "-S", f"train.{cnn}.lr={lr}")
    clone.commit()
    clone.run("dvc", "push", "models/landmarks")


def published(clone: Clone, folder: Path) -> Path:
    """Push everything to a bare Git remote, as `make release` says."""
    clone.run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(folder))
    clone.run("git", "remote", "add", "origin", str(folder))
    clone.run("git", "push", "--quiet", "origin", "main")
    clone.run("git", "push", "--quiet", "--force", "origin", "refs/tags/*")
    return folder


def name(photo: Path, url: object, rev: str | None = None) -> str:
    return Predictor.from_repo(str(url), rev=rev).predict(photo).best.name


@pytest.mark.slow
def test_every_version_can_be_had_for_ever(
    author: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = quick.photo(tmp_path / "photo.png")
    said = author.python("tools.release", "1.0.0", "--stage", "prod").stdout
    assert "landmarks@v1.0.0 and landmarks#prod" in said
    better(author, "0.005")
    said = author.python("tools.release", "v1.1.0", "--stage", "prod").stdout
    kinds = author.run("git", "for-each-ref", "--format=%(objecttype) %(refname:short)").stdout
    for tag in ("landmarks@v1.0.0", "landmarks@v1.1.0", "landmarks#prod"):
        assert f"tag {tag}\n" in kinds, "annotated, or DVC does not see it"
    url = published(author, tmp_path / "public.git")
    monkeypatch.setenv("HOME", str(tmp_path))
    first, second = "00.Red rock (scratch 0.6200)", "00.Red rock (scratch 0.7000)"
    assert name(photo, url, "landmarks@v1.0.0") == first
    assert name(photo, url, "landmarks@v1.1.0") == second
    assert name(photo, url, "landmarks#prod") == second == name(photo, url)
    assert name(photo, author.folder, "landmarks@v1.0.0") == first
    shelf = Clone(tmp_path, author.home)
    shelf.run("dvc", "get", str(url), "models/landmarks", "--rev", "landmarks@v1.0.0", "-o", "a")
    shelf.run("dvc", "artifacts", "get", str(url), "landmarks", "--rev", "v1.0.0", "-o", "b")
    shelf.run("dvc", "artifacts", "get", str(url), "landmarks", "--stage", "prod", "-o", "c")
    answers = [Predictor.load(tmp_path / one).predict(photo).best.name for one in "abc"]
    assert answers == [first, first, second]


@pytest.mark.slow
def test_a_model_behind_a_web_site_and_one_behind_keys(
    project: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = quick.photo(tmp_path / "photo.png")
    author = project.copy(tmp_path / "author")
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = storage_of(project).folder
    assert folder is not None
    with storages.public(folder) as url:
        author.python("tools.storage", url)
        author.commit()
        assert name(photo, published(author, tmp_path / "public.git")) == name(photo, author.folder)
    with storages.webdav(tmp_path / "server") as storage:
        point(author, storage)
        author.run("dvc", "push", "models/landmarks")
        author.run("git", "push", "--quiet", "origin", "main")
        bare = tmp_path / "public.git"
        with pytest.raises(LandmarksError, match="does not let you in.*`remote_config`"):
            Predictor.from_repo(bare)
        found = Predictor.from_repo(bare, remote_config=storage.private)
        assert found.predict(photo).best.class_name == "00.Red rock"


REFUSED = {
    "dirty": "the work tree has changes that are in no commit: M params.yaml",
    "stale": "dvc.lock does not say what is here: train@scratch",
    "lower": "landmarks@v1.0.0 is not above the last release, landmarks@v2.0.0",
    "worse": "below the interval of the last release (59.0% to 65.0%)",
    "missing": "models/landmarks/landmarks.onnx: the storage lacks it",
    "damaged": "models/landmarks/model.json: it is damaged",
    "word": "'one' is no version",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_fit_is_refused_in_one_line(author: Clone, case: str) -> None:
    version, model = "3.0.0", author.folder / "models/landmarks"
    params = author.folder / "params.yaml"
    if case in ("lower", "worse"):
        author.python("tools.release", "2.0.0")
    if case in ("dirty", "stale"):
        text = params.read_text()
        params.write_text(text.replace("lr: 0.003", "lr: 0.004", 1))
    if case == "stale":
        author.commit()
    if case == "lower":
        version = "1.0.0"
    if case == "worse":
        better(author, "0.001")
    if case == "missing":
        stored(storage_of(author), model / "landmarks.onnx").unlink()
    if case == "damaged":
        flipped(stored(storage_of(author), model / "model.json"))
    if case == "word":
        version = "one"
    tags = author.run("git", "tag").stdout
    done = author.python("tools.release", version, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert REFUSED[case] in done.stderr and done.stdout == ""
    assert author.run("git", "tag").stdout == tags


def test_a_little_worse_is_chance_and_may_be_released() -> None:
    before = {"accuracy": 0.8, "accuracy_low": 0.75, "accuracy_high": 0.84}
    assert release.worse({"accuracy": 0.75}, before) == ""
    assert "74.9%" in release.worse({"accuracy": 0.749}, before)


@pytest.mark.parametrize("spoiled", ["model.json", "landmarks.onnx"])
def test_a_damaged_model_is_not_loaded_from_a_repository(
    author: Clone, tmp_path: Path, spoiled: str
) -> None:
    flipped(stored(storage_of(author), author.folder / "models/landmarks" / spoiled))
    url = published(author, tmp_path / "public.git")
    with pytest.raises(LandmarksError, match=f"{spoiled} of .* is damaged in the storage"):
        Predictor.from_repo(url)


def test_what_cannot_be_fetched_is_said_in_one_line(author: Clone, tmp_path: Path) -> None:
    for url, rev, folder, said in (
        (tmp_path / "nowhere", None, "models/landmarks", "no model can be fetched from"),
        (author.folder, "landmarks@v9.0.0", "models/landmarks", "unknown Git revision"),
        (author.folder, "HEAD", "models/nothing", "has no such model"),
    ):
        with pytest.raises(LandmarksError, match=said) as caught:
            Predictor.from_repo(url, rev, folder=folder)
        assert "\n" not in str(caught.value)
    stored(storage_of(author), author.folder / "models/landmarks/model.json").unlink()
    shutil.rmtree(author.folder / ".dvc/cache")
    with pytest.raises(LandmarksError, match="has no such model, or its storage lacks it"):
        Predictor.from_repo(author.folder, "HEAD")


def test_without_dvc_one_line_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['dvc'] = None\n"
        "from landmarks import Predictor, errors\n"
        "errors.run(lambda: Predictor.from_repo('https://example.org/landmarks'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "DVC is needed, and it is not installed" in done.stderr
    assert "pip install dvc" in done.stderr


def test_the_artifact_is_the_released_model() -> None:
    pipeline = quick.pipeline()
    assert pipeline["artifacts"][release.ARTIFACT]["path"] == release.MODEL
    assert json.dumps(pipeline["stages"]["release"]["outs"]) == json.dumps([release.MODEL])
