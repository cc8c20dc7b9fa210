"""Mistakes in the archive that `download` is given, and attacks by who made it."""

import io
import os
import shutil
import stat
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

from mistakes.projects import Project, anything, good_members, pack, photo
from mistakes.table import Case, Spoil

DOWNLOAD = ("stages.download",)


def archive(make: Callable[[Path], object], name: str = "photos.zip") -> Spoil:
    """Give `download` an archive that `make` writes."""

    def spoil(project: Project) -> None:
        make(project.path(name))
        project.params({"download.source": name})

    return spoil


def members(more: dict[str, bytes], less: str = "never") -> Spoil:
    """Give an archive with some members more, and without those whose name has `less` in it."""
    kept = {name: content for name, content in good_members().items() if less not in name}
    return archive(lambda path: pack(path, kept | more))


def params(**changes: object) -> Spoil:
    """Set parameters of the stage."""
    return lambda project: project.params({f"download.{k}": v for k, v in changes.items()})


def cut(path: Path, share: float) -> None:
    """Keep a part of a file only."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def write_tar(path: Path, mode: str, *more: tarfile.TarInfo) -> None:
    """Write the good photos as a tar, with members more."""
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in good_members().items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in more:
            tar.addfile(info)


def linked(kind: bytes) -> tarfile.TarInfo:
    """Return a member of a tar that leads out of it."""
    info = tarfile.TarInfo("photos/train/00.Arch/link.jpg")
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def _cut_zip(path: Path) -> None:
    cut(pack(path, good_members()), 0.6)


def _cut_tar(path: Path) -> None:
    write_tar(path, "w:gz")
    cut(path, 0.6)


def _link_in_zip(path: Path) -> None:
    pack(path, good_members())
    info = zipfile.ZipInfo("photos/train/00.Arch/link.jpg")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(info, "/etc/passwd")


def _flag_encrypted(path: Path) -> None:
    content = bytearray(pack(path, good_members()).read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)


def _bomb(path: Path) -> None:
    noise = {"photos/noise.jpg": os.urandom(1 << 20)}
    bomb = {"photos/train/00.Arch/bomb.jpg": bytes(64 << 20)}
    pack(path, good_members() | noise | bomb, zipfile.ZIP_DEFLATED)


def _many_bombs(path: Path) -> None:
    bombs = {f"photos/{number}.txt": bytes(4 << 20) for number in range(9)}
    pack(path, good_members() | bombs, zipfile.ZIP_DEFLATED)


def _tar_bomb(path: Path) -> None:
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("photos/train/00.Arch/bomb.jpg")
        info.size = 64 << 20
        tar.addfile(info, io.BytesIO(bytes(info.size)))


def _overlapping(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("photos/train/00.Arch/0.jpg", os.urandom(100_000))
        first = file.infolist()[0]
        for number in range(1, 9):
            twin = zipfile.ZipInfo(f"photos/train/00.Arch/{number}.jpg")
            twin.compress_size = twin.file_size = first.file_size
            twin.CRC, twin.header_offset = first.CRC, 0
            file.filelist.append(twin)
        file._didModify = True  # type: ignore[attr-defined]


def _twice(path: Path) -> None:
    pack(path, good_members())
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(path, "a") as file:
        file.writestr("photos/train/00.Arch/00.jpg", photo(0, 99))


def a_million_entries(path: Path) -> None:
    """Write a zip of a million empty members, in a moment: its directory repeats one entry."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("00.jpg", b"")
    content = path.read_bytes()
    start, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
    entry, count = content[start:end], 1_000_001
    tail = bytearray(content[end:])
    struct.pack_into("<HHLL", tail, 8, 1, 1, len(entry) * count, start)
    path.write_bytes(content[:start] + entry * count + tail)


def folder(make: Callable[[Path], object], name: str = "mine") -> Spoil:
    """Give `download` a folder: of class folders, changed by `make`, or another that it makes."""

    def spoil(project: Project) -> None:
        with zipfile.ZipFile(project.folder / "photos.zip") as file:
            file.extractall(project.folder / "mine")
        make(project.folder / "mine")
        project.params({"download.source": name})

    return spoil


