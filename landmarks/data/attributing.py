"""Find the author and the licence of each photo in a table like Google Landmarks' own.

The form is that of `train_attribution.csv` of Google Landmarks Dataset v2 (Weyand et al. 2020,
arXiv:2004.01804). That file has four million rows: it is read row by row, and only those of photos
that are here are kept.
"""

import csv
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pandas as pd

from landmarks.data.attribution import COLUMNS, EMPTY, readable
from landmarks.data.fetch import PATIENCE, Form, Patience, fetching
from landmarks.data.members import parts
from landmarks.data.partial import forget
from landmarks.data.remote import LOCAL_COPY, local, local_copy, shown
from landmarks.errors import LandmarksError

SOURCE_COLUMNS = ("id", "url", "author", "license", "title")

_OUR_COPY = local_copy("ATTRIBUTION", "attribution.csv")
_IDS = (
    "An id is the name of a photo's file without its suffix, or the end of its path, such as "
    "`Old Mill/IMG_1.jpg`."
)
# Controls, and marks that turn the direction of writing: names are shown on pages and terminals.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")


@dataclass(frozen=True)
class Limits:
    """How large a table may be: Google Landmarks' own, of all its photos, fits well."""

    file_bytes: int = 4 << 30
    cell_characters: int = 10_000


LIMITS = Limits()


@dataclass(frozen=True)
class Found:
    """What a table tells of the photos.

    Attributes:
        table: columns `attribution.COLUMNS`, one row for each photo that has an entry, by id.
        strangers: number of entries that are of no photo.
        asked: whether there was a table.
    """

    table: pd.DataFrame
    strangers: int = 0
    asked: bool = True

    def to_csv(self) -> str:
        """Return the table as the file holds it."""
        return self.table.to_csv(index=False, lineterminator="\n")


def attribute(
    source: str | None,
    sha256: str | None,
    photos: pd.DataFrame,
    *,
    state: Path,
    patience: Patience = PATIENCE,
    limits: Limits = LIMITS,
) -> Found:
    """Look up photos in a table of authors and licences.

    An id of the table is the end of a photo's path in its archive, from some folder or from its
    file's name on, with or without the suffix of the file.

    Args:
        source: http(s), any other URL that fsspec reads, or a path; None or empty for no table.
        sha256: what the SHA-256 of the table must be, or None for any.
        photos: the table that `decode` wrote.
        state: a folder that survives a killed run, for a partial download.

    Raises:
        LandmarksError: there is no such table, it is no CSV of `SOURCE_COLUMNS` in UTF-8, too
            large, or says two things of one photo; one of its ids stands for several photos; none
            of them stands for any.
    """
    if not source:
        return Found(EMPTY.reset_index(), asked=False)
    if local(source).is_dir():
        raise LandmarksError(f"{source} is a folder", hint="Name the table that is in it.")
    with _brought(source, sha256, state, patience, limits) as path:
        entries = _Entries(photos, shown(source), limits)
        entries.read(path)
        found = entries.found()
    forget(state)
    return found


@contextmanager
def _brought(
    source: str, sha256: str | None, state: Path, patience: Patience, limits: Limits
) -> Iterator[Path]:
    """Yield the table as a file of this machine.

    It is kept for the next run where this one ends early, unless it was refused.
    """
    form = Form("CSV table", archive=False, most=limits.file_bytes)
    try:
        with fetching(source, sha256=sha256, state=state, patience=patience, form=form) as partial:
            try:
                yield partial.path
            except LandmarksError:
                partial.discard()
                raise
    except LandmarksError as error:
        hint = error.hint.replace(LOCAL_COPY, _OUR_COPY)
        raise LandmarksError(error.message, hint=hint) from error


