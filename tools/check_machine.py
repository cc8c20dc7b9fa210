"""Says, before anything is installed, what this machine lacks and how to get it.

Runs on the system's own Python, which may be too old for the project: only the standard library,
and nothing newer than Python 3.8.
"""

import os
import shutil
import sys

OLDEST = (3, 11)
NEWEST = (3, 13)
# What `make setup` needs: the packages unpacked, and their downloads while it installs them.
DISK_GB = 8.0


def python_problem(version: "tuple[int, int]") -> "str | None":
    """Return what is wrong with a Python of `version` (major, minor), or None."""
    if OLDEST <= version <= NEWEST:
        return None
    return (
        f"Python {version[0]}.{version[1]} at {sys.executable} cannot be used: the packages are "
        "pinned for Python 3.11 to 3.13. Install one (Debian, Ubuntu: `sudo apt-get install "
        "python3.11 python3.11-venv`), or name one: `make PYTHON=/path/to/python3.12 setup`."
    )


def venv_problem(version: "tuple[int, int]") -> "str | None":
    """Return why this Python cannot make a virtual environment with pip, or None."""
    try:
        import ensurepip
        import venv

        assert ensurepip and venv
    except ImportError:
        name = f"python{version[0]}.{version[1]}"
        return (
            f"{sys.executable} cannot make virtual environments. "
            f"Debian, Ubuntu: `sudo apt-get install {name}-venv`."
        )
    return None


def disk_problem(free_bytes: int, folder: str) -> "str | None":
    """Return what is wrong with `free_bytes` on the disk of `folder`, or None."""
    free_gb = free_bytes / 1e9
    if free_gb >= DISK_GB:
        return None
    return (
        f"{free_gb:.1f} GB are free on the disk of {folder}, and the installation needs "
        f"{DISK_GB:.0f} GB. Free some, or clone the project to a larger disk."
    )


def git_problem(folder: str) -> "str | None":
    """Return why DVC cannot work in `folder`, or None."""
    if shutil.which("git") is None:
        return "git is missing. Debian, Ubuntu: `sudo apt-get install git`."
    if not os.path.exists(os.path.join(folder, ".git")):
        return f"{folder} is no Git clone, and DVC needs one. Get it with `git clone`."
    return None


def main() -> int:
    """Print one line for each thing that is missing; return the exit code."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    version = (sys.version_info[0], sys.version_info[1])
    problems = [python_problem(version)]
    if problems == [None]:
        problems.append(venv_problem(version))
    problems.append(disk_problem(shutil.disk_usage(folder).free, folder))
    problems.append(git_problem(folder))
    for problem in filter(None, problems):
        sys.stderr.write(f"error: {problem}\n")
    return 1 if any(problems) else 0


if __name__ == "__main__":
    sys.exit(main())
