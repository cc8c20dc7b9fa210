"""The table of mistakes: what their makers read, what is left behind, and that the next run works.

Every case runs the real stage or command in a small project of its own: `mistakes/`. Its page is
`docs/errors.md`; `python tests/mistakes` writes it from the same table.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from mistakes.every import CASES, page, read_messages
from mistakes.projects import Projects
from mistakes.running import server
from mistakes.table import Case, matches
from mistakes.trying import attempt

# Growth of a process while it runs; a million members as Python's objects would take more.
MOST_MEMORY = 400_000_000
SAID = {id: row.said for group in read_messages()[1] for id, row in group.rows.items()}


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Projects]:
    with server():
        yield Projects(tmp_path_factory.mktemp("built"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_one_line_says_it_and_the_next_run_works(
    case: Case, projects: Projects, tmp_path: Path
) -> None:
    tried = attempt(case, projects, tmp_path)
    assert tried.done.status == case.status, tried.done
    assert "Traceback" not in tried.done.err + tried.done.out, tried.done
    assert len(tried.lines) == 1 and matches(SAID[case.id], tried.lines[0]), (
        tried.lines,
        SAID[case.id],
    )
    assert not tried.others, "nothing else is said"
    assert not tried.changed, "nothing is written, whole or half"
    assert tried.done.grown < MOST_MEMORY
    if case.again:
        assert tried.again and tried.again.status == 0, tried.again
        assert not tried.left


def test_every_case_has_one_message_and_every_message_one_case() -> None:
    names = [case.id for case in CASES]
    assert len(names) == len(set(names)) and set(names) == set(SAID)


def test_the_page_shows_the_table() -> None:
    shown = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    assert shown == page(), "write it anew: .venv/bin/python tests/mistakes"
