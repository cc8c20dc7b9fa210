"""The one error that users see: what is wrong, where, and what to do next."""

import sys
from collections.abc import Callable


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


def report(error: Exception) -> str:
    """Return the single line that is printed for `error`: no line breaks, no traceback."""
    text = str(error) or type(error).__name__
    return "error: " + " ".join(text.split())


def run(main: Callable[[], None]) -> None:
    """Call `main`; on an error that a user can mend print one line and exit with 1.

    Ctrl-C exits with 130 as shells expect. Errors of the operating system (disk full, no
    permission) are reported in one line too; any other exception is a defect of this program
    and keeps its traceback.
    """
    try:
        main()
    except (LandmarksError, OSError) as error:
        print(report(error), file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("error: interrupted; run the same command again to continue", file=sys.stderr)
        raise SystemExit(130) from None
