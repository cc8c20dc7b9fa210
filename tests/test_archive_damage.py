"""Archives that are damaged, lie about sizes, or are made to fill the memory."""

import io
import random
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from test_archive import GOOD, PHOTO, pack

from landmarks.data.archive import MemberError, open_archive
from landmarks.data.members import Limits
from landmarks.errors import LandmarksError

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return pack(tmp_path / "good.zip", GOOD)


def opened_elsewhere(path: Path) -> tuple[str, int]:
    """Read an archive in a process of its own: the error, and the most memory it held, in kB."""
    code = (
        "import re, sys; from landmarks.data.archive import *\n"
        "from landmarks.errors import LandmarksError\n"
        "try: open_archive(sys.argv[1]).read('a/1.jpg')\n"
        "except LandmarksError as error: print(error)\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    said, kilobytes = done.stdout.splitlines()
    return said, int(kilobytes)


@pytest.mark.parametrize("declared", [10, len(PHOTO) - 1, len(PHOTO) + 1, 20 << 20])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_header_that_lies_about_the_size_is_found_out(
    tmp_path: Path, declared: int, method: int
) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a/1.jpg", PHOTO)
        archive.writestr("b/1.jpg", PHOTO)
    content = bytearray(path.read_bytes())
    struct.pack_into("<L", content, content.index(b"PK\1\2") + 24, declared)
    path.write_bytes(content)
    with open_archive(path) as opened:
        with pytest.raises(MemberError, match=r"`a/1\.jpg` is damaged"):
            opened.read("a/1.jpg")
        assert opened.read("b/1.jpg") == PHOTO, "the others are read"


def test_a_bomb_behind_a_modest_header_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.jpg", bytes(400 << 20))
    content = bytearray(path.read_bytes())
    struct.pack_into("<L", content, content.index(b"PK\1\2") + 24, 1000)
    path.write_bytes(content)
    said, kilobytes = opened_elsewhere(path)
    assert "damaged" in said
    assert kilobytes < 150_000


def test_a_damaged_photo_does_not_hide_the_others(good: Path) -> None:
    content = bytearray(good.read_bytes())
    content[content.index(PHOTO) + 50] ^= 1
    good.write_bytes(content)
    with open_archive(good) as archive:
        with pytest.raises(MemberError, match=r"`a/1\.jpg` is damaged: .*CRC"):
            archive.read("a/1.jpg")
        assert archive.read("a/2.jpg") == PHOTO
        with pytest.raises(MemberError, match="has no member `x`"):
            archive.read("x")


@pytest.mark.parametrize("keep", [0, 10, 1000, -1, -30], ids=str)
def test_a_truncated_archive_is_refused(good: Path, keep: int) -> None:
    good.write_bytes(good.read_bytes()[:keep])
    with pytest.raises(LandmarksError, match=r"good\.zip is no whole zip archive.*truncated"):
        open_archive(good)


def test_random_damage_never_gives_a_traceback(good: Path) -> None:
    draw, whole = random.Random(1), good.read_bytes()
    for _ in range(400):
        content = bytearray(whole)
        for _ in range(draw.randrange(1, 6)):
            # Mostly in the directory at the end, where the structure is.
            content[-draw.randrange(1, 450 if draw.random() < 0.8 else len(whole))] = (
                draw.randrange(256)
            )
        good.write_bytes(content)
        try:
            with open_archive(good) as archive:
                for member in archive.members:
                    try:
                        archive.read(member)
                    except MemberError:
                        continue
        except LandmarksError as error:
            assert "good.zip" in str(error)


@pytest.mark.parametrize("what", ["missing", "folder", "text"])
def test_what_is_no_archive_is_named(tmp_path: Path, what: str) -> None:
    path = tmp_path / "x.zip"
    if what == "folder":
        path.mkdir()
    elif what == "text":
        path.write_text("not an archive")
    with pytest.raises(LandmarksError, match=r"x\.zip is (missing|a folder|no whole zip)"):
        open_archive(path)


def test_a_million_entries_are_refused_within_memory(tmp_path: Path) -> None:
    """The declared count says two."""
    path = tmp_path / "x.zip"
    two = io.BytesIO()
    with zipfile.ZipFile(two, "w") as archive:
        archive.writestr("a.jpg", b"")
    content = two.getvalue()
    start, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
    entry, count = content[start:end], 1_000_001
    tail = bytearray(content[end:])
    struct.pack_into("<HH", tail, 8, 2, 2)
    struct.pack_into("<LL", tail, 12, len(entry) * count, start)
    path.write_bytes(content[:start] + entry * count + tail)
    said, kilobytes = opened_elsewhere(path)
    assert "has more than 1,000,000 members" in said
    assert kilobytes < 150_000


def test_the_limit_of_entries_is_not_off_by_one(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", GOOD)
    open_archive(path, Limits(members=6)).close()
    with pytest.raises(LandmarksError, match="more than 5 members"):
        open_archive(path, Limits(members=5))


def test_a_zip_of_more_than_65535_members_is_read(tmp_path: Path) -> None:
    """It needs the 64-bit directory."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(66_000):
            archive.writestr(zipfile.ZipInfo(f"a/{number}.jpg"), b"x")
    with open_archive(path) as opened:
        assert len(opened.members) == 66_000
    with pytest.raises(LandmarksError, match="more than 65,000 members"):
        open_archive(path, Limits(members=65_000))


def test_a_zip_that_tells_all_in_64_bits_is_read(good: Path) -> None:
    """Some programs write it so whatever the size: APPNOTE.TXT 4.3.14 and 4.3.15."""
    content = good.read_bytes()
    end = content.rindex(b"PK\5\6")
    count, length, start = struct.unpack_from("<HLL", content, end + 10)
    record = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    large = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *[0xFFFF] * 2, *[0xFFFFFFFF] * 2, 0)
    good.write_bytes(content[:end] + record + locator + large)
    with open_archive(good) as archive:
        assert archive.read("b/1.png") == PHOTO and len(archive.members) == len(GOOD)
