"""How a stage runs: alone, on a clean floor, and no longer than the DVC that started it."""

import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from landmarks import environment, errors, files
from landmarks.locks import STATE, alone

WRITTEN = (Path("data"), Path("models"), Path("metrics"), STATE)
"""Where stages write, themselves or in folders of one level."""

WATCH_SECONDS = 0.2
"""How often a stage looks whether DVC lives."""


def run(main: Callable[[], None], *, speaks: Callable[[], bool] = lambda: True) -> None:
    """Call `main` as `errors.run` does, while no other process runs the same stage.

    A stage whose DVC was killed ends within a second: nobody would record what it makes, and it
    would write over the outs of the next `dvc repro`. Whatever outlives DVC all the same (a stage
    started by hand, say) holds the lock, and the next one says so and waits. What was left half
    written by killed processes is removed.

    Args:
        main: the stage, whose arguments are those of the command line.
        speaks: whether this process takes the lock for others that share the work with it.
    """
    gc.freeze()
    gc.enable()
    if "DVC_STAGE" in os.environ or environment.launched():
        with suppress(psutil.Error):
            _end_with(_starter())
    errors.run(lambda: _alone(main) if speaks() else main())


def _alone(main: Callable[[], None]) -> None:
    name = "-".join([Path(sys.argv[0]).stem, *sys.argv[1:]])
    with alone(STATE / f"{name}.lock", f"stage {name}"):
        files.clear_leftovers(*WRITTEN)
        main()


def _starter() -> psutil.Process:
    """Return DVC, or torchrun; some shells stand between DVC and a stage, others make way."""
    parent = psutil.Process(os.getppid())
    main = sys.modules["__main__"].__spec__
    *options, command = parent.cmdline() or [""]
    if options[-1:] == ["-c"] and main is not None and f"-m {main.name}" in command:
        return psutil.Process(parent.ppid())
    return parent


def _end_with(starter: psutil.Process) -> None:
    def watch() -> None:
        with suppress(psutil.NoSuchProcess):
            # Whoever was killed is a zombie until its own starter takes note.
            while starter.is_running() and starter.status() != psutil.STATUS_ZOMBIE:
                time.sleep(WATCH_SECONDS)
        try:
            said = "error: what started this stage was killed; `dvc repro` continues"
            print(said, file=sys.stderr, flush=True)
        finally:  # the terminal may be gone as well
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