@dataclass
class _Entries:
    """The entries of a table that are of photos, while it is read.

    Attributes:
        photos: the table that `decode` wrote.
        name: of the table, in messages.
        rows: by id of the photo: the line of its entry, and the entry.
    """

    photos: pd.DataFrame
    name: str
    limits: Limits
    rows: dict[int, tuple[int, dict[str, str]]] = field(default_factory=dict)
    strangers: int = 0
    first: str = ""

    def __post_init__(self) -> None:
        self._places = [parts(_composed(path)) for path in self.photos["path"]]
        self._sha1 = self.photos["sha1"].tolist()
        self._by_name: dict[str, list[int]] = {}
        for row, place in enumerate(self._places):
            for name in {place[-1], PurePosixPath(place[-1]).stem}:
                self._by_name.setdefault(name, []).append(row)

    def read(self, path: Path) -> None:
        """Read a whole table."""
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file, strict=True)
                try:
                    self._check_header(reader.fieldnames)
                    for cells in reader:
                        self._take(cells, reader.line_num)
                except csv.Error as error:
                    raise LandmarksError(
                        f"{self.name}:{reader.line_num + 1}: this is no CSV: {error}",
                        hint="Put a cell that has commas, quotes or line breaks in double quotes.",
                    ) from error
        except UnicodeDecodeError as error:
            raise LandmarksError(
                f"{self.name}:{_undecodable(path)} is not UTF-8", hint="Save it as CSV in UTF-8."
            ) from error

    def found(self) -> Found:
        """Return the entries in the order of photos."""
        if not self.rows:
            first = f", the first of its {self.strangers:,} ids is {self.first}"
            raise LandmarksError(
                f"{self.name} has an entry for none of the {len(self.photos):,} photos: one is "
                f"`{self.photos['path'].iloc[0]}`" + (first if self.strangers else ""),
                hint=_IDS,
            )
        table = pd.DataFrame(
            [{"id": row, **self.rows[row][1]} for row in sorted(self.rows)], columns=list(COLUMNS)
        )
        return Found(table, self.strangers)

    def _check_header(self, found: object) -> None:
        columns = list(found) if isinstance(found, list | tuple) else []
        if missing := [column for column in SOURCE_COLUMNS if column not in columns]:
            raise LandmarksError(
                f"{self.name}:1: no column {', '.join(missing)}",
                hint=f"The first line must name: {','.join(SOURCE_COLUMNS)}.",
            )

    def _take(self, cells: "dict[str | None, str | None]", line: int) -> None:
        where = f"{self.name}:{line}"
        if None in cells or None in cells.values():
            raise LandmarksError(
                f"{where}: more or fewer cells than the first line has",
                hint="Put a cell that has commas, quotes or line breaks in double quotes.",
            )
        written = cells["id"] or ""
        place = parts(_composed(written.strip()))
        if not place:
            raise LandmarksError(f"{where}: id is empty", hint=_IDS)
        rows = self._rows_of(place)
        if not rows:
            self.strangers += 1
            self.first = self.first or _plain(written)[:80]
            return
        self._check_one_file(rows, _plain(written), where)
        entry = {name: self._cell(cells, name, where) for name in COLUMNS if name != "id"}
        for row in rows:
            if row in self.rows:
                raise LandmarksError(
                    f"{where}: `{self.photos['path'].iloc[row]}` has an entry in line "
                    f"{self.rows[row][0]} already",
                    hint="Keep one entry for each photo.",
                )
            self.rows[row] = line, entry

    def _rows_of(self, place: tuple[str, ...]) -> list[int]:
        """Return the photos whose path ends as an id says."""
        *folders, name = place
        before = slice(-1 - len(folders), -1)
        return [
            row for row in self._by_name.get(name, ()) if list(self._places[row][before]) == folders
        ]

    def _check_one_file(self, rows: list[int], id: str, where: str) -> None:
        """Refuse an id of several photos; copies of one file have one author."""
        if len({self._sha1[row] or str(row) for row in rows}) > 1:
            one, other = (self.photos["path"].iloc[row] for row in rows[:2])
            longer = "/".join(PurePosixPath(one).with_suffix("").parts[-2:])
            raise LandmarksError(
                f"{where}: id {id} stands for {len(rows)} photos, such as `{one}` and `{other}`",
                hint=f"Name the folder as well, e.g. `{longer}`.",
            )

    def _cell(self, cells: "dict[str | None, str | None]", name: str, where: str) -> str:
        text = _plain(cells[name] or "")
        if len(text) > self.limits.cell_characters:
            raise LandmarksError(
                f"{where}: {name} has {len(text):,} characters, and "
                f"{self.limits.cell_characters:,} are the most",
                hint="Shorten it, or look for a quote that is not closed.",
            )
        return text


def describe(found: Found, photos: int) -> str:
    """Say in one line how many photos have an entry, and how many entries have no photo."""
    if not found.asked:
        return "attribution: no table is named in download.attribution"
    known = len(found.table)
    authors, licences = (set(found.table[name]) - {""} for name in ("author", "license"))
    said = (
        f"attribution: {known:,} of {photos:,} photos have an entry, by {_many(authors, 'author')} "
        f"under {_many({readable(one) for one in licences}, 'licence')}"
    )
    if without := photos - known:
        said += f"; {without:,} have none" if without > 1 else "; 1 has none"
    if found.strangers:
        are = "entry is" if found.strangers == 1 else "entries are"
        said += f"; {found.strangers:,} {are} of no photo here"
    return said


def _many(found: set[str], one: str) -> str:
    return f"{len(found):,} {one}" + ("" if len(found) == 1 else "s")


def _composed(text: str) -> str:
    """Systems disagree about accents in file names."""
    return unicodedata.normalize("NFC", text)


def _plain(text: str) -> str:
    """Return a text in one line, without what would change how the text around it is shown."""
    return " ".join(_CONTROLS.sub(" ", text).split())


def _undecodable(path: Path) -> int:
    """Return the first line of a file that is not UTF-8."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 0
