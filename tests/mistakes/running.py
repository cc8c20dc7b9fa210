"""Real commands as their users run them, in processes of their own that start at once.

Most of a command's first second or three goes into importing NumPy and PyTorch. Here a server
process (Python's `forkserver`) has imported them, and each run is a fork of it that becomes
`python -m MODULE`: its own folder, environment, limits, output, exit status and process group.
"""

import contextlib
import ctypes
import multiprocessing
import os
import re
import resource
import runpy
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing import forkserver
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("numpy", "pandas", "PIL.Image", "pydantic", "requests", "fsspec", "yaml", "typer")
HEAVY = ("torch", "torchvision", "lightning_fabric", "safetensors.torch", "scipy.sparse.csgraph")
LONGEST = 240.0  # seconds; most take less than one, on an idle machine
# What the caller's environment must not tell a command that is looked at.
_OWN = re.compile("LANDMARKS_|PYTHONPATH$|.*_proxy$|.*_PROXY$|TORCHELASTIC|(LOCAL_)?RANK$")


@dataclass(frozen=True)
class Setting:
    """How a command is run.

    Attributes:
        environment: variables to set.
        file_bytes: no file may grow beyond it: what a full disk is to a program.
        memory_bytes: of address space.
        bound: permission bits bind the process, even where it is root's.
        silence: seconds that a download waits for a byte; between its tries it hardly waits.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    file_bytes: int | None = None
    memory_bytes: int | None = None
    bound: bool = False
    silence: float = 5.0


@dataclass(frozen=True)
class Done:
    """How a command ended.

    Attributes:
        status: the exit status, negative for a signal.
        out, err: what it printed.
        grown: bytes that its memory grew by at most, above the libraries that it started with.
        workers: bytes that the largest of the processes that it started held at most.
    """

    status: int
    out: str
    err: str
    grown: int
    workers: int


class Running:
    """A command that runs in `folder`; its process group has its own number."""

    def __init__(self, folder: Path, command: tuple[str, ...], setting: Setting) -> None:
        self.folder, self.command = folder, command
        self.output = folder.parent / "output"
        self.output.mkdir(exist_ok=True)
        (self.output / "memory").unlink(missing_ok=True)
        context = multiprocessing.get_context("forkserver")
        job = (str(folder), command, setting, str(self.output))
        # The signature of Process does not know that this context makes its own kind of it.
        self.process = context.Process(target=_become, args=job)
        self.process.start()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal as a terminal does: to all processes of the command."""
        assert self.process.pid
        os.killpg(self.process.pid, number)

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait for something to happen while the command runs."""
        deadline = time.monotonic() + LONGEST
        while not ready():
            if not self.process.is_alive() or time.monotonic() > deadline:
                raise AssertionError(f"{self.command} ended before: {self.finish()}")
            time.sleep(0.01)

    def finish(self) -> Done:
        """Wait for the end."""
        self.process.join(LONGEST)
        if self.process.is_alive():
            self.signal(signal.SIGKILL)
            raise AssertionError(f"{self.command} takes longer than {LONGEST:g} s")
        out, err = ((self.output / name).read_text(errors="replace") for name in ("out", "err"))
        assert self.process.exitcode is not None
        memory = self.output / "memory"
        grown, workers = map(int, memory.read_text().split()) if memory.exists() else (0, 0)
        return Done(self.process.exitcode, out, err, grown, workers)


@contextlib.contextmanager
def server() -> Iterator[None]:
    """Start the process that the others are forks of, with all that takes time imported."""
    context = multiprocessing.get_context("forkserver")
    forkserver._forkserver._stop()  # type: ignore[attr-defined]  # another test's, with less in it
    context.set_forkserver_preload([*LIBRARIES, *HEAVY, __name__])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    try:
        yield
    finally:
        forkserver._forkserver._stop()  # type: ignore[attr-defined]
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _become(folder: str, command: tuple[str, ...], setting: Setting, output: str) -> None:
    """Be `python -m COMMAND` in `folder`."""
    os.setsid()
    # Who runs the tests in the background has them ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    for number, name in ((1, "out"), (2, "err")):
        handle = os.open(Path(output, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    for name in filter(_OWN.match, list(os.environ)):
        del os.environ[name]
    # Workers that the command starts are real new processes, which find the library here.
    own = {"HOME": str(Path(folder).parent), "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}
    own["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    own |= {"DVC_NO_ANALYTICS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    os.environ |= own | {"LANDMARKS_DEVICE": "cpu", "LANDMARKS_WORKERS": "1", "COLUMNS": "200"}
    # This is a fork of a server; what starts itself anew for a hash seed would become that server.
    os.environ |= {"PYTHONHASHSEED": "0", **setting.environment}
    if setting.bound:
        _obey_permissions()
    for name in [name for name in sys.modules if name.split(".")[0] in ("landmarks", "tools")]:
        del sys.modules[name]
    sys.argv = list(command)
    # `python -m` finds modules in the folder first; `tools` stands in some of the projects.
    sys.path[:] = [folder, str(ROOT), *(p for p in sys.path if p not in ("", folder, str(ROOT)))]
    for limit, size in (
        (resource.RLIMIT_FSIZE, setting.file_bytes),
        (resource.RLIMIT_AS, setting.memory_bytes),
    ):
        if size is not None:
            resource.setrlimit(limit, (size, size))
    if command[0] in ("stages.download", "stages.attribution"):
        _make_haste(setting.silence)
    before = _memory("VmRSS")
    try:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    finally:
        workers = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        Path(output, "memory").write_text(f"{_memory('VmHWM') - before} {workers}")


def _memory(name: str) -> int:
    """Return a figure of this process in bytes, 0 where the system does not tell."""
    status = Path("/proc/self/status")
    found = re.search(rf"{name}:\s+(\d+) kB", status.read_text() if status.exists() else "")
    return 1024 * int(found[1]) if found else 0


def _obey_permissions() -> None:
    """Be bound by permission bits even as root, as people are that are not."""
    if os.geteuid():
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process: capset(2)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the higher 32 bits
    override, read_search = 1 << 1, 1 << 2
    assert libc.capget(header, sets) == 0
    for number in (0, 1):
        sets[number] &= ~(override | read_search)
    assert libc.capset(header, sets) == 0


def _make_haste(silence: float) -> None:
    from landmarks.data.attributing import attribute
    from landmarks.data.download import download
    from landmarks.data.fetch import Patience

    haste = Patience(tries=4, first_wait=0.01, longest_wait=0.5, timeout=silence)
    for patient in (download, attribute):
        assert patient.__kwdefaults__ is not None
        patient.__kwdefaults__["patience"] = haste
