"""The decoded photos on disk: one memory-mapped array of pixels and one table, row by row."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landmarks.data.photos import COLUMNS, PIXELS, TABLE
from landmarks.errors import LandmarksError

_NUMBERS = ("id", "width", "height", "bytes")
_HINT = "Run `dvc repro decode` to make it again."


@dataclass(frozen=True)
class PhotoStore:
    """All photos that `decode` found.

    Attributes:
        pixels: uint8 (N, S, S, 3) RGB, memory-mapped read-only; zeros where a photo was refused.
        table: one row a photo, columns `photos.COLUMNS`; its index is the row in `pixels`.
    """

    pixels: NDArray[np.uint8]
    table: pd.DataFrame

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open the folder that `decode` wrote, without reading the pixels.

        Raises:
            LandmarksError: a file is missing or damaged, or the two do not belong together.
        """
        table = read_table(Path(folder) / TABLE)
        path = Path(folder) / PIXELS
        try:
            pixels = np.load(path, mmap_mode="r")
        except FileNotFoundError:
            raise LandmarksError(f"there is no {path}", hint=_HINT) from None
        except (ValueError, OSError, EOFError) as error:
            raise LandmarksError(f"{path} is damaged ({error})", hint=_HINT) from error
        shape = pixels.shape
        if pixels.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2]:
            raise LandmarksError(f"{path} holds {pixels.dtype} {shape}, not photos", hint=_HINT)
        if shape[0] != len(table):
            raise LandmarksError(
                f"{path} holds {shape[0]} photos, but {TABLE} beside it has {len(table)} rows",
                hint=_HINT,
            )
        return cls(pixels, table)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read `photos.csv`: numbers as int64, all else as text, empty text as "".

    Raises:
        LandmarksError: the file is missing, damaged, or its ids are not 0, 1, 2, ...
    """
    table = read_csv(path, COLUMNS, _NUMBERS, _HINT)
    if not np.array_equal(table["id"], np.arange(len(table))):
        raise LandmarksError(f"{path} is damaged: its ids are not 0, 1, 2, ...", hint=_HINT)
    return table


def read_csv(
    path: str | Path, columns: tuple[str, ...], numbers: tuple[str, ...], hint: str
) -> pd.DataFrame:
    """Read a table of ours. Text stays text: a class may be called `1.5`, `nan` or `None`.

    Raises:
        LandmarksError: the file is missing or does not hold these columns.
    """
    types = {name: "int64" if name in numbers else "str" for name in columns}
    try:
        table = pd.read_csv(path, dtype=types, keep_default_na=False)
    except FileNotFoundError:
        raise LandmarksError(f"there is no {path}", hint=hint) from None
    except (ValueError, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        raise LandmarksError(f"{path} is damaged ({error})", hint=hint) from error
    if tuple(table.columns) != columns:
        raise LandmarksError(
            f"{path} has columns {', '.join(table.columns)}, expected {', '.join(columns)}",
            hint=hint,
        )
    return table
