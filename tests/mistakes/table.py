"""What a case of the table is, and how a line that was read is compared with what is promised."""

import re
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from mistakes.projects import Project
from mistakes.running import Setting

Spoil = Callable[[Project], object]


@dataclass(frozen=True)
class Case:
    """How a mistake is made. What whoever made it reads stands in messages.yaml, by its `id`.

    Attributes:
        id: of the test, and in messages.yaml.
        command: what was run then: a module and its arguments, as after `python -m`.
        spoil: makes the mistake in a copy of a project.
        level: how far that project is built (`projects.LEVELS`).
        setting: of the command that fails.
        status: its exit status.
        again: whether the same command is run once more with the mistake mended.
        stop: a signal to send, as a terminal does, once `ready` says so.
        ready: whether the command is in the midst of its work.
    """

    id: str
    command: tuple[str, ...]
    spoil: Spoil
    level: str = "new"
    setting: Setting = field(default_factory=Setting)
    status: int = 1
    again: bool = True
    stop: signal.Signals | None = None
    ready: Callable[[Project], bool] = bool


def matches(said: str, line: str) -> bool:
    """Tell whether a line that was read is the one that is promised; `…` stands for anything."""
    return re.fullmatch(".+?".join(map(re.escape, said.split("…"))), line) is not None


def shown(line: str, project: Project) -> str:
    """Return a line as the page shows it: the folders are those of somebody called `you`."""
    return line.replace(str(project.folder), "/home/you/project").replace(
        str(project.folder.parent), "/home/you"
    )
