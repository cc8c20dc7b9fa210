"""Archives as people pack them, and as attackers do: read without unpacking, or refused."""

import multiprocessing
import os
import pickle
import stat
import warnings
import zipfile
from pathlib import Path

import pytest

from landmarks.data.archive import Archive, Member, open_archive
from landmarks.errors import LandmarksError

ROOT = Path(__file__).resolve().parents[1]
PHOTO = b"\xff\xd8\xff" + bytes(range(256)) * 8
GOOD = ["a/1.jpg", "a/2.jpg", "a/3.jpg", "b/1.png", "b/2.webp", "b/3.HEIC"]


def pack(path: Path, names: list[str], *, content: bytes = PHOTO) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"" if name.endswith("/") else content)
    return path


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return pack(tmp_path / "good.zip", GOOD)


def test_photos_are_listed_sorted_and_read(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.zip", GOOD[::-1])
    with open_archive(path) as archive:
        assert archive.members == [Member(name, len(PHOTO)) for name in sorted(GOOD)]
        assert archive.read(archive.members[0]) == archive.read("b/3.HEIC") == PHOTO
    assert [entry.name for entry in tmp_path.iterdir()] == ["photos.zip"], "nothing is unpacked"


def test_what_systems_leave_behind_is_counted(tmp_path: Path) -> None:
    junk = ["__MACOSX/a/._1.jpg", "a/.DS_Store", "a/Thumbs.db", ".hidden/x.jpg", "a/.x.jpg"]
    other = ["README.md", "a/labels.csv", "noext"]
    with open_archive(pack(tmp_path / "x.zip", GOOD + junk + other)) as archive:
        assert [member.name for member in archive.members] == sorted(GOOD)
        assert archive.skipped == {"hidden or left behind by the system": 5, "not an image": 3}
        assert archive.folders == ["a", "b"]


# --- several processes ---------------------------------------------------------------------------


def _read_often(archive: Archive, wanted: list[str]) -> list[bytes]:
    return [archive.read(name) for _ in range(20) for name in wanted]


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_several_processes_read_one_archive(tmp_path: Path, way: str) -> None:
    """With a handle that forked processes share, their seeks would disturb each other."""
    path = tmp_path / "photos.zip"
    content = {f"a/{number}.jpg": os.urandom(50_000 + number) for number in range(8)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, photo in content.items():
            file.writestr(name, photo)
    with open_archive(path) as archive, multiprocessing.get_context(way).Pool(3) as pool:
        archive.read("a/1.jpg")
        tasks = [(archive, [name] * 3) for name in content]
        for (_, (name, *_)), read in zip(tasks, pool.starmap(_read_often, tasks), strict=True):
            assert set(read) == {content[name]}


_INHERITED: list[Archive] = []


def _read_inherited(name: str) -> list[bytes]:
    return [_INHERITED[0].read(name) for _ in range(50)]


def test_a_forked_process_opens_a_handle_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    content = {f"a/{number}.jpg": os.urandom(50_000 + number) for number in range(8)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, photo in content.items():
            file.writestr(name, photo)
    with open_archive(path) as archive:
        _INHERITED[:] = [archive]
        with multiprocessing.get_context("fork").Pool(4) as pool:
            for name, read in zip(content, pool.map(_read_inherited, content, 1), strict=True):
                assert set(read) == {content[name]}


def test_a_pickled_archive_opens_anew(good: Path) -> None:
    with open_archive(good) as archive:
        copy = pickle.loads(pickle.dumps(archive))
    assert copy.read("a/1.jpg") == PHOTO
    copy.close()


# --- hostile and damaged -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "../1.jpg",
        "a/../../1.jpg",
        "/etc/1.jpg",
        "C:/1.jpg",
        "c:1.jpg",
        "a\\1.jpg",
        "..\\1.jpg",
        "a/\n1.jpg",
        "a/\x1b[2J.jpg",
        "../folder/",
        "../.hidden",
    ],
)
def test_names_that_climb_out_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LandmarksError, match=r"evil\.zip: member `") as caught:
        open_archive(pack(tmp_path / "evil.zip", [*GOOD, name]))
    assert caught.value.hint
    assert str(caught.value).isprintable()


def test_a_name_with_a_null_byte_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "evil.zip", ["a/1.jpgX.exe"])
    path.write_bytes(path.read_bytes().replace(b"a/1.jpgX.exe", b"a/1.jpg\0.exe"))
    with pytest.raises(LandmarksError, match="control characters"):
        open_archive(path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    path, info = tmp_path / "evil.zip", zipfile.ZipInfo("a/link.jpg")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    said = "is a link" if kind == stat.S_IFLNK else "is neither"
    with pytest.raises(LandmarksError, match=rf"member `a/link\.jpg` {said}"):
        open_archive(path)


@pytest.mark.parametrize("bit", [0x1, 0x40])
def test_encrypted_members_are_refused(good: Path, bit: int) -> None:
    content = bytearray(good.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= bit
    good.write_bytes(content)
    with pytest.raises(LandmarksError, match=r"`a/1\.jpg` is encrypted.*without a password"):
        open_archive(good)


@pytest.mark.parametrize("name", ["a/more.zip", "more.tar.gz", "a/b.7Z", "x.rar"])
def test_nested_archives_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LandmarksError, match="is an archive itself"):
        open_archive(pack(tmp_path / "x.zip", [*GOOD, name]))


@pytest.mark.parametrize("twin", ["a/1.jpg", "./a/1.jpg", "a//1.jpg"])
def test_duplicate_names_are_refused(tmp_path: Path, twin: str) -> None:
    with warnings.catch_warnings(action="ignore"):  # zipfile notices it, too
        path = pack(tmp_path / "x.zip", [*GOOD, twin])
    with pytest.raises(LandmarksError, match="stands in it twice"):
        open_archive(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_whose_output_cannot_be_bounded_are_refused(tmp_path: Path, method: int) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a/1.jpg", PHOTO)
    with pytest.raises(LandmarksError, match="method"):
        open_archive(path)


def test_a_photo_that_unpacks_to_far_more_than_it_weighs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/noise.jpg", os.urandom(1 << 20))
        archive.writestr("a/bomb.jpg", bytes(64 << 20))
    with pytest.raises(LandmarksError, match=r"`a/bomb\.jpg` unpacks from [\d,]+ to 67,108,864"):
        open_archive(path)


def test_many_small_bombs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(9):
            archive.writestr(f"a/{number}.txt", bytes(4 << 20))
    with pytest.raises(LandmarksError, match="weighs .* unpacks to"):
        open_archive(path)


def test_a_large_archive_of_real_weight_is_no_bomb(tmp_path: Path) -> None:
    with open_archive(pack(tmp_path / "x.zip", GOOD, content=os.urandom(7 << 20))) as archive:
        assert len(archive.members) == 6


def test_one_flat_bitmap_is_no_bomb(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/flat.bmp", bytes(12 << 20))
    with open_archive(path) as opened:
        assert len(opened.read("a/flat.bmp")) == 12 << 20


def test_members_that_share_bytes_are_refused(tmp_path: Path) -> None:
    """The trick of bombs without recursion: many entries point at one piece of data."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/1.jpg", os.urandom(100_000))
        first = archive.infolist()[0]
        for number in range(2, 9):
            twin = zipfile.ZipInfo(f"a/{number}.jpg")
            twin.compress_size = twin.file_size = first.file_size
            twin.CRC, twin.header_offset = first.CRC, 0
            archive.filelist.append(twin)
        archive._didModify = True  # type: ignore[attr-defined]
    with pytest.raises(LandmarksError, match="share bytes"):
        open_archive(path)
