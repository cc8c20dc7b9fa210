"""The one error that users see: what is wrong, where, and what to do next."""

import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)

_AGAIN = "run the same command again"


class LandmarksError(Exception):
    """A mistake in the input, the parameters or the machine that its user can mend.

    Args:
        message: what is wrong and where, without a full stop at the end.
        hint: what to do next, as a sentence; empty where nothing can be advised.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


class Terminated(BaseException):
    """The process was asked to end, by SIGTERM. Like KeyboardInterrupt, it is no error."""


def report(error: BaseException) -> str:
    """Return the single line that is printed for `error`: no line breaks, no traceback."""
    text = str(error) or type(error).__name__
    return "error: " + " ".join(text.split())


def forbidden(error: OSError, folder: Path) -> LandmarksError:
    """Return what a user reads about a file or, if none is known, a folder without rights."""
    return LandmarksError(
        f"{error.filename or folder} may not be read or written: {error.strerror}",
        hint="Give your user the right to it, or work in a folder that is yours.",
    )


def run(main: Callable[[], None]) -> None:
    """Call `main`; on an error that a user can mend print one line and exit with 1.

    Ctrl-C exits with 130 and SIGTERM with 143, as shells expect, after all that was half-written
    is removed. Errors of the operating system (disk full, no permission) and a want of memory are
    reported in one line too; any other exception is a defect of this program and keeps its
    traceback.
    """
    asked: list[int] = []
    try:
        with _asked_to_end(asked):
            main()
            sys.stdout.flush()
    except BrokenPipeError:
        # Who reads our output has read enough. Nothing may be flushed into it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (LandmarksError, OSError, MemoryError, RuntimeError) as error:
        if asked:  # a library took the interruption for a mistake of its own
            raise _ended(asked[-1]) from None
        said = _explained(error)
        if said is None:
            raise
        print(report(said), file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise _ended(signal.SIGINT) from None
    except Terminated:
        raise _ended(signal.SIGTERM) from None


def _ended(number: int) -> SystemExit:
    how = "interrupted" if number == signal.SIGINT else "ended by SIGTERM"
    print(f"error: {how}; {_AGAIN} to continue", file=sys.stderr)
    return SystemExit(128 + number)


def _explained(error: BaseException) -> LandmarksError | None:
    """Return what its user reads about an error; None for a defect of this program."""
    if isinstance(error, LandmarksError):
        return error
    if isinstance(error, OSError) and error.errno in FULL:
        what = f"{error.filename}: no" if error.filename else "no"
        return LandmarksError(
            f"{what} space on the disk of {Path.cwd()} ({error.strerror})",
            hint=f"Free some and {_AGAIN}.",
        )
    if isinstance(error, OSError) and error.errno in FORBIDDEN:
        return forbidden(error, Path.cwd())
    if isinstance(error, OSError):
        return LandmarksError(str(error), hint=f"Mend that and {_AGAIN}.")
    # PyTorch has an error of its own for CUDA, and a plain RuntimeError for the CPU.
    said = str(error).lower()
    if isinstance(error, MemoryError) or "out of memory" in said or "allocate memory" in said:
        return LandmarksError(
            "not enough memory" + (f" ({str(error).splitlines()[0][:200]})" if str(error) else ""),
            hint="Close other programs, or lower batch_size, width or crop sizes in params.yaml.",
        )
    return None


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach, not even while they start: it is the parent's."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _asked_to_end(asked: list[int]) -> Iterator[None]:
    """Turn SIGTERM into `Terminated`, so that `finally` removes what is half-written.

    Its number, or that of SIGINT (Ctrl-C), is put into `asked`.

    Not in the processes of torchrun: it ends them by SIGTERM, maybe while they wait for each other
    in C code, where Python would not notice.
    """
    here = os.getpid()

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # whoever asks twice means at once
        if os.getpid() != here:  # a fork of this process, such as a worker of PyTorch
            os.kill(os.getpid(), number)
        asked.append(number)
        raise Terminated

    def interrupt(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    if not main or "TORCHELASTIC_RUN_ID" in os.environ:
        yield
        return
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, end)}
    # Whoever started this in the background may want it deaf to Ctrl-C: so it stays.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
