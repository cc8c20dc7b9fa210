"""What a case of the table is, and how what was read is compared with what the page says."""

import re
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mistakes.projects import Project
from mistakes.running import Setting

Spoil = Callable[[Project], None]


@dataclass(frozen=True)
class Case:
    """A mistake, and what whoever made it reads.

    Attributes:
        id: of the test.
        did: what the user did, in Markdown.
        said: the line that is read; `…` stands for what differs between machines and runs.
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
    did: str
    said: str
    command: tuple[str, ...]
    spoil: Spoil
    level: str = "new"
    setting: Setting = field(default_factory=Setting)
    status: int = 1
    again: bool = True
    stop: signal.Signals | None = None
    ready: Callable[[Project], bool] = bool


@dataclass(frozen=True)
class Group:
    """Cases that stand under one heading of the page."""

    title: str
    text: str
    cases: tuple[Case, ...]


def matches(case: Case, line: str) -> bool:
    """Tell whether a line that was read is the one that the table promises."""
    parts = [re.escape(part) for part in case.said.split("…")]
    return re.fullmatch(".+?".join(parts), line) is not None


def shown(line: str, project: Project) -> str:
    """Return a line as the page shows it: the folders are those of somebody called `you`."""
    return line.replace(str(project.folder), "/home/you/project").replace(
        str(project.folder.parent), "/home/you"
    )


def page(groups: Iterable[Group], head: str) -> str:
    """Return the page: a heading a group, a row a case."""
    lines = [head.rstrip("\n")]
    for group in groups:
        lines += ["", f"## {group.title}", "", group.text, ""]
        lines += ["| What you did | What you read |", "|---|---|"]
        lines += [f"| {_cell(case.did)} | {_code(case.said)} |" for case in group.cases]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    """Return a line as code; it may hold backticks itself."""
    return f"`` {_cell(text)} ``"
