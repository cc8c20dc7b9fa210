"""All cases of the table, the messages that they end in, and the page that shows both."""

from dataclasses import dataclass
from pathlib import Path

import yaml
from mistakes import (
    archives,
    commands,
    machine,
    parameters,
    photos,
    pipelines,
    servers,
    sources,
    training,
)

CASES = (
    *(*archives.FILES, *archives.INSIDE, *servers.SERVERS, *photos.PHOTOS, *photos.TABLES),
    *sources.SOURCES,
    *(*parameters.PARAMETERS, *parameters.CATALOGUE, *parameters.ENVIRONMENT),
    *(*training.TRAINING, *training.LATER, *machine.DISK, *machine.STOPS),
    *(*commands.PREDICT, *commands.PRESET, *pipelines.PIPELINE),
)
MESSAGES = Path(__file__).with_name("messages.yaml")


@dataclass(frozen=True)
class Row:
    """A row of the page: what somebody did, in Markdown, and the line that they read."""

    did: str
    said: str


@dataclass(frozen=True)
class Group:
    """Rows under one heading, by the id of their case."""

    title: str
    text: str
    rows: dict[str, Row]


def read_messages() -> tuple[str, list[Group]]:
    """Return the head of the page, and its groups."""
    tree = yaml.safe_load(MESSAGES.read_text(encoding="utf-8"))
    groups = [
        Group(group["title"], group["text"], {k: Row(*row) for k, row in group["cases"].items()})
        for group in tree["groups"]
    ]
    return tree["head"], groups


def page() -> str:
    """Return what `docs/errors.md` must hold: a heading a group, a row a case."""
    head, groups = read_messages()
    lines = [head.rstrip("\n")]
    for group in groups:
        lines += ["", f"## {group.title}", "", group.text.rstrip("\n"), ""]
        lines += ["| What you did | What you read |", "|---|---|"]
        lines += [f"| {_cell(row.did)} | {_code(row.said)} |" for row in group.rows.values()]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    """Return a line as code, in two backticks because it may hold single ones."""
    return f"`` {_cell(text)} ``"
