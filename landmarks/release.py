"""Which CNN users get, chosen on validation rows, and the folder that is delivered whole."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from landmarks import card
from landmarks.errors import LandmarksError


def choose(
    wanted: str, validations: Mapping[str, Mapping[str, float]], sizes: Mapping[str, int]
) -> tuple[str, str]:
    """Choose the CNN to release; test figures are no argument, so they cannot decide.

    Args:
        wanted: `best`, or the name of a CNN.
        validations: figures of each CNN on validation rows: `accuracy` (0 to 1) and `nll`.
        sizes: bytes of each CNN's ONNX file.

    Returns:
        The name and the reason in words. `best` is the highest accuracy; equal ones are parted by
        the lower `nll`, then by the smaller file, then by name.

    Raises:
        LandmarksError: a CNN of the name `wanted` does not exist.
    """
    if wanted != "best":
        if wanted not in validations:
            raise LandmarksError(
                f"release.model is {wanted!r}",
                hint=f"Choose one of: best, {', '.join(sorted(validations))}.",
            )
        return wanted, f"release.model is {wanted}"
    order = sorted(
        validations,
        key=lambda cnn: (-validations[cnn]["accuracy"], validations[cnn]["nll"], sizes[cnn], cnn),
    )
    shares = ", ".join(f"{cnn} {validations[cnn]['accuracy']:.2%}" for cnn in order)
    return order[0], f"best by validation accuracy: {shares}"


def deliver(source: str | Path, target: str | Path) -> None:
    """Copy an export, all files that its card names, each checked; or leave `target` as it was.

    Raises:
        LandmarksError: a file of the export is damaged or missing.
    """
    source, target = Path(source), Path(target)
    fresh, old = (
        target.with_name(f".{target.name}.{state}.{os.getpid()}.part") for state in ("new", "old")
    )
    fresh.mkdir(parents=True)
    try:
        described = card.read(source)
        for name in sorted({card.ONNX, card.TORCHSCRIPT, *described.files}):
            (fresh / name).write_bytes(card.read_verified(source, name, described))
        shutil.copyfile(source / card.CARD, fresh / card.CARD)
        if target.exists():
            os.replace(target, old)
        os.replace(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
