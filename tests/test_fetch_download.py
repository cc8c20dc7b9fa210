"""The download stage, from whatever a user names as the source to the two archives."""

import functools
import io
import os
import random
import resource
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from loopback import Site, breaks, serving

from landmarks import files, params
from landmarks.data.archive import kinds, layout, open_archive
from landmarks.data.download import download
from landmarks.data.fetch import Patience
from landmarks.errors import LandmarksError

ROOT = Path(__file__).resolve().parents[1]
HASTE = Patience(tries=2, first_wait=0.01, timeout=2)
NAMES = [
    f"{split}/{c:02d}.Name/{n}.jpg" for split in ("train", "test") for c in (0, 1) for n in "ab"
]
SAMPLE = {"seed": 1, "train_photos": 2, "test_photos": 1, "negatives": 8}


def settings(source: object, **more: object) -> params.Download:
    names = ("sha256", "negatives", "negatives_sha256", "attribution", "attribution_sha256")
    empty = {**dict.fromkeys(names), "sample": SAMPLE}
    return params.Download.model_validate({**empty, "source": str(source), **more})


def pack(path: Path, names: list[str] = NAMES) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), f"photo {name}".encode())
    return path


class Stage:
    """The stage in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.archive = folder / "data" / "landmark_images.zip"
        self.negatives = folder / "data" / "negatives.zip"
        self.state = folder / ".state" / "download"

    def run(self, source: object, **more: object) -> None:
        chosen = settings(source, **more)
        download(chosen, self.archive, self.negatives, state=self.state, patience=HASTE)

    def left_over(self) -> list[str]:
        return [path.name for path in self.state.glob("*") if path.suffix != ".lock"]


site = pytest.fixture(serving)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "project")


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder, and the URL at which it is served."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "web"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def photos(path: Path) -> list[str]:
    with open_archive(path) as archive:
        return [photo.path for photo in layout(archive.members, archive.folders)]


def test_a_zip_from_the_web_stays_as_it_is(
    stage: Stage, web: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    original = pack(web[0] / "photos.zip", [*NAMES, "cover.jpg", "README", ".DS_Store"])
    stage.run(f"{web[1]}/photos.zip", sha256=files.sha256(original))
    assert stage.archive.read_bytes() == original.read_bytes()
    said = capsys.readouterr().out
    assert "8 photos in 2 folders" in said
    assert "left out: 1 hidden" in said and "1 not an image, 1 outside" in said
    assert stage.left_over() == []


def test_without_negatives_there_is_an_empty_zip(stage: Stage, tmp_path: Path) -> None:
    stage.run(pack(tmp_path / "photos.zip"))
    with open_archive(stage.negatives) as archive:
        assert kinds(archive.members) == []
    first = stage.negatives.read_bytes()
    stage.run(tmp_path / "photos.zip")
    assert stage.negatives.read_bytes() == first


def test_tar_and_folder_become_the_same_zip(stage: Stage, tmp_path: Path) -> None:
    with zipfile.ZipFile(pack(tmp_path / "photos.zip")) as archive:
        archive.extractall(tmp_path / "folder")
    with tarfile.open(tmp_path / "photos.tgz", "w:gz") as tar:
        tar.add(tmp_path / "folder", "photos")
    stage.run(tmp_path / "folder")
    assert photos(stage.archive) == sorted(NAMES)
    assert (tmp_path / "folder" / NAMES[0]).exists(), "the source is left alone"
    stage.run(tmp_path / "photos.tgz", sha256=files.sha256(tmp_path / "photos.tgz"))
    assert photos(stage.archive) == sorted(f"photos/{name}" for name in NAMES)
    assert stage.left_over() == []


def test_negatives_are_brought_too(stage: Stage, tmp_path: Path) -> None:
    negatives = pack(tmp_path / "negatives.zip", ["n/home/1.jpg", "n/scene/2.jpg"])
    checksum = files.sha256(negatives)
    stage.run(pack(tmp_path / "x.zip"), negatives=str(negatives), negatives_sha256=checksum)
    with open_archive(stage.negatives) as archive:
        assert [photo.class_name for photo in kinds(archive.members)] == ["home", "scene"]
    with pytest.raises(LandmarksError, match="SHA-256"):
        stage.run(tmp_path / "x.zip", negatives=str(negatives), negatives_sha256="0" * 64)


def tarred(path: Path) -> bytes:
    """Return a packed tar of photos of which each byte has to come."""
    noise = random.Random(1)
    with tarfile.open(path, "w:gz") as tar:
        for name in NAMES:
            info = tarfile.TarInfo(name)
            info.size = 50_000
            tar.addfile(info, io.BytesIO(noise.randbytes(info.size)))
    return path.read_bytes()


def test_what_came_is_not_fetched_again_when_the_disk_was_full_after_it(
    stage: Stage, site: Site, tmp_path: Path
) -> None:
    site.content = tarred(tmp_path / "photos.tgz")
    told = pytest.raises(LandmarksError, match="no space on the disk")
    with files_of_at_most(len(site.content) + 2_000), told:  # its tar is larger
        stage.run(site.url)
    stage.run(site.url)
    assert photos(stage.archive) == sorted(NAMES)
    assert site.sent == len(site.content)
    assert stage.left_over() == []


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let the system refuse to write larger files, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_negatives_that_came_wait_for_the_archive(stage: Stage, site: Site, tmp_path: Path) -> None:
    site.content = pack(tmp_path / "negatives.zip", ["home/1.jpg"]).read_bytes()
    with pytest.raises(LandmarksError, match="nowhere.zip is missing"):
        stage.run(tmp_path / "nowhere.zip", negatives=site.url)
    stage.run(pack(tmp_path / "photos.zip"), negatives=site.url)
    assert stage.negatives.read_bytes() == site.content
    assert site.sent == len(site.content)


def test_what_came_of_a_source_that_was_given_up_goes(
    stage: Stage, site: Site, tmp_path: Path
) -> None:
    site.answers = [breaks(), lambda request: request.status(404)]
    with pytest.raises(LandmarksError, match="404"):
        stage.run(site.url)
    assert len(stage.left_over()) == 2, "the bytes so far, and what they are of"
    pack(stage.state / "negatives.zip")  # of negatives that a killed run had packed
    stage.run(pack(tmp_path / "photos.zip"))
    assert stage.left_over() == []


def test_advice_names_the_archive_that_is_missing(stage: Stage, site: Site, tmp_path: Path) -> None:
    site.answers = [lambda request: request.status(404)]
    with pytest.raises(LandmarksError) as caught:
        stage.run(pack(tmp_path / "photos.zip"), negatives=site.url)
    assert "NEGATIVES=/path/to/negatives.zip" in str(caught.value)
    assert "SOURCE=" not in str(caught.value)


def test_photos_are_not_their_own_negatives(stage: Stage, tmp_path: Path) -> None:
    archive = pack(tmp_path / "photos.zip")
    with pytest.raises(LandmarksError, match="names the archive of the photos itself"):
        stage.run(archive, negatives=str(archive))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("http://[bad/photos.zip", "cannot be understood"),
        (
            "~nobody-of-this-name/photos.zip",
            "photos.zip: nobody of this name has a home",
        ),
    ],
)
def test_what_is_neither_address_nor_path_is_refused_in_one_line(
    stage: Stage, source: str, said: str
) -> None:
    with pytest.raises(LandmarksError, match=said):
        stage.run(source)


def test_the_sample_is_drawn(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDMARKS_WORKERS", "1")
    stage.run("sample")
    assert len(photos(stage.archive)) >= 12 * 3
    with open_archive(stage.negatives) as archive:
        assert len(kinds(archive.members)) == 8
    stage.run("sample", negatives=str(pack(tmp_path / "mine.zip", ["home/1.jpg"])))
    assert stage.negatives.read_bytes() == (tmp_path / "mine.zip").read_bytes(), "mine, not drawn"
    with pytest.raises(LandmarksError, match="sha256"):
        stage.run("sample", sha256="0" * 64)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "no photo in a class folder"),
        (["a/1.txt", "b/2.txt"], "no photo in a class folder"),
        (["a/1.jpg", "a/2.jpg", "a/3.jpg"], "one class only"),
        ([*NAMES, "test/02.New/1.jpg"], "only its test folder has `02.New`"),
        ([*NAMES, "../../evil.jpg"], "points outside the archive"),
        ([*NAMES, "more.zip"], "is an archive itself"),
    ],
)
def test_a_wrong_archive_fails_here_and_leaves_the_old_one(
    stage: Stage, tmp_path: Path, names: list[str], said: str
) -> None:
    stage.run(pack(tmp_path / "good.zip"))
    good = stage.archive.read_bytes()
    with pytest.raises(LandmarksError, match=f"wrong.zip.*{said}") as caught:
        stage.run(pack(tmp_path / "wrong.zip", names))
    assert ".state" not in str(caught.value), "its user never saw that file"
    assert stage.archive.read_bytes() == good
    assert stage.left_over() == []


def test_a_wrong_tar_is_called_by_its_own_name(stage: Stage, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "wrong.tar", "w") as tar:
        link = tarfile.TarInfo("a/1.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(LandmarksError, match=r"wrong\.tar: member `a/1\.jpg` is a link") as caught:
        stage.run(tmp_path / "wrong.tar")
    assert ".state" not in str(caught.value)


def test_a_folder_whose_name_is_a_word_spoils_no_message(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in NAMES[:2]:
        photo = Path("photos", Path(name).parent.name, Path(name).name)
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.write_bytes(b"photo")
    with pytest.raises(LandmarksError, match=r"^\./photos has one class only, `00\.Name`"):
        stage.run("./photos")


def test_a_checksum_for_a_folder_makes_no_sense(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(LandmarksError, match="is a folder"):
        stage.run(tmp_path, sha256="0" * 64)


def run_script(folder: Path, source: object) -> "subprocess.CompletedProcess[str]":
    tree = yaml.safe_load((ROOT / "params.yaml").read_text())
    tree["download"] |= {"source": str(source)}
    folder.mkdir(exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    return subprocess.run(
        [sys.executable, "-m", "stages.download"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_script_works_and_fails_in_one_line(tmp_path: Path) -> None:
    done = run_script(tmp_path / "p", pack(tmp_path / "photos.zip"))
    assert done.returncode == 0, done.stderr
    assert photos(tmp_path / "p" / "data" / "landmark_images.zip") == sorted(NAMES)
    done = run_script(tmp_path / "p", tmp_path / "nothing.zip")
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "nothing.zip is missing" in errors[0]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("folder", [".state", "data"])
def test_a_folder_that_may_not_be_written_is_told_in_one_line(tmp_path: Path, folder: str) -> None:
    """Not even root may make files in `/sys`."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / folder).symlink_to("/sys")
    done = run_script(tmp_path / "p", pack(tmp_path / "photos.zip"))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"error: {folder}" in done.stderr or "-> 'data/" in done.stderr
    assert "may not be read or written" in done.stderr and "right to it" in done.stderr


def test_the_real_photos_and_negatives(shared: Path, stage: Stage) -> None:
    source = shared / "photos50" / "landmark_images.zip"
    stage.run(source, negatives=str(shared / "negatives" / "negatives.zip"))
    assert len(photos(stage.archive)) == 4991
    with open_archive(stage.negatives) as archive:
        assert len(kinds(archive.members)) == 300
