"""A working copy as its user has it: the folder, the home, and commands that run in it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

# What of the caller's environment would lead a command out of the clone.
_LEAKS = (
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "PYTHONPATH",
    "GIT_DIR",
    "MPLBACKEND",
)

first_on_path: list[Path] = []
"""Folders of programs that all clones find before those of `PROGRAMS`: see warming.py."""
PROGRAMS = Path(sys.executable).parent


@dataclass(frozen=True)
class Clone:
    """A working copy, and the home of its user.

    Args:
        folder: the repository.
        home: where the user's storage and configuration lie; no Git identity in it.
        env: what the user set beside.
    """

    folder: Path
    home: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the environment of the user's commands."""
        kept = {key: value for key, value in os.environ.items() if key not in _LEAKS}
        own = {
            "HOME": str(self.home),
            "PATH": os.pathsep.join(map(str, (*first_on_path, PROGRAMS, os.environ["PATH"]))),
            "GIT_CONFIG_NOSYSTEM": "1",
            "DVC_NO_ANALYTICS": "1",
            "LANDMARKS_DEVICE": "cpu",
            # Compiled modules would be read in place of those that stages declare.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return {**kept, **own, **self.env}

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone as its user; fail the test with its output if it fails."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"{' '.join(command)}: exit code {done.returncode}\n{_shown(done)}")
        return done

    def start(self, *command: str, log: Path) -> "subprocess.Popen[bytes]":
        """Start a command as the leader of a process group; what it says goes to `log`."""
        with log.open("wb") as said:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def python(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `python -m ARGUMENTS` in the clone."""
        return self.run("python", "-m", *arguments, check=check)

    def commit(self) -> None:
        """Put everything that Git does not ignore into a commit."""
        author = ("-c", "user.name=story", "-c", "user.email=story@localhost")
        self.run("git", "add", "--all")
        self.run("git", *author, "commit", "--quiet", "--allow-empty", "--message", "story")

    def copy(self, folder: Path) -> "Clone":
        """Return a copy of the whole folder, DVC's cache included, with the same home."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Clone(folder, self.home, self.env)

    def dirt(self) -> str:
        """Return what `git status` says is changed."""
        return self.run("git", "status", "--porcelain").stdout


def _shown(done: subprocess.CompletedProcess[str]) -> str:
    return f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
