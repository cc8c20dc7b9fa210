"""One case from the mistake to the mended run: what was read, and what was left behind."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from loopback import Request, Site
from mistakes.projects import Project, Projects
from mistakes.running import Done
from mistakes.servers import ANSWERS, serving
from mistakes.table import Case, shown

# What may stand on stderr beside the line: progress bars, a download's tries, how to call it.
_BESIDE = re.compile(
    r".*\[\d\d:\d\d"
    r"|.*; trying again in [\d.]+ s$|.*: its parts do not fit, starting over$"
    r"|Usage: |Try '|(.*\.py|note):|epoch "
)


@dataclass
class Tried:
    """What came of a case.

    Attributes:
        done: how the command ended.
        lines: those on stderr that begin with `error:`, as the page shows them.
        others: what else stands there and is no progress bar.
        changed: what the command changed in the project's folder.
        again: how the same command ended once the mistake was mended; None if it was not tried.
        left: unfinished files after that.
    """

    done: Done
    lines: list[str]
    others: list[str]
    changed: list[str]
    again: Done | None = None
    left: list[str] = field(default_factory=list)


def attempt(case: Case, projects: Projects, folder: Path) -> Tried:
    """Copy the project of the case into `folder`, make the mistake, run; mend it, run again."""
    project = projects.copy(projects.built(case.level), folder / "project")
    try:
        return _attempt(case, projects, project)
    finally:
        project.unlock()


def _attempt(case: Case, projects: Projects, project: Project) -> Tried:
    with _serving(case, project) as site:
        case.spoil(project)
        before = project.snapshot()
        running = project.start(case.command, case.setting)
        if case.stop:
            running.wait_until(lambda: case.ready(project))
            running.signal(case.stop)
        done = running.finish()
        after = project.snapshot()
        found = [line for line in re.split(r"[\r\n]+", done.err) if line.strip()]
        own = [line for line in found if line.startswith("error: ")]
        # Without a line of ours there is one of Typer's or DVC's. DVC has more to say after it.
        own = own or [line for line in found if line.startswith(("Error: ", "ERROR: "))]
        lines = [shown(line, project) for line in own]
        others = [
            line
            for line in found
            if line not in own and not _BESIDE.match(line) and case.command[0] != "dvc"
        ]
        changed = sorted({name for name, _ in before.items() ^ after.items()})
        tried = Tried(done, lines, others, changed)
        if case.again:
            if not case.stop:
                projects.restore(project, case.level)
            if site:
                site.answers = [Request.right]
                project.params({"download.source": site.url})
            tried.again = project.run(case.command)
            tried.left = [str(path) for path in project.folder.rglob("*.part*")]
    return tried


@contextlib.contextmanager
def _serving(case: Case, project: Project) -> Iterator[Site | None]:
    """Run the server of a case that has one, and let the project download from it."""
    if case.id not in ANSWERS:
        yield None
        return
    with serving() as site:
        site.answers = [ANSWERS[case.id]]
        project.params({"download.source": site.url})
        yield site
