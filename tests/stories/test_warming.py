"""What stories take for `python` and `dvc` behaves as these do: see warming.py."""

import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from stories.clone import PROGRAMS, Clone
from stories.warming import programs

pytestmark = pytest.mark.usefixtures("warm")

MODULE = """
import os, sys

print(sys.argv[1:], os.getcwd(), os.environ["HOME"], sys.stdin.read(), __name__)
print("imported", sorted({"torch", "dvc"} & set(sys.modules)))
print("trouble", file=sys.stderr)
"""


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A folder with one module, which says what it is given."""
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a folder/said.py").write_text(MODULE)
    return Clone(tmp_path / "a folder", tmp_path)


def said(clone: Clone, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the module with a text on its standard input."""
    return subprocess.run(
        ["python", "-m", "said", *arguments],
        cwd=clone.folder,
        env=clone.environment(),
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_fork_gets_all_that_a_program_gets(clone: Clone) -> None:
    done = said(clone, "given", "one", "two words")
    given, imported = done.stdout.splitlines()
    assert given == f"['one', 'two words'] {clone.folder} {clone.home} given __main__"
    assert imported == "imported ['dvc', 'torch']"
    assert (done.stderr, done.returncode) == ("trouble\n", 0)


def test_another_variable_that_is_read_at_the_start_starts_it_for_real(clone: Clone) -> None:
    for name, value in (("PYTHONHASHSEED", "7"), ("OMP_NUM_THREADS", "1"), ("TZ", "Asia/Tokyo")):
        done = said(replace(clone, env={name: value}), "given")
        assert "imported []" in done.stdout
    no_module = "import sys; print('torch' in sys.modules)"
    assert clone.run("python", "-c", no_module).stdout == "False\n"


def test_a_fork_ends_as_its_module_does(clone: Clone) -> None:
    ends = {"sys.exit(3)": 3, "sys.exit('no')": 1, "1 / 0": 1}
    ends |= {f"os.kill(os.getpid(), {int(n)})": -n for n in (signal.SIGTERM, signal.SIGKILL)}
    for line, status in ends.items():
        (clone.folder / "said.py").write_text(f"{MODULE}\n{line}\n")  # read anew each time
        assert said(clone, "").returncode == status, line


def test_what_a_fork_starts_is_a_fork(clone: Clone) -> None:
    start = "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'said', 'inner'])\n"
    (clone.folder / "outer.py").write_text(start)
    assert "imported ['dvc', 'torch']" in clone.python("outer").stdout


def test_a_fork_whose_client_was_killed_is_no_reason_to_wait(clone: Clone, tmp_path: Path) -> None:
    (clone.folder / "slow.py").write_text("import time\nprint(flush=True)\ntime.sleep(90)\n")
    (tmp_path / "server").mkdir()
    with programs(tmp_path / "server") as place:
        command, env = [str(place / "python"), "-m", "slow"], clone.environment()
        with subprocess.Popen(command, cwd=clone.folder, env=env, stdout=subprocess.PIPE) as client:
            assert client.stdout
            client.stdout.readline()
            client.kill()
        killed = time.monotonic()
    assert time.monotonic() - killed < 45


def test_dvc_is_dvc(clone: Clone) -> None:
    real = clone.run(str(PROGRAMS / "dvc"), "--version").stdout
    assert clone.run("dvc", "--version").stdout == real
    assert clone.run("dvc", "nonsense", check=False).returncode == 254
