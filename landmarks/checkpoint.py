"""Recovery state of a long training: it survives a kill, and only its own run ever finds it."""

import hashlib
import io
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from landmarks import files
from landmarks.locks import STATE

_DIGEST = hashlib.sha256().digest_size
_PACKAGES = ("lightning-fabric", "numpy", "torch", "torchvision")


def modules(*packages: str) -> list[Path]:
    """Return the files of all modules of some packages that this process has imported.

    The module that Python was started with counts among them.
    """
    found: set[Path] = set()
    for module in list(sys.modules.values()):
        spec = getattr(module, "__spec__", None)
        if isinstance(spec, ModuleSpec) and spec.name.split(".")[0] in packages and spec.origin:
            found.add(Path(spec.origin))
    return sorted(found)


def fingerprint(settings: Mapping[str, Any], inputs: Iterable[Path]) -> str:
    """Return a hash of all that decides a run: parameters, data, code and the packages beneath.

    Args:
        settings: parameters and facts, as JSON knows them.
        inputs: the data files and the modules that the run reads, in any order; by content.
    """
    parts = {
        "settings": dict(settings),
        "packages": {name: version(name) for name in _PACKAGES},
        "files": {os.path.relpath(path): files.sha256(path) for path in inputs},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Checkpoint:
    """The recovery state of one run of `name`, known by its fingerprint.

    Args:
        name: of the work, e.g. `train-scratch`.
        run: the fingerprint of this run; states of other runs of `name` are dropped.
        folder: where states lie.
        share: of the run's time that saving may take.
    """

    def __init__(self, name: str, run: str, folder: Path = STATE, share: float = 0.1) -> None:
        self.path = folder / f"{name}-{run[:16]}.pt"
        self._others = [other for other in folder.glob(f"{name}-*.pt") if other != self.path]
        self._share, self._cost, self._saved = share, 0.0, time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """Return what was saved last, on the CPU, or None.

        What is damaged is dropped with a note: `dvc repro` must heal by itself.
        """
        for other in self._others:
            other.unlink(missing_ok=True)
        if not self.path.exists():
            return None
        content = self.path.read_bytes()
        # PyTorch itself does not notice a flipped bit in a tensor.
        if hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
            note = f"the recovery state {self.path} is damaged: starting over"
            print(note, file=sys.stderr, flush=True)
            self.drop()
            return None
        state: dict[str, Any] = torch.load(
            io.BytesIO(content[_DIGEST:]), map_location="cpu", weights_only=True
        )
        return state

    def due(self) -> bool:
        """Return whether saving now, at the price of the last time, keeps to its share of the time.

        On a GPU an epoch may take a second, and to save it another one.
        """
        return time.monotonic() - self._saved >= self._cost / self._share

    def save(self, state: Mapping[str, Any]) -> None:
        """Write `state` (tensors, numbers, strings, lists and dicts), whole or not at all.

        The file is the SHA-256 of what PyTorch saves, and then that.
        """
        start = time.monotonic()
        # Through memory: writing itself, PyTorch makes a RuntimeError of a full disk.
        content = io.BytesIO()
        torch.save(dict(state), content)
        digest = hashlib.sha256(content.getbuffer()).digest()
        with files.replacing(self.path) as temporary:
            temporary.write_bytes(digest + content.getbuffer())
        self._saved = time.monotonic()
        self._cost = self._saved - start

    def drop(self) -> None:
        """Forget the run: it succeeded."""
        self.path.unlink(missing_ok=True)
