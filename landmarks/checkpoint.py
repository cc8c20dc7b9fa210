"""Recovery state of a long training: it survives a kill, and only its own run ever finds it."""

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from landmarks import files
from landmarks.errors import LandmarksError

STATE = Path(".state")
"""Ignored by Git and no out of a stage, so that DVC never deletes it."""


def fingerprint(settings: Mapping[str, Any], inputs: Iterable[Path]) -> str:
    """Return a hash of all that decides a run: parameters, data, code and the PyTorch version.

    Args:
        settings: parameters and facts, as JSON knows them.
        inputs: the data files and the modules that the run reads, in any order.
    """
    parts = {
        "settings": dict(settings),
        "torch": str(torch.__version__),
        "files": {path.as_posix(): files.sha256(path) for path in sorted(inputs)},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Checkpoint:
    """The recovery state of one run of `name`, known by its fingerprint.

    Args:
        name: of the work, e.g. `train-scratch`.
        run: the fingerprint of this run; states of other runs of `name` are dropped.
        folder: where states lie.
    """

    def __init__(self, name: str, run: str, folder: Path = STATE) -> None:
        self.path = folder / f"{name}-{run[:16]}.pt"
        self._others = [other for other in folder.glob(f"{name}-*.pt") if other != self.path]

    def load(self) -> dict[str, Any] | None:
        """Return what was saved last, on the CPU, or None.

        Raises:
            LandmarksError: the file is not one that `save` wrote.
        """
        for other in self._others:
            other.unlink(missing_ok=True)
        if not self.path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # noqa: BLE001 - torch.load raises whatever the bytes provoke
            raise LandmarksError(
                f"the recovery state {self.path} is damaged", hint="Delete it and run again."
            ) from error
        return state

    def save(self, state: Mapping[str, Any]) -> None:
        """Write `state` (tensors, numbers, strings, lists and dicts), whole or not at all."""
        # Through memory: writing itself, PyTorch makes a RuntimeError of a full disk.
        packed = io.BytesIO()
        torch.save(dict(state), packed)
        with files.replacing(self.path) as temporary:
            temporary.write_bytes(packed.getbuffer())

    def drop(self) -> None:
        """Forget the run: it succeeded."""
        self.path.unlink(missing_ok=True)
