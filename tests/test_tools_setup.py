"""`make setup` before anything is installed: what it checks, and that `make` explains itself."""

import ast
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path

import pytest

from tools import check_machine

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files that set-up needs, at a path with spaces, where no .venv is and disk enough."""
    folder = tmp_path / "a b'c"
    (folder / ".git").mkdir(parents=True)
    shutil.copytree(ROOT / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "requirements.txt", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    check = folder / "tools/check_machine.py"
    measured = "shutil.disk_usage(folder).free"
    assert measured in check.read_text()
    check.write_text(check.read_text().replace(measured, "10**12"))
    return folder


def make(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def fake_python(path: Path, version: str, *, ensurepip: bool = True) -> Path:
    """Write a Python that says it is another version, or has no ensurepip as on bare Debian."""
    prelude = path.with_suffix(".py")
    major, minor = version.split(".")
    prelude.write_text(
        "import sys\n"
        f"sys.version_info = ({major}, {minor}, 0, 'final', 0)\n"
        + ("" if ensurepip else "sys.modules['ensurepip'] = None\n")
        + "if sys.argv[1] == '-c': exec(sys.argv[2])\n"
        "else:\n"
        "    sys.argv = sys.argv[1:]\n"
        "    import runpy; runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{prelude}" "$@"\n')
    path.chmod(0o755)
    return path


def test_make_alone_explains_every_target() -> None:
    shown = make(ROOT).stdout
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    assert phony
    for target in set(phony[1].split()) - {"help"}:
        assert re.search(rf"^  make {target} +[\w\[]", shown, flags=re.MULTILINE), target
    assert max(map(len, shown.splitlines())) <= 100


def test_check_runs_on_old_pythons() -> None:
    ast.parse((ROOT / "tools/check_machine.py").read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("version", [(2, 7), (3, 10), (3, 14)])
def test_other_pythons_are_refused_with_what_to_install(version: tuple[int, int]) -> None:
    said = check_machine.python_problem(version)
    assert said and "apt-get install" in said and "3.11 to 3.13" in said


def test_this_machine_passes() -> None:
    version = (sys.version_info[0], sys.version_info[1])
    assert check_machine.python_problem(version) is None
    assert check_machine.venv_problem(version) is None
    assert check_machine.git_problem(str(ROOT)) is None


def test_disk_is_measured() -> None:
    assert check_machine.disk_problem(8_000_000_000, "/x") is None
    said = check_machine.disk_problem(7_900_000_000, "/x")
    assert said and "7.9 GB" in said and "/x" in said


def test_a_python_that_is_not_there(clone: Path) -> None:
    done = make(clone, "setup", "PYTHON=/nowhere/python3.12")
    assert done.returncode != 0
    assert "error: /nowhere/python3.12 does not run" in done.stderr
    assert not (clone / ".venv").exists()


def test_a_python_that_is_too_old(clone: Path, tmp_path: Path) -> None:
    done = make(clone, "setup", f"PYTHON={fake_python(tmp_path / 'python', '3.9')}")
    assert done.returncode != 0
    assert "error: Python 3.9 at" in done.stderr and "Traceback" not in done.stderr
    assert not (clone / ".venv").exists()


def test_a_python_without_venv(clone: Path, tmp_path: Path) -> None:
    python = fake_python(tmp_path / "python", "3.12", ensurepip=False)
    done = make(clone, "setup", f"PYTHON={python}")
    assert done.returncode != 0
    assert "apt-get install python3.12-venv" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_disk_with_too_little_room(clone: Path) -> None:
    check = clone / "tools/check_machine.py"
    check.write_text(check.read_text().replace("10**12", "10**9"))
    done = make(clone, "setup", f"PYTHON={sys.executable}")
    assert done.returncode != 0
    assert "error: 1.0 GB are free on the disk of" in done.stderr and "8 GB" in done.stderr
    assert not (clone / ".venv").exists()


def test_no_clone_but_an_unpacked_archive(clone: Path) -> None:
    (clone / ".git").rmdir()
    done = make(clone, "setup", f"PYTHON={sys.executable}")
    assert done.returncode != 0
    assert "git clone" in done.stderr


class Index(ThreadingHTTPServer):
    """A package index on the loopback: wheels of what is installed here; notes who asks.

    Its address has an apostrophe, which pip's list of settings writes in other quotes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, str]] = []
        super().__init__(("127.0.0.1", 0), partial(Request, directory=str(folder)))
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def offer(self, name: str) -> str:
        """Pack a distribution into a wheel again; return its pinned requirement."""
        found, page = metadata.distribution(name), self.folder / "it's" / name
        page.mkdir(parents=True)
        wheel = page / f"{name}-{found.version}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for file in found.files or []:
                place = str(file)
                if place.startswith("../"):
                    place = f"{name}-{found.version}.data/scripts/{file.name}"
                if file.name not in ("INSTALLER", "REQUESTED") and file.suffix != ".pyc":
                    archive.write(str(file.locate()), place)
        (page / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
        return f"{name}=={found.version}\n"

    def askers(self, name: str) -> set[str]:
        """Return the programs that asked for a package."""
        return {agent for path, agent in self.asked if f"/{name}/" in path}


class Request(SimpleHTTPRequestHandler):
    server: Index

    def log_message(self, *_: object) -> None:
        agent = self.headers.get("User-Agent", "").split("/")[0]
        self.server.asked.append((self.path, agent))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    (tmp_path / "index").mkdir()
    with Index(tmp_path / "index") as server:
        yield server
        server.shutdown()


@pytest.fixture
def small(clone: Path, index: Index) -> Path:
    """A clone that needs two small packages, and whose own package is empty."""
    needed = index.offer("six") + index.offer("setuptools")
    (clone / "requirements.txt").write_text(needed)
    (clone / "constraints.txt").write_text("nvidia-nothing==1 ; sys_platform == 'none'\n" + needed)
    (clone / "pyproject.toml").write_text('[project]\nname = "landmarks"\nversion = "0"\n')
    (clone / "landmarks").mkdir()
    return clone


def set_up(folder: Path, index: Index, **environment: str) -> subprocess.CompletedProcess[str]:
    environment |= {"PIP_NO_CACHE_DIR": "1", "UV_NO_CACHE": "1"}
    environment["PIP_INDEX_URL"] = f"http://127.0.0.1:{index.server_address[1]}/it's"
    return make(folder, "setup", f"PYTHON={sys.executable}", **environment)


def installer(folder: Path, name: str) -> str:
    (found,) = folder.glob(f".venv/lib/python*/site-packages/{name}-*.dist-info/INSTALLER")
    return found.read_text().strip()


def test_uv_installs_from_where_pip_was_told_to(small: Path, index: Index) -> None:
    uv = index.offer("uv")
    (small / "constraints.txt").write_text((small / "constraints.txt").read_text() + uv)
    done = set_up(small, index, PIP_NO_INDEX="false")
    assert done.returncode == 0, done.stderr
    assert installer(small, "six") == installer(small, "landmarks") == "uv"
    assert index.askers("six") == {"uv"} and index.askers("uv") == {"pip"}
    assert not (small / ".venv/tmp").exists()
    asked = len(index.asked)
    assert set_up(small, index).stdout == "" and len(index.asked) == asked


def test_failing_is_told_and_the_next_run_starts_again_with_pip_where_uv_is_not_to_be_had(
    small: Path, index: Index
) -> None:
    needed = (small / "requirements.txt").read_text()
    (small / "requirements.txt").write_text(needed + "no-such-distribution-of-landmarks==1.0\n")
    foreign = {"PIP_CONSTRAINT": "/nowhere/of another project.txt"}
    done = set_up(small, index, **foreign)
    assert done.returncode != 0
    assert "no-such-distribution-of-landmarks" in done.stderr
    assert "error: pip could not install" in done.stderr
    assert not (small / ".venv/.installed").exists()
    (small / "requirements.txt").write_text(needed)
    again = set_up(small, index, **foreign)
    assert again.returncode == 0, again.stderr
    assert "Making .venv" in again.stdout
    assert "uv could not install the packages; pip tries." in again.stdout
    assert installer(small, "six") == installer(small, "landmarks") == "pip"


def programs_that_say(folder: Path, said: str) -> None:
    """Make a project with the real Makefile, and programs that only print something."""
    shutil.copy(ROOT / "Makefile", folder)
    programs = folder / ".venv/bin"
    programs.mkdir(parents=True)
    for name in ("dvc", "python"):
        (programs / name).write_text(f'#!/bin/sh\necho "{said}"\n')
        (programs / name).chmod(0o755)


def test_what_the_environment_calls_stage_is_no_option(tmp_path: Path) -> None:
    programs_that_say(tmp_path, "$*; ${STAGE-none}")
    command = ("-o", "setup", "release", "VERSION=1.0.0")
    elsewhere = make(tmp_path, *command, STAGE="prod").stdout
    assert elsewhere.splitlines() == ["-m tools.release 1.0.0 --stage ; none"]
    asked = make(tmp_path, *command, "STAGE=prod").stdout
    assert asked.splitlines() == ["-m tools.release 1.0.0 --stage prod; prod"]


@pytest.mark.parametrize(
    ("target", "given", "policy"),
    [("repro", "", "unset"), ("test", "", "passive"), ("test", "active", "active")],
)
def test_threads_sleep_only_beside_other_programs(
    target: str, given: str, policy: str, tmp_path: Path
) -> None:
    programs_that_say(tmp_path, "policy ${OMP_WAIT_POLICY-unset}")
    env = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    # With -o, set-up counts as done.
    said = subprocess.run(
        ["make", "-o", "setup", target],
        cwd=tmp_path,
        env=env | ({"OMP_WAIT_POLICY": given} if given else {}),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"policy {policy}" in said.splitlines(), said
