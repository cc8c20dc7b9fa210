"""DVC as the tools call it: from this environment, in the repository, with one-line errors."""

import os
import subprocess
import sys
from pathlib import Path

from landmarks.errors import LandmarksError

ROOT = Path(__file__).resolve().parents[1]
# DVC experiments are Git commits; who has told Git no name gets this one.
_IDENTITY = {
    "GIT_AUTHOR_NAME": "landmarks",
    "GIT_AUTHOR_EMAIL": "landmarks@localhost",
    "GIT_COMMITTER_NAME": "landmarks",
    "GIT_COMMITTER_EMAIL": "landmarks@localhost",
}


def environment() -> dict[str, str]:
    """Return the environment for child processes: this Python first, no statistics, a name."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**_IDENTITY, **os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1"}


def run(*arguments: str, root: Path = ROOT) -> None:
    """Run `dvc ARGUMENTS` in `root` with its output as it comes.

    Raises:
        LandmarksError: it failed; its own last lines say why.
    """
    finished = subprocess.run(_command(arguments), cwd=root, env=environment(), check=False)
    if finished.returncode:
        raise LandmarksError(
            f"dvc {' '.join(arguments)} failed in {root}", hint="Its last lines above say why."
        )


def output(*arguments: str, root: Path = ROOT) -> tuple[int, str, str]:
    """Run `dvc ARGUMENTS` in `root`; return exit code, standard output and standard error."""
    finished = subprocess.run(
        _command(arguments),
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return finished.returncode, finished.stdout, finished.stderr


def _command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "dvc", *arguments]