def _folder_with_checksum(project: Project) -> None:
    folder(anything)(project)
    project.params({"download.sha256": "0" * 64})


def _only_negatives(project: Project) -> None:
    """Give good negatives, and an archive that is not there."""
    negatives({"home/1.jpg": photo(0, 0)})(project)
    project.params({"download.source": "nowhere.zip"})


def negatives(contents: dict[str, bytes]) -> Spoil:
    """Give a second archive, of photos without a landmark."""

    def spoil(project: Project) -> None:
        pack(project.path("negatives.zip"), contents)
        project.params({"download.negatives": "negatives.zip"})

    return spoil


def case(id: str, spoil: Spoil) -> Case:
    return Case(id, DOWNLOAD, spoil)


_LONE = {f"photos/{part}/03.Lone/0.jpg": photo(3, len(part)) for part in ("train", "test")}

FILES = (
    case("archive-missing", params(source="nowhere.zip")),
    case("archive-truncated", archive(_cut_zip)),
    case("tar-truncated", archive(_cut_tar, "photos.tar.gz")),
    case("archive-text", archive(lambda path: path.write_text("photos\n"))),
    case("archive-html", archive(lambda path: path.write_text("<html>404</html>"))),
    case("archive-empty", archive(lambda path: path.write_bytes(b""))),
    case("archive-rar", archive(lambda p: p.write_bytes(b"Rar!\x1a\7\1\0" * 99))),
    case("archive-packed-page", archive(lambda p: p.write_bytes(b"\x1f\x8b" * 300))),
    case("checksum", params(sha256="0" * 64)),
    case("checksum-of-sample", params(source="sample", sha256="0" * 64)),
    case("checksum-of-folder", _folder_with_checksum),
)

INSIDE = (
    case("climbs", members({"../../evil.jpg": photo(0, 0)})),
    case("absolute", members({"/etc/evil.jpg": photo(0, 0)})),
    case("windows", members({"C:\\evil.jpg": photo(0, 0)})),
    case("link", archive(_link_in_zip)),
    case(
        "tar-link",
        archive(lambda p: write_tar(p, "w", linked(tarfile.SYMTYPE)), "p.tar"),
    ),
    case(
        "tar-device",
        archive(lambda p: write_tar(p, "w", linked(tarfile.CHRTYPE)), "p.tar"),
    ),
    case("bomb", archive(_bomb)),
    case("bombs", archive(_many_bombs)),
    case("tar-bomb", archive(_tar_bomb, "photos.tgz")),
    case("overlapping", archive(_overlapping)),
    case("nested", members({"photos/more.zip": b"PK"})),
    case("encrypted", archive(_flag_encrypted)),
    case("method", archive(lambda p: pack(p, good_members(), zipfile.ZIP_LZMA))),
    case("twice", archive(_twice)),
    case("million", archive(a_million_entries)),
    case("no-photos", archive(lambda p: pack(p, {"a/x.txt": b"x", "b/y.pdf": b"y"}))),
    case("flat", archive(lambda p: pack(p, {f"{n}.jpg": photo(0, n) for n in (1, 2, 3)}))),
    case(
        "one-class",
        archive(lambda p: pack(p, {f"00.Arch/{n}.jpg": photo(0, n) for n in range(9)})),
    ),
    case("empty-class", members({"photos/train/03.Empty/": b""})),
    case("single-photo", members(_LONE)),
    case("only-train", members({f"photos/train/03.New/{n}.jpg": b"" for n in range(3)})),
    case("only-test", members({"photos/test/03.New/1.jpg": b"x"})),
    case(
        "folder-flat",
        folder(lambda p: shutil.move(p / "photos/train/00.Arch", p.parent / "flat"), "flat"),
    ),
    case("folder-link", folder(lambda p: (p / "photos/x.jpg").symlink_to("/etc"))),
    case("negatives-missing", params(negatives="nowhere.zip")),
    case("negatives-right", _only_negatives),
    case("negatives-flat", negatives({"1.jpg": photo(0, 0)})),
    case("negatives-empty", negatives({})),
)
