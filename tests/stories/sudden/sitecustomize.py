"""Sudden death, for every Python that has this folder on its PYTHONPATH and `DEATH` to tell it.

`DEATH=stages.export scratch|rename|models/scratch/.export*` kills the whole process group when
`python -m stages.export scratch` is about to rename a file of the project whose name matches.
`|half|` kills once the file that matches is opened for writing and has bytes on the disk.
`|pause|` stops before the rename until the file `DEATH_UNTIL` exists, and says so. Python imports a
module of this name by itself.
"""

import fnmatch
import os
import signal
import sys
import threading
import time
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR


def die() -> None:
    os.killpg(0, signal.SIGKILL)


def _die_halfway(path: str) -> None:
    while not (os.path.exists(path) and os.stat(path).st_blocks):
        time.sleep(0.0005)
    die()


def _die_after_a_write(path: str) -> None:
    """Die when Python's own code has written to the file; a second half is taken back.

    Such a write may be the whole file, and over before a thread looks; C code needs the thread.
    """

    def watch(frame: Any, event: str, called: Any) -> None:
        if event != "c_return" or called.__name__ not in ("write", "sendfile"):
            return
        if size := os.path.exists(path) and os.stat(path).st_size:
            os.truncate(path, (size + 1) // 2)
            die()

    sys.setprofile(watch)


def _arm(moment: str, pattern: str) -> None:
    event_of = {"half": "open", "rename": "os.rename", "pause": "os.rename"}[moment]
    armed = [True]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event != event_of or not armed or not isinstance(arguments[0], (str, os.PathLike)):
            return
        if event == "open" and not arguments[2] & _WRITING:
            return
        path = os.path.relpath(os.fspath(arguments[0]))
        if not fnmatch.fnmatch(path, pattern):
            return
        armed.clear()
        if moment == "half":
            threading.Thread(target=_die_halfway, args=(path,), daemon=True).start()
            _die_after_a_write(path)
        elif moment == "pause":
            print(f"process {os.getpid()} pauses", file=sys.stderr, flush=True)
            while not os.path.exists(os.environ["DEATH_UNTIL"]):
                time.sleep(0.05)
        else:
            die()

    sys.addaudithook(hook)


if death := os.environ.get("DEATH"):
    who, how, what = death.split("|")
    if " ".join(sys.orig_argv[1:]).endswith(f"-m {who}"):
        _arm(how, what)
