"""What the model said of each photo, by content: what is kept when a run ends before its time."""

import hashlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from landmarks.errors import LandmarksError
from landmarks.locks import alone
from landmarks.prediction import Prediction
from landmarks.tagging.stores import Place

_FILE = "tagging.sqlite"
_WAIT_SECONDS = 60
_SCHEMA = """
CREATE TABLE IF NOT EXISTS predictions (
    sha256 TEXT, model TEXT, prediction TEXT, PRIMARY KEY (sha256, model)
) WITHOUT ROWID
"""


def state_folder() -> Path:
    """Return where the journal is kept: `landmarks` in `XDG_STATE_HOME` or `~/.local/state`."""
    top = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(top) / "landmarks"


class Journal:
    """Predictions by SHA-256 and model. Safe to use from several threads and processes.

    Every batch is on the disk before anything is written because of it, so a kill costs at most
    the batch under way. Photos are known by content: a renamed or moved one is known, too.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, model: str) -> None:
        self.path = path
        self.model = model
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    @contextmanager
    def open(cls, folder: Path, model: str) -> Iterator[Self]:
        """Open the journal in `folder`, or begin one, for the answers of one model.

        Raises:
            LandmarksError: it cannot be read or written.
        """
        path = folder / _FILE
        with _explained(path):
            folder.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, check_same_thread=False)
        try:
            with _explained(path):
                # What is committed outlives a kill; a power cut may cost the last batches.
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(_SCHEMA)
            yield cls(path, connection, model)
        finally:
            connection.close()

    def find(self, sha256: str) -> Prediction | None:
        """Return what this model said of a photo."""
        asked = "SELECT prediction FROM predictions WHERE sha256 = ? AND model = ?"
        with self._lock, _explained(self.path):
            row = self._connection.execute(asked, (sha256, self.model)).fetchone()
        try:
            return Prediction.model_validate_json(row[0]) if row else None
        except ValidationError:  # written by another version: ask the model again
            return None

    def add(self, predictions: Iterable[tuple[str, Prediction]]) -> None:
        """Keep what the model said: all of it or, if the machine stops, none."""
        rows = [(sha, self.model, one.model_dump_json(by_alias=True)) for sha, one in predictions]
        with self._lock, _explained(self.path), self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO predictions VALUES (?, ?, ?)", rows
            )


@contextmanager
def one_run(state: Path, folder: Place) -> Iterator[None]:
    """Let one run at a time write beside the photos of a folder; another one waits."""
    name = folder.resolve() if isinstance(folder, Path) else str(folder)
    key = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    with alone(state / f"{key}.lock", f"another run of `landmarks tag {folder}`"):
        yield


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise LandmarksError(
            f"the journal {path} cannot be used: {error}",
            hint="Free space or mend the rights there, name another folder with --state, or remove "
            "the file: then every photo is looked at again.",
        ) from error
