"""What breaks in a storage is noticed and named, nothing half-pulled is loaded, a retry heals."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from stories import quick, storages
from stories.clone import Clone
from stories.cut import cut
from stories.storages import Storage
from stories.test_remotes import point, tell

pytestmark = pytest.mark.usefixtures("warm")

MODEL = "models/landmarks/landmarks.onnx"
HALF = quick.NOISE // 2


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The quick project. Nobody changes it: a story takes a copy."""
    return quick.make(tmp_path_factory.mktemp("damage"))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return quick.photo(tmp_path / "photo.png")


def stored(storage: Storage, content: Path) -> Path:
    """Return the object in a folder storage that holds the same bytes as a file."""
    assert storage.folder is not None
    found = [
        path
        for path in storage.folder.rglob("*")
        if path.is_file() and path.read_bytes() == content.read_bytes()
    ]
    assert len(found) == 1
    found[0].chmod(0o644)
    return found[0]


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def not_loaded(clone: Clone, photo: Path) -> None:
    """Whatever a failed pull left, no model answers."""
    done = clone.python("landmarks.cli", "predict", str(photo), check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def pulls(clone: Clone, photo: Path, author: Clone) -> None:
    """A pull succeeds, and the model answers as the author's does."""
    clone.run("dvc", "pull", "models/landmarks")
    assert quick.answer(clone, photo) == quick.answer(author, photo)
    assert clone.dirt() == ""


@pytest.mark.parametrize(
    ("kind", "spoil", "said"),
    [
        ("local", flipped, "it is damaged, its MD5 is "),
        ("local", truncated, "it is cut off, 1,000 of "),
        ("local", Path.unlink, "the storage lacks it"),
        ("webdav", flipped, "it is damaged, its MD5 is "),
    ],
    ids=["flipped", "truncated", "missing", "flipped-webdav"],
)
def test_a_bad_object_is_refused_named_and_mended(
    project: Clone, photo: Path, tmp_path: Path, kind: str, spoil: Callable[[Path], None], said: str
) -> None:
    author = project.copy(tmp_path / "author")
    with storages.KINDS[kind](tmp_path / "server") as storage:
        point(author, storage)
        author.run("dvc", "push")
        author.python("tools.check_storage")
        spoil(stored(storage, author.folder / MODEL))
        clone = quick.elsewhere(author, tmp_path / "clone")
        tell(clone, storage)
        assert clone.run("dvc", "pull", "models/landmarks", check=False).returncode != 0
        assert not (clone.folder / MODEL).exists()
        not_loaded(clone, photo)
        checked = author.python("tools.check_storage", check=False)
        md5 = stored_name(author)
        assert checked.returncode == 1
        [line] = checked.stdout.splitlines()
        assert line.startswith(f"{MODEL}: {said}") and f"{md5[:2]}/{md5[2:]})" in line
        assert "1 of 7 objects" in checked.stderr and "make mend-storage" in checked.stderr
        # A clone without a whole copy cannot mend, and says what can.
        elsewhere = clone.python(
            "tools.check_storage", "--mend", MODEL.rpartition("/")[0], check=False
        )
        assert elsewhere.returncode == 1 and "dvc repro --force release" in elsewhere.stderr
        assert f"mended {MODEL}" in author.python("tools.check_storage", "--mend").stdout
        author.python("tools.check_storage")
        pulls(clone, photo, author)


def stored_name(clone: Clone) -> str:
    """Return the MD5 of the released ONNX file, as DVC's cache says."""
    lock = yaml.safe_load((clone.folder / "dvc.lock").read_text())
    [out] = [out for out in lock["stages"]["release"]["outs"] if out["path"] == "models/landmarks"]
    listed = clone.folder / ".dvc/cache/files/md5" / out["md5"][:2] / out["md5"][2:]
    [entry] = [e for e in yaml.safe_load(listed.read_text()) if e["relpath"] == "landmarks.onnx"]
    name: str = entry["md5"]
    return name


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    """A storage of the kind that the test is given."""
    with storages.KINDS[request.param](tmp_path / "server") as opened:
        yield opened


def hasty(clone: Clone) -> Clone:
    """The same, where a request to S3 is tried once and not five times, ever slower."""
    return replace(clone, env={**clone.env, "AWS_MAX_ATTEMPTS": "1"})


@pytest.mark.slow
@pytest.mark.parametrize("server", ["s3", "ssh"], indirect=True)
def test_a_storage_that_dies_in_the_middle_of_a_push(
    project: Clone, server: Storage, photo: Path, tmp_path: Path
) -> None:
    author = hasty(project.copy(tmp_path / "author"))
    with cut(server, up=HALF) as (storage, line):
        point(author, storage)
        done = author.run("dvc", "push", "models/landmarks", check=False)
        assert done.returncode != 0 and line.dead
        line.mend()
        named = author.python("tools.check_storage", "models/landmarks", check=False)
        assert f"{MODEL}: the storage lacks it" in named.stdout
        assert "models/landmarks/: the storage lacks it" in named.stdout
        clone = hasty(quick.elsewhere(author, tmp_path / "clone"))
        tell(clone, storage)
        assert clone.run("dvc", "pull", "models/landmarks", check=False).returncode != 0
        not_loaded(clone, photo)
        author.run("dvc", "push", "models/landmarks")
        author.python("tools.check_storage", "models/landmarks")
        pulls(clone, photo, author)


@pytest.mark.slow
@pytest.mark.parametrize("server", ["s3", "webdav"], indirect=True)
def test_a_storage_that_dies_in_the_middle_of_a_pull(
    project: Clone, server: Storage, photo: Path, tmp_path: Path
) -> None:
    author = hasty(project.copy(tmp_path / "author"))
    point(author, server)
    author.run("dvc", "push", "models/landmarks")
    with cut(server, down=HALF) as (storage, line):
        point(author, storage)
        clone = hasty(quick.elsewhere(author, tmp_path / "clone"))
        tell(clone, storage)
        done = clone.run("dvc", "pull", "models/landmarks", check=False)
        assert done.returncode != 0 and line.dead
        not_loaded(clone, photo)
        line.mend()
        pulls(clone, photo, author)


def small_files(clone: Clone, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a module where no file can grow beyond half the model, as on a full disk."""
    limited = ("bash", "-c", 'ulimit -f "$0"; exec "$@"', str(HALF // 1024))
    return clone.run(*limited, sys.executable, "-m", *command, check=False)


def test_a_full_disk_here_and_in_the_storage(project: Clone, photo: Path, tmp_path: Path) -> None:
    author = project.copy(tmp_path / "author")
    with storages.local(tmp_path) as storage:
        point(author, storage)
        assert small_files(author, "dvc", "push", "models/landmarks").returncode != 0
        named = author.python("tools.check_storage", "models/landmarks", check=False)
        assert f"{MODEL}: the storage lacks it" in named.stdout
        author.run("dvc", "push", "models/landmarks")
        clone = quick.elsewhere(author, tmp_path / "clone")
        assert small_files(clone, "dvc", "pull", "models/landmarks").returncode != 0
        not_loaded(clone, photo)
        pulls(clone, photo, author)


def test_a_storage_with_too_little_room(project: Clone, photo: Path, tmp_path: Path) -> None:
    author = project.copy(tmp_path / "author")
    with storages.webdav(tmp_path / "server", largest=str(HALF)) as storage:
        point(author, storage)
        done = author.run("dvc", "push", "models/landmarks", check=False)
        assert done.returncode != 0 and "413" in done.stderr
        named = author.python("tools.check_storage", "models/landmarks", check=False)
        assert f"{MODEL}: the storage lacks it" in named.stdout


@pytest.mark.parametrize("kind", ["ssh", "webdav"])
def test_without_the_right_key_one_line_says_so(
    project: Clone, photo: Path, tmp_path: Path, kind: str
) -> None:
    author = project.copy(tmp_path / "author")
    with storages.KINDS[kind](tmp_path / "server") as storage:
        point(author, storage)
        author.run("dvc", "push", "models/landmarks")
        clone = quick.elsewhere(author, tmp_path / "clone")
        if kind == "ssh":
            wrong = tmp_path / "server/host"  # a key, but not one that is let in
            tell(clone, replace(storage, private={"keyfile": str(wrong)}))
        else:
            tell(clone, replace(storage, private={**storage.private, "password": "guess"}))
        done = clone.run("dvc", "pull", "models/landmarks", check=False)
        assert done.returncode != 0
        not_loaded(clone, photo)
        said = clone.python("tools.check_storage", check=False)
        assert said.returncode == 1 and said.stderr.count("\n") == 1
        assert "does not answer as it should" in said.stderr and "config.local" in said.stderr
        assert ("ermission denied" if kind == "ssh" else "Unauthorized") in said.stderr
        tell(clone, storage)
        pulls(clone, photo, author)


def test_a_folder_without_rights_to_write(project: Clone, photo: Path, tmp_path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("nothing is forbidden to root")
    author = project.copy(tmp_path / "author")
    with storages.local(tmp_path) as storage:
        point(author, storage)
        assert storage.folder is not None
        storage.folder.mkdir()
        storage.folder.chmod(0o555)
        done = author.run("dvc", "push", "models/landmarks", check=False)
        assert done.returncode != 0 and "ermission denied" in done.stderr
        storage.folder.chmod(0o755)
        author.run("dvc", "push", "models/landmarks")
        pulls(quick.elsewhere(author, tmp_path / "clone"), photo, author)
