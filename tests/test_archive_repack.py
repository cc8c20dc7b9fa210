"""Tars and folders become a zip: the same photos the same bytes, hostile ones refused."""

import gzip
import io
import os
import random
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from landmarks.data.archive import layout, open_archive
from landmarks.data.members import Limits
from landmarks.data.repack import normalise
from landmarks.errors import LandmarksError

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = {
    f"{split}/{number:02d}.Näme/{photo}.jpg": b"\xff\xd8\xff" + os.urandom(3000 + photo)
    for split in ("train", "test")
    for number in range(2)
    for photo in range(3)
}


def make_folder(folder: Path, photos: dict[str, bytes] = PHOTOS) -> Path:
    for name, content in photos.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def make_tar(path: Path, photos: dict[str, bytes] = PHOTOS, *, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in photos.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def read_all(path: Path) -> dict[str, bytes]:
    with open_archive(path) as archive:
        return {member.name: archive.read(member) for member in archive.members}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("style", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_any_tar_becomes_the_same_zip_as_the_folder(
    tmp_path: Path, mode: str, style: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tarfile.TarFile, "format", style)
    normalise(make_folder(tmp_path / "folder"), tmp_path / "folder.zip")
    normalise(make_tar(tmp_path / "photos.tar.x", mode=mode), tmp_path / "tar.zip")
    assert read_all(tmp_path / "tar.zip") == PHOTOS
    assert (tmp_path / "tar.zip").read_bytes() == (tmp_path / "folder.zip").read_bytes()


def test_the_tar_program_with_a_dot_and_long_names(tmp_path: Path) -> None:
    photos = {f"{'long' * 40}/{'name' * 40}{n}.jpg": b"x" * n for n in range(3)}
    folder = make_folder(tmp_path / "f", PHOTOS | photos)
    subprocess.run(["tar", "-czf", tmp_path / "x.tgz", "-C", folder, "."], check=True)
    normalise(tmp_path / "x.tgz", tmp_path / "x.zip")
    assert read_all(tmp_path / "x.zip") == PHOTOS | photos


def test_the_bytes_do_not_depend_on_times_or_on_order(tmp_path: Path) -> None:
    backwards = dict(reversed(PHOTOS.items()))
    one, other = make_folder(tmp_path / "1"), make_folder(tmp_path / "2", backwards)
    for file in other.rglob("*.jpg"):
        os.utime(file, (1, 1))
        file.chmod(0o600)
    normalise(one, tmp_path / "1.zip")
    normalise(other, tmp_path / "2.zip")
    normalise(make_tar(tmp_path / "3.tar", backwards), tmp_path / "3.zip")
    assert len({(tmp_path / f"{n}.zip").read_bytes() for n in (1, 2, 3)}) == 1
    with zipfile.ZipFile(tmp_path / "1.zip") as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.namelist() == sorted(PHOTOS)


def test_a_zip_stays_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = b"mine"
        archive.writestr("README", "keep")
    normalise(path, tmp_path / "y.zip")
    assert (tmp_path / "y.zip").read_bytes() == path.read_bytes()


def test_junk_is_left_out_and_empty_classes_are_not_forgotten(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "f", PHOTOS | {".git/x.jpg": b"", "README.md": b""})
    (folder / "train" / "02.Empty").mkdir()
    subprocess.run(["tar", "-cf", tmp_path / "x.tar", "-C", folder, "."], check=True)
    for source in (folder, tmp_path / "x.tar"):
        normalise(source, tmp_path / "x.zip")
        assert read_all(tmp_path / "x.zip") == PHOTOS
        with (
            open_archive(tmp_path / "x.zip") as archive,
            pytest.raises(LandmarksError, match="no photo in `train/02.Empty`"),
        ):
            layout(archive.members, archive.folders)


def test_memory_stays_flat(tmp_path: Path) -> None:
    folder = tmp_path / "f" / "a"
    folder.mkdir(parents=True)
    for number in range(4):
        (folder / f"{number}.jpg").write_bytes(random.Random(number).randbytes(8 << 20))
    subprocess.run(
        ["tar", "-I", "gzip -1", "-cf", tmp_path / "x.tgz", "-C", tmp_path / "f", "a"], check=True
    )
    code = (
        "import re, sys; from pathlib import Path; from landmarks.data.repack import normalise\n"
        "normalise(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "x.tgz"), str(tmp_path / "x.zip")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 45_000, "kilobytes"


# --- hostile and damaged -------------------------------------------------------------------------


def info(name: str, kind: bytes = tarfile.REGTYPE, **facts: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    for key, value in facts.items():
        setattr(member, key, value)
    return member


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (info("../1.jpg"), "points outside"),
        (info("a/../../1.jpg"), "points outside"),
        (info("./../1.jpg"), "points outside"),
        (info("/etc/1.jpg"), "points outside"),
        (info("../folder", tarfile.DIRTYPE), "points outside"),
        (info("a\\1.jpg"), "Windows path"),
        (info("a/l.jpg", tarfile.SYMTYPE, linkname="/etc/passwd"), "is a link"),
        (info("a/l.jpg", tarfile.LNKTYPE, linkname="train/00.Näme/0.jpg"), "is a link"),
        (info("l", tarfile.SYMTYPE, linkname="/"), "is a link"),
        (info("a/p.jpg", tarfile.FIFOTYPE), "neither a plain file"),
        (info("a/d.jpg", tarfile.CHRTYPE), "neither a plain file"),
        (info("a/more.tar.gz"), "is an archive itself"),
        (info("train/00.Näme/0.jpg"), "stands in it twice"),
        (info("./train/00.Näme/0.jpg"), "stands in it twice"),
        (info("a/\udcff.jpg"), "not valid Unicode"),
    ],
    ids=lambda value: (
        value.name.encode("ascii", "replace").decode() if hasattr(value, "name") else ""
    ),
)
def test_hostile_members_of_a_tar_are_refused(
    tmp_path: Path, member: tarfile.TarInfo, said: str
) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        for name, content in PHOTOS.items():
            photo = info(name, size=len(content))
            archive.addfile(photo, io.BytesIO(content))
        archive.addfile(member)
    with pytest.raises(LandmarksError, match=rf"evil\.tar: member `.*{said}"):
        normalise(tmp_path / "evil.tar", tmp_path / "out" / "x.zip")
    assert not list((tmp_path / "out").iterdir()), "nothing half-written"


def test_a_packed_tar_that_bursts_is_refused(tmp_path: Path) -> None:
    with gzip.open(make_tar(tmp_path / "bomb.tgz"), "wb") as file:
        file.write(info("a/1.jpg", size=1 << 30).tobuf())
        for _ in range(200):
            file.write(bytes(1 << 20))
    with pytest.raises(LandmarksError, match="bomb.tgz weighs .* unpacks to"):
        normalise(tmp_path / "bomb.tgz", tmp_path / "out" / "x.zip")
    assert not list((tmp_path / "out").iterdir()), "nothing half-written"


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    """The long name of a GNU tar, forty megabytes of it."""
    long = info("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=40 << 20)
    (tmp_path / "x.tar").write_bytes(long.tobuf() + bytes(40 << 20) + bytes(1024))
    with pytest.raises(LandmarksError, match="a header of 41,943,040 bytes"):
        normalise(tmp_path / "x.tar", tmp_path / "x.zip")


def test_a_header_that_points_backwards_does_not_loop(tmp_path: Path) -> None:
    header = bytearray(info("a", tarfile.AREGTYPE).tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + b"\xfe\x00"  # minus 512, as GNU tar writes large numbers
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    first = info("a/0.jpg").tobuf()
    (tmp_path / "x.tar").write_bytes(first + bytes(header) + bytes(1024))
    with pytest.raises(LandmarksError, match="points backwards"):
        normalise(tmp_path / "x.tar", tmp_path / "x.zip")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_tar_is_refused(tmp_path: Path, mode: str, share: float) -> None:
    path = make_tar(tmp_path / "x.tar", mode=mode)
    content = path.read_bytes()
    end = max(PHOTOS) if mode == "w" else ""
    size = content.rindex(PHOTOS[end]) + 3000 if end else len(content)
    path.write_bytes(content[: int(size * share)])
    with pytest.raises(LandmarksError, match=r"x\.tar is damaged"):
        normalise(path, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_a_broken_header_in_the_middle_is_no_end(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "x.tar", {f"a/{number}.jpg": b"x" for number in range(3)})
    content = bytearray(path.read_bytes())
    content[content.index(b"a/1.jpg") + 50] ^= 1
    path.write_bytes(content)
    with pytest.raises(LandmarksError, match="no end mark"):
        normalise(path, tmp_path / "x.zip")


def test_random_damage_of_a_tar_never_gives_a_traceback(tmp_path: Path) -> None:
    draw, path = random.Random(1), make_tar(tmp_path / "x.tar")
    whole = path.read_bytes()
    for _ in range(200):
        content = bytearray(whole)
        for _ in range(3):
            header = draw.randrange(0, len(whole) // 512) * 512
            content[header + draw.randrange(160)] = draw.randrange(256)
        path.write_bytes(content)
        try:
            normalise(path, tmp_path / "x.zip")
        except LandmarksError as error:
            assert "x.tar" in str(error)


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"\x1f\x8bno gzip", gzip.compress(b"no tar")],
    # Named, as gzip writes the time, and all processes must call a test the same.
    ids=["empty", "a page", "damaged gzip", "gzip of no tar"],
)
def test_what_is_neither_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.bin").write_bytes(content)
    with pytest.raises(LandmarksError, match="neither a zip nor a tar|damaged or no tar") as caught:
        normalise(tmp_path / "x.bin", tmp_path / "x.zip")
    assert caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["x.bin"]


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(LandmarksError, match="nothing.tar is missing"):
        normalise(tmp_path / "nothing.tar", tmp_path / "x.zip")


@pytest.mark.parametrize("what", ["file", "folder", "dangling", "fifo"])
def test_links_and_devices_in_a_folder_are_refused(tmp_path: Path, what: str) -> None:
    folder = make_folder(tmp_path / "f")
    if what == "fifo":
        os.mkfifo(folder / "train" / "x.jpg")
    else:
        target = {"file": "train/00.Näme/0.jpg", "folder": "test", "dangling": "nowhere"}[what]
        (folder / "train" / "x.jpg").symlink_to(folder / target)
    with pytest.raises(LandmarksError, match="member `train/x.jpg` is (a link|neither)"):
        normalise(folder, tmp_path / "x.zip")


def test_too_many_files_in_a_folder_or_tar(tmp_path: Path) -> None:
    for source in (make_folder(tmp_path / "f"), make_tar(tmp_path / "x.tar")):
        with pytest.raises(LandmarksError, match="more than 11 members"):
            normalise(source, tmp_path / "x.zip", Limits(members=11))


def test_a_full_disk_leaves_the_old_archive(tmp_path: Path) -> None:
    """`/dev/full` is a device that has no space; the name is the one that is written first."""
    target = tmp_path / "x.zip"
    target.write_bytes(b"old")
    (tmp_path / f".x.zip.{os.getpid()}.part").symlink_to("/dev/full")
    with pytest.raises(LandmarksError, match="no space on the disk of .* Free some"):
        normalise(make_folder(tmp_path / "f"), target)
    assert target.read_bytes() == b"old"
    normalise(tmp_path / "f", target)
    assert read_all(target) == PHOTOS
