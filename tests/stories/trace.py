"""What a stage opens, moves and reads of its parameters, seen from outside while it runs."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stories.clone import Clone

WATCH = Path(__file__).with_name("watch.py")
# `?`: not every processor has the older ones. Folders that are only listed are no reading.
CALLS = (
    "?open,?openat,?openat2,?creat,?rename,?renameat,?renameat2,?link,?linkat,?symlink,?symlinkat"
)
_OPENED = re.compile(r"^(?:open\w*|creat)\((?P<arguments>.*)\) += \d+<(?P<path>/.*)>$")
_MOVED = re.compile(r"^(?:rename|link|symlink)\w*\((?P<arguments>.*)\) += 0$")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_WRITING = re.compile(r"\bO_(?:WRONLY|RDWR|CREAT|TRUNC|APPEND)\b")


@dataclass(frozen=True)
class Seen:
    """What one run of a stage did; files as paths in the project's folder.

    Args:
        read, written: files opened; one that is opened for both is in both.
        home: files and folders of its user's home that were opened or made there.
        params: dotted keys of parameters got as attributes.
        dumped: dotted keys of parameters handed out by `model_dump`.
    """

    read: frozenset[str]
    written: frozenset[str]
    home: frozenset[str]
    params: frozenset[str]
    dumped: frozenset[str]

    def __or__(self, other: "Seen") -> "Seen":
        """Return what two runs did together."""
        return Seen(
            self.read | other.read,
            self.written | other.written,
            self.home | other.home,
            self.params | other.params,
            self.dumped | other.dumped,
        )


def run(clone: Clone, logs: Path, command: str) -> Seen:
    """Run `python -m MODULE [ARGUMENT]` of a stage in the clone and say what it did.

    strace sees every process that the stage starts, and reads by C++ code.
    """
    logs.mkdir()
    python, option, *rest = command.split()
    assert (python, option) == ("python", "-m"), command
    clone.run(
        *("strace", "-ff", "-qq", "-y", "--seccomp-bpf", "-s", "4096"),
        *("-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(logs / "calls")),
        # Without compiled modules the imports of sources are seen.
        *(sys.executable, "-B", str(WATCH), str(logs / "params.json"), *rest),
    )
    read: set[str] = set()
    written: set[str] = set()
    home: set[str] = set()
    for log in logs.glob("calls.*"):
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            for path, reads, writes in opened(line, clone.folder):
                if inside := _within(path, clone.folder):
                    read |= {inside} if reads else set()
                    written |= {inside} if writes else set()
                elif inside := _within(path, clone.home):
                    home.add(inside)
    keys = json.loads((logs / "params.json").read_text())
    return Seen(*map(frozenset, (read, written, home, keys["read"], keys["dumped"])))


def opened(line: str, folder: Path) -> Iterator[tuple[Path, bool, bool]]:
    """Yield the file that one line of strace tells of, and whether it is read and written.

    Args:
        folder: what a relative path is relative to; only targets of moves are.
    """
    if moved := _MOVED.match(line):
        yield folder / _QUOTED.findall(moved["arguments"])[-1], False, True
    elif found := _OPENED.match(line):
        flags = found["arguments"].rpartition('"')[2]
        created = line.startswith("creat(")
        listed = "O_DIRECTORY" in flags
        writes = created or bool(_WRITING.search(flags))
        yield Path(found["path"]), not (created or listed or "O_WRONLY" in flags), writes


def _within(path: Path, folder: Path) -> str:
    """Return a path from `folder` on; empty for the folder itself and what lies elsewhere."""
    inside = path.is_relative_to(folder) and path != folder
    return path.relative_to(folder).as_posix() if inside else ""
