"""What `landmarks tag` is asked to do, refused early where it makes no sense."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from landmarks.errors import LandmarksError
from landmarks.tagging import cluster, parquet, stores
from landmarks.tagging.cluster import Cluster
from landmarks.tagging.stores import Place, Remote

Engine = Literal["local", "ray"]
ENGINES: tuple[Engine, ...] = ("local", "ray")


@dataclass(frozen=True)
class Options:
    """What a run is asked to do; see `landmarks tag --help`."""

    folder: Place
    model: Path
    csv: Place | None = None
    json: Place | None = None
    parquet: Place | None = None
    review: Path | None = None
    xmp: bool = False
    albums: Path | None = None
    copies: bool = False
    undo: bool = False
    dry_run: bool = False
    min_confidence: float | None = None
    per_class: bool = False
    state: Place | None = None
    engine: Engine = "local"
    cluster: Cluster = Cluster()
    parts: Place | None = None
    """A folder of Parquet files in place of one: the Ray engine's `--parquet URL/`."""

    @property
    def tables(self) -> tuple[Place | None, Place | None, Place | None]:
        """The tables to write: CSV, JSON, Parquet."""
        return self.csv, self.json, self.parquet

    def check(self) -> None:
        """Refuse what makes no sense together, or would harm the photos.

        Raises:
            LandmarksError: says what, and what to ask for instead.
        """
        if self.engine == "ray":
            self._check_ray()
        elif self.cluster != Cluster():
            raise LandmarksError(
                "addresses and workers are for --engine ray", hint="Add it, or leave them out."
            )
        if isinstance(self.folder, Remote):
            self._only_tables(f"{self.folder} is a store")
        self._check_local()
        stores.check_folder(self.folder)
        self._check_together()
        self._check_files()

    def _check_ray(self) -> None:
        cluster.check()
        flags = {"--review": self.review, "--dry-run": self.dry_run}
        self._only_tables("--engine ray writes tables")
        if asked := [flag for flag, value in flags.items() if value]:
            raise LandmarksError(
                f"--engine ray knows no {asked[0]}", hint="Leave it out, or leave out --engine."
            )

    def _only_tables(self, why: str) -> None:
        """Refuse what is written beside photos, or linked to them."""
        flags = {"--xmp": self.xmp, "--albums": self.albums, "--undo": self.undo}
        if asked := [flag for flag, value in flags.items() if value]:
            raise LandmarksError(
                f"{why}: {asked[0]} is for a folder of this machine and the local engine",
                hint="Ask for --csv, --json or --parquet, or name a folder here.",
            )

    def _check_local(self) -> None:
        """Refuse URLs where only a path will do."""
        if self.engine == "local" and isinstance(self.state, Remote):
            raise LandmarksError(
                f"the journal cannot lie at {self.state}", hint="Name a folder of this machine."
            )
        paths = {"--review": self.review, "--albums": self.albums, "--model": self.model}
        for flag, path in paths.items():
            if path and (url := stores.meant(path)):
                raise LandmarksError(
                    f"{flag} cannot be {url}", hint="Name a file or folder of this machine."
                )

    def _check_together(self) -> None:
        output = any((*self.tables, self.review, self.xmp, self.albums, self.copies))
        if self.undo and (output or self.per_class or self.min_confidence is not None):
            raise LandmarksError(
                "--undo takes sidecars back and does nothing else",
                hint="Give it alone, or with --dry-run.",
            )
        if self.copies and not self.albums:
            raise LandmarksError("--copies is for --albums", hint="Add it, or leave --copies out.")
        if self.albums and stores.real(self.albums).is_relative_to(
            stores.real(stores.local(self.folder))
        ):
            raise LandmarksError(
                f"the albums {self.albums} would lie among the photos of {self.folder}",
                hint="Name a folder outside of it: links there would be taken for photos.",
            )
        if self.min_confidence is not None and not 0 <= self.min_confidence <= 1:  # NaN
            raise LandmarksError(
                f"--min-confidence is {self.min_confidence}", hint="Give a number from 0 to 1."
            )
        if self.min_confidence is not None and self.per_class:
            raise LandmarksError(
                "--min-confidence is one threshold and --per-class many", hint="Give one of them."
            )

    def _check_files(self) -> None:
        if self.parquet:
            parquet.check()
        files = [one for one in (*self.tables, self.review) if one]
        for one in files:
            if isinstance(one, Path) and one.is_dir():
                raise LandmarksError(f"{one} is a folder", hint="Name a file to write.")
            if isinstance(one, Path) and one.exists() and not one.is_file():
                raise LandmarksError(
                    f"{one} is a pipe or a device",
                    hint="Name a file to write: a table appears there when it is complete.",
                )
        if self.review:
            _check_writable(self.review)
        for where in (*files, self.parts, self.state):
            if where:
                stores.check_bucket(where)
        named = {stores.real(one) if isinstance(one, Path) else one for one in files}
        if len(named) < len(files):
            raise LandmarksError("two tables have one name", hint="Name a file for each.")


def _check_writable(path: Path) -> None:
    """Refuse a file that would be written last, where it cannot be: the work comes before."""
    there = next(one for one in stores.real(path).parents if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        what = "not open to you" if there.is_dir() else "no folder"
        raise LandmarksError(
            f"{path} cannot be written: {there} is {what}", hint="Name another file."
        )


def options(
    folder: str,
    csv: str | None,
    json: str | None,
    parquet: str | None,
    state: str | None,
    **others: Any,
) -> Options:
    """Return the options of which some are paths or URLs, as they were typed.

    Raises:
        LandmarksError: a URL of no store that is known, or no name at all.
    """
    if not folder:  # a variable that is not set; as a path it would be the folder we are in
        raise LandmarksError("FOLDER is empty", hint="Name the folder of your photos.")
    folder_, csv_, json_, parquet_, state_ = (
        None if one is None else stores.place(one) for one in (folder, csv, json, parquet, state)
    )
    assert folder_ is not None
    whole, parts = parquet_, None
    if others.get("engine") == "ray" and (parquet or "").endswith("/"):
        whole, parts = None, parquet_
    return Options(
        folder_, csv=csv_, json=json_, parquet=whole, state=state_, parts=parts, **others
    )
