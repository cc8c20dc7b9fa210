"""What each class is: its name, place, coordinates and kind, from a table that people can edit."""

import csv
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from landmarks.errors import LandmarksError

COLUMNS = (
    "class",
    "name",
    "locality",
    "country",
    "country_code",
    "latitude",
    "longitude",
    "kind",
)

# ISO 3166-1 leaves XA to XZ to users; XK is taken, by wide use, for Kosovo.
_INVENTED_CODE = re.compile(r"X[A-JL-Z]")
_NUMBER = re.compile(r"^\d+[.\-_ ]+(?=.)")


class Landmark(BaseModel):
    """A class and the landmark that it stands for; what is not known is None.

    `class_name` (in files: `class`) is the folder's name; `country_code` is ISO 3166-1 alpha-2;
    `latitude` and `longitude` are WGS 84, decimal degrees, north and east positive.
    """

    model_config = ConfigDict(frozen=True)

    class_name: str = Field(
        validation_alias=AliasChoices("class", "class_name"), serialization_alias="class"
    )
    name: str
    locality: str | None = None
    country: str | None = None
    country_code: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    kind: str | None = None

    @property
    def place(self) -> str:
        """Locality and country in words, e.g. `Paris, France`; empty where neither is known."""
        parts = [self.locality, self.country]
        return ", ".join(dict.fromkeys(part for part in parts if part))


@dataclass(frozen=True)
class Catalogue:
    """The rows of one catalogue file, by class."""

    rows: dict[str, Landmark] = field(default_factory=dict)

    @property
    def invented(self) -> bool:
        """Whether these are places that do not exist: every country code is user-assigned."""
        return bool(self.rows) and all(
            _INVENTED_CODE.fullmatch(row.country_code or "") for row in self.rows.values()
        )

    def missing(self, classes: Iterable[str]) -> list[str]:
        """Return the classes without a row."""
        return [name for name in classes if name.strip() not in self.rows]

    def lookup(self, class_name: str) -> Landmark:
        """Return the row of a class, or one with a name made of the folder's and no place."""
        row = self.rows.get(class_name.strip())  # a folder's name may begin or end with a space
        if row:
            return row.model_copy(update={"class_name": class_name})
        return Landmark(class_name=class_name, name=readable(class_name))


def readable(class_name: str) -> str:
    """Turn a folder's name into words: `07.Stone_Bridge` is `Stone Bridge`."""
    words = _NUMBER.sub("", class_name).replace("_", " ")
    return " ".join(words.split()) or class_name


def load(path: str | Path) -> Catalogue:
    """Read a catalogue: CSV in UTF-8 with the columns `COLUMNS` in any order, others ignored.

    `class` and `name` are required; the other cells may be empty, coordinates both or none.

    Raises:
        LandmarksError: there is no such file, or a row is wrong; names file, line and what.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _check_header(reader.fieldnames, path)
            return Catalogue(dict(_read_rows(reader, path)))
    except FileNotFoundError:
        raise LandmarksError(
            f"there is no catalogue {path}",
            hint="Name one in export.catalogue of params.yaml; the project's are in catalogues/.",
        ) from None
    except UnicodeDecodeError as error:
        raise LandmarksError(
            f"{path} is not UTF-8 (byte {error.start})", hint="Save it as CSV in UTF-8."
        ) from error
    except csv.Error as error:
        raise LandmarksError(f"{path} is not a CSV table: {error}") from error


def _check_header(names: object, path: str | Path) -> None:
    found = list(names) if isinstance(names, list | tuple) else []
    missing = [column for column in COLUMNS if column not in found]
    if missing:
        raise LandmarksError(
            f"{path}:1: no column {', '.join(missing)}",
            hint=f"The first line must name: {', '.join(COLUMNS)}.",
        )


def _read_rows(reader: "csv.DictReader[str]", path: str | Path) -> Iterator[tuple[str, Landmark]]:
    lines: dict[str, int] = {}
    for cells in reader:
        where = f"{path}:{reader.line_num}"
        if None in cells or None in cells.values():
            raise LandmarksError(
                f"{where}: more or fewer cells than the first line has",
                hint="Put a cell that contains a comma in double quotes.",
            )
        row = _read_row({key: value.strip() for key, value in cells.items()}, where)
        if row.class_name in lines:
            raise LandmarksError(
                f"{where}: class {row.class_name} stands in line {lines[row.class_name]} already",
                hint="Keep one row for each class.",
            )
        lines[row.class_name] = reader.line_num
        yield row.class_name, row


def _read_row(cells: dict[str, str], where: str) -> Landmark:
    for column in ("class", "name"):
        if not cells[column]:
            raise LandmarksError(
                f"{where}: {column} is empty", hint="Class and name are needed in every row."
            )
    code = cells["country_code"]
    if code and not re.fullmatch("[A-Z]{2}", code):
        raise LandmarksError(
            f"{where}: country_code is {code!r}",
            hint="Give two capital letters of ISO 3166-1, such as FR, or leave it empty.",
        )
    latitude = _degrees(cells["latitude"], 90, f"{where}: latitude")
    longitude = _degrees(cells["longitude"], 180, f"{where}: longitude")
    if (latitude is None) != (longitude is None):
        raise LandmarksError(
            f"{where}: one coordinate is empty and the other is not", hint="Give both, or none."
        )
    return Landmark(
        class_name=cells["class"],
        name=cells["name"],
        locality=cells["locality"] or None,
        country=cells["country"] or None,
        country_code=code or None,
        latitude=latitude,
        longitude=longitude,
        kind=cells["kind"] or None,
    )


def _degrees(text: str, limit: int, what: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= limit:
        raise LandmarksError(
            f"{what} is {text!r}",
            hint=f"Give decimal degrees from -{limit} to {limit}, such as 48.8584.",
        )
    return value
