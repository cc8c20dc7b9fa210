"""Downloads that are killed, run twice or meet a full disk; and sources that are no web server."""

import hashlib
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fsspec.registry import _registry as KNOWN_STORES
from loopback import CONTENT, CUT, Bring, Request, Site, breaks, fetch, fetching, serving

from landmarks.data.archive import layout, open_archive
from landmarks.data.partial import Identity, Partial
from landmarks.errors import LandmarksError
from landmarks.files import write_json

site = pytest.fixture(serving)
bring = pytest.fixture(fetching)

ROOT = Path(__file__).resolve().parents[1]
KILLED = """
import sys
from pathlib import Path
from landmarks.data.disk import move
from landmarks.data.fetch import fetching
from landmarks.errors import run
url, folder = sys.argv[1], Path(sys.argv[2])
target = folder / "data" / "landmark_images.zip"
def fetch():
    with fetching(url, sha256=None, state=folder / "state") as partial:
        move(partial.path, target)
run(fetch)
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_download_continues(
    site: Site, bring: Bring, tmp_path: Path, sign: signal.Signals
) -> None:
    site.answers = [lambda request: request.right(pause=0.1)]
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, site.url, str(tmp_path)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    partial = Partial(tmp_path / "state", site.url)
    while partial.size < CUT:
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(sign)
    _, said = child.communicate()
    assert child.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}.get(sign, -sign)
    assert "Traceback" not in said
    kept = partial.size
    assert CUT <= kept < len(CONTENT)
    assert not (tmp_path / "data").exists()
    site.answers, site.asked = [Request.right], []
    assert bring(site.url) == CONTENT
    assert site.asked == [f"bytes={kept}-"]


def test_two_downloads_of_one_file_do_not_mix(site: Site, tmp_path: Path) -> None:
    site.answers = [lambda request: request.right(pause=0.01)]
    targets = [tmp_path / "a.zip", tmp_path / "b.zip"]

    def bring(target: Path) -> None:
        fetch(site.url, target, sha256=None, state=tmp_path / "s")

    threads = [threading.Thread(target=bring, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [target.read_bytes() == CONTENT for target in targets] == [True, True]
    assert site.asked == ["", ""], "the second began when the first had ended"


def test_a_full_disk_is_told_and_the_next_run_works(
    site: Site, bring: Bring, tmp_path: Path
) -> None:
    """`/dev/full` is a device that has no space."""
    partial = Partial(tmp_path / "state", site.url)
    tag = f'"{hashlib.md5(CONTENT).hexdigest()}"'
    write_json(
        tmp_path / "state" / f"{partial.path.stem}.json", {"size": len(CONTENT), "mark": tag}
    )
    assert partial.identity == Identity(len(CONTENT), tag)
    partial.path.symlink_to("/dev/full")
    with pytest.raises(LandmarksError, match="no space on the disk of .*state. Free some"):
        bring(site.url)
    assert not (tmp_path / "data").exists()
    partial.path.unlink()
    assert bring(site.url) == CONTENT


def test_a_file_larger_than_the_disk_is_not_begun(site: Site, bring: Bring) -> None:
    def huge(request: Request) -> None:
        request.right(lie=1 << 60)

    site.answers = [huge]
    with pytest.raises(LandmarksError, match=r"no space on the disk .* bytes: [\d,]+ are free"):
        bring(site.url)
    assert len(site.asked) == 1


def test_the_bar_counts_bytes(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.answers = [breaks(), lambda request: request.right(ranges=False)]
    target = tmp_path / "a.zip"
    fetch(site.url, target, sha256=None, state=tmp_path / "state", progress=True)
    said = capsys.readouterr()
    assert "the connection ended too early; trying again in 0.01 s" in said.err
    assert "587k/587k" in said.err, "of the file, not of all that was sent"


def test_a_path_and_a_file_url_are_copied(tmp_path: Path, bring: Bring) -> None:
    original = tmp_path / "mine.zip"
    original.write_bytes(CONTENT)
    assert bring(str(original)) == CONTENT
    assert bring(original.as_uri()) == CONTENT
    assert original.read_bytes() == CONTENT


@pytest.mark.parametrize("same", [True, False])
def test_the_rest_of_a_file_is_read_only_if_it_is_the_same(
    tmp_path: Path, bring: Bring, same: bool
) -> None:
    original = tmp_path / "mine.zip"
    original.write_bytes(CONTENT)
    partial = Partial(tmp_path / "state", str(original))
    mark = original.stat().st_mtime if same else 0.0
    with partial.alone(), partial.writing(0, Identity(len(CONTENT), str(mark))) as file:
        file.write(CONTENT[: CUT - 4] + b"mark")
    brought = bring(str(original))
    assert brought[CUT - 4 : CUT] == (b"mark" if same else CONTENT[CUT - 4 : CUT])
    assert brought[CUT:] == CONTENT[CUT:]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("missing.zip", "missing.zip is missing"),
        (".", "is a folder"),
        ("/dev/null/landmark_images.zip", "is missing"),
        ("teleport://bucket/landmark_images.zip", "teleport"),
        ("http://", "cannot be read"),
    ],
)
def test_a_source_that_is_not_there_is_named(bring: Bring, source: str, said: str) -> None:
    with pytest.raises(LandmarksError, match=said) as caught:
        bring(source)
    assert caught.value.hint


def test_storage_whose_package_is_missing_names_it(
    bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)  # as in an installation without it
    monkeypatch.delitem(KNOWN_STORES, "s3", raising=False)  # as no test before this one left it
    with pytest.raises(LandmarksError, match="s3fs.*pip install s3fs"):
        bring("s3://bucket/landmark_images.zip")


@pytest.mark.parametrize("way", ["error", "early end"])
def test_other_storage_is_read_and_resumed(bring: Bring, way: str) -> None:
    """A backend of fsspec whose connection breaks once."""
    import fsspec
    from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

    class Breaking(MemoryFile):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > CUT and not Shaky.broken:
                Shaky.broken = True
                if way == "early end":
                    return b""
                raise OSError("connection reset by the storage")
            Shaky.read += [self.tell()]
            return super().read(size)

    class Shaky(MemoryFileSystem):
        protocol = "shaky"
        broken = False
        read: list[int] = []
        store: dict[str, MemoryFile] = {}

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return "/" + path.removeprefix("shaky://").lstrip("/")

        def _open(self, path: str, *args: object, **options: object) -> MemoryFile:
            return Breaking(self, path, self.store[path].getvalue())

    fsspec.register_implementation("shaky", Shaky, clobber=True)
    Shaky.store["/landmark_images.zip"] = MemoryFile(Shaky(), "/landmark_images.zip", CONTENT)
    assert bring("shaky://landmark_images.zip", hashlib.sha256(CONTENT).hexdigest()) == CONTENT
    assert Shaky.broken
    assert Shaky.read == sorted(Shaky.read), "no byte was read twice"


def test_the_real_archive(shared: Path, bring: Bring, tmp_path: Path) -> None:
    source = shared / "photos50" / "landmark_images.zip"
    expected = "92b8f737456edf2a186b638192294b93aebafc3baa98febaedd1b17f3fa7bafe"
    bring(str(source), expected)
    with open_archive(tmp_path / "data" / "landmark_images.zip") as archive:
        photos = layout(archive.members, archive.folders)
        assert len(photos) == 4991
        assert sum(photo.official_split == "test" for photo in photos) == 998
        assert len({photo.class_name for photo in photos}) == 50
        assert archive.read(photos[0].path).startswith(b"\xff\xd8")
