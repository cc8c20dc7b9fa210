"""Mistakes in the table of authors and licences, and with licences that are left out."""

from collections.abc import Callable
from pathlib import Path

from mistakes.parameters import setting
from mistakes.photos import at
from mistakes.projects import Project
from mistakes.table import Case, Spoil

ATTRIBUTION, SPLIT = ("stages.attribution",), ("stages.split",)
HEAD = "id,url,author,license,title\n"
ARCH = "00.Arch/00,https://photos.example/1,Ann,CC BY 4.0,An arch\n"


def table(text: str) -> Spoil:
    """Name a table in UTF-8."""
    return written(lambda path: path.write_text(text, encoding="utf-8"))


def written(write: Callable[[Path], object], sha256: str | None = None) -> Spoil:
    """Name a table that `write` makes."""

    def spoil(project: Project) -> None:
        write(project.path("authors.csv"))
        changes = {"attribution": "authors.csv", "attribution_sha256": sha256}
        project.params({f"download.{key}": value for key, value in changes.items()})

    return spoil


def named(source: str) -> Spoil:
    """Name something else."""
    return setting("download.attribution", source)


def case(id: str, spoil: Spoil) -> Case:
    return Case(f"attribution-{id}", ATTRIBUTION, spoil, "decoded")


def split(id: str, spoil: Spoil) -> Case:
    return Case(id, SPLIT, spoil, "split")


SOURCES = (
    case("missing", named("nowhere.csv")),
    case("folder", named("data")),
    case("archive", named("photos.zip")),
    case("page", table("<!DOCTYPE html><title>Log in</title>")),
    case("empty", table("")),
    case("checksum", written(lambda path: path.write_text(HEAD + ARCH), "0" * 64)),
    case("off", named("http://127.0.0.1:9/authors.csv")),
    case("latin", written(lambda p: p.write_bytes(f"{HEAD}a,,Müller,,\n".encode("latin-1")))),
    case("column", table(HEAD.replace("license", "licence") + ARCH)),
    case("semicolons", table((HEAD + ARCH).replace(",", ";"))),
    case("comma", table(HEAD + ARCH.replace("Ann", "Hill, Ann"))),
    case("quote", table(HEAD + ARCH.replace("Ann", '"Ann'))),
    case("id", table(HEAD + ARCH.replace("00.Arch/00", ""))),
    case("long", table(HEAD + ARCH.replace("Ann", "Ann " * 4000))),
    case("several", table(HEAD + ARCH.replace("00.Arch/", ""))),
    case("twice", table(HEAD + ARCH + ARCH.replace("00.Arch/", "train/00.Arch/"))),
    case("strange", table(HEAD + ARCH.replace("00.Arch/00", "0123456789abcdef"))),
    split("exclude-all", setting("split.exclude_licences", ["unknown"])),
    split("attributed-missing", at("data/attribution.csv", Path.unlink)),
    split("attributed-column", at("data/attribution.csv", lambda path: path.write_text("id\n"))),
)
