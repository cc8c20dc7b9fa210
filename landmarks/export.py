"""Turn trained weights into the files that users get, and let nothing out that was not checked."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from landmarks import deployable, exemplars, files, images, models
from landmarks.agreement import Difference, agreement, check_agreement, run_eager
from landmarks.card import (
    CARD,
    KNOWN_THRESHOLD,
    ONNX,
    TORCHSCRIPT,
    FileRecord,
    Input,
    Known,
    LearnedFrom,
    ModelCard,
    Thresholds,
)
from landmarks.catalogue import Catalogue
from landmarks.data.archive import open_archive
from landmarks.data.roles import labels, rows
from landmarks.data.store import PhotoStore
from landmarks.errors import LandmarksError
from landmarks.predictor import BATCH, Predictor

DECODING_LOSS = 0.005
"""Largest difference in accuracy between original files and the stored arrays."""

AGREEMENT_PHOTOS, DECODING_PHOTOS = 24, 200

_PACKAGES = ("numpy", "onnx", "onnxruntime", "onnxscript", "torch", "torchvision")
_LARGE = 2_000_000  # pixels; larger photos are not doubled for the comparison


@dataclass(frozen=True)
class Origin:
    """What a model comes from, as its card tells it.

    Attributes:
        invented: whether its landmarks are those of the built-in sample.
        data: SHA-256 of the tables that say which photos it learned from, by file name.
        params: `fingerprint` of the parameters that made it.
        learned_from: what is known of the photos, if anything.
        refit: whether it learned from the validation photos, too.
    """

    invented: bool
    data: dict[str, str]
    params: str
    learned_from: LearnedFrom | None = None
    refit: bool = False


@dataclass(frozen=True)
class Photos:
    """Validation photos, stored and as original files: the ones an export is checked with.

    Attributes:
        store: of `decode`.
        split: of `split`.
        archive: the zip that the originals are in.
    """

    store: PhotoStore
    split: pd.DataFrame
    archive: Path

    def choose(self, count: int) -> NDArray[np.int64]:
        """Return the ids of `count` validation photos, or of all; the same ones each time."""
        ids = rows(self.split, "val")
        by_content = np.argsort(self.store.table.loc[ids, "sha1"].to_numpy(str), kind="stable")
        chosen: NDArray[np.int64] = np.sort(ids[by_content[:count]])
        return chosen

    def originals(self, ids: NDArray[np.int64]) -> Iterator[tuple[str, bytes]]:
        """Yield the path in the archive and the file's bytes of each photo."""
        with open_archive(self.archive) as archive:
            for path in self.store.table.loc[ids, "path"]:
                yield path, archive.read(path)


def fingerprint(groups: Mapping[str, Any]) -> str:
    """Return the SHA-256 of parameters, whatever the order of their keys."""
    text = json.dumps(groups, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def export_cnn(
    parts: deployable.Parts,
    catalogue: Catalogue,
    photos: Photos,
    origin: Origin,
    folder: Path,
) -> list[Difference]:
    """Write `landmarks.pt`, `landmarks.onnx` and `model.json` into `folder`, once all is checked.

    Args:
        parts: what the module is made of.
        catalogue: names and places of the classes.
        photos: to check with; validation rows are used and no others.
        origin: what the card tells of data and parameters.
        folder: gets the files; on an error it stays as it was.

    Returns:
        How far each file is from eager PyTorch, within `agreement.TOLERANCE`.

    Raises:
        LandmarksError: the network cannot be exported, a file disagrees with eager PyTorch, or
            original files score differently than the stored arrays.
    """
    for left in folder.glob(".export.*.part"):  # by a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    fresh = folder / f".export.{os.getpid()}.part"
    fresh.mkdir(parents=True)
    try:
        eager = deployable.build(parts)
        deployable.write_files(parts, fresh)
        info = models.load_weights(parts.weights)[1]
        size = photos.store.pixels.shape[1]
        card = make_card(info, parts.calibration, catalogue, size, origin, fresh, eager)
        files.write_json(fresh / CARD, card.to_json())
        onnx = Predictor.load(fresh, "onnx", threads=1)
        torchscript = Predictor.load(fresh, "torchscript")
        runs = {TORCHSCRIPT: torchscript.outputs, ONNX: onnx.outputs}
        differences = agreement(run_eager(eager), runs, varied(photos))
        check_agreement(differences)
        check_decoding(onnx, photos)
        for name in (TORCHSCRIPT, ONNX, CARD):  # the card last: it vouches for the others
            os.replace(fresh / name, folder / name)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return differences


def make_card(
    info: models.ModelInfo,
    calibration: Mapping[str, Any],
    catalogue: Catalogue,
    size: int,
    origin: Origin,
    folder: Path,
    module: deployable.Deployable,
) -> ModelCard:
    """Describe the files of `module` in `folder`; `size` is that of the stored photos, pixels."""
    known = calibration["known"]
    invented = origin.invented or catalogue.invented
    rights = "drawn by this project" if invented else "their authors'; see data/LICENSES.md"
    return ModelCard(
        name="landmarks",
        cnn=info.cnn,
        architecture=info.architecture,
        invented=invented,
        classes=[catalogue.lookup(name) for name in info.classes],
        input=Input(size=size),
        temperature=calibration["temperature"],
        known=Known(
            method=known["method"],
            threshold=KNOWN_THRESHOLD,
            kept=known["kept"],
            tuned_on=known["tuned_on"],
        ),
        thresholds=Thresholds.model_validate(calibration["thresholds"]),
        parameters=info.parameters,
        flops=count_flops(module, size),
        exemplars=exemplars.count(module.classifier),
        data=origin.data,
        params=origin.params,
        # Without the build, so that CPU and CUDA wheels of PyTorch leave the same card.
        versions={name: version(name).partition("+")[0] for name in _PACKAGES},
        licences={"initial_weights": info.licence, "photos": rights},
        refit=origin.refit,
        learned_from=origin.learned_from,
        files={name: _record(folder / name) for name in (ONNX, TORCHSCRIPT)},
    )


def _record(path: Path) -> FileRecord:
    return FileRecord(sha256=files.sha256(path), bytes=path.stat().st_size)


def count_flops(module: torch.nn.Module, size: int) -> int:
    """Return the floating-point operations of one forward pass, as PyTorch counts them.

    A multiply-add counts as two, and only convolutions and matrix products count: half of it is
    what papers call MACs, and often FLOPs.

    Args:
        module: takes uint8 (1, 3, size, size), on the CPU.
        size: of the photo, pixels.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, 3, size, size, dtype=torch.uint8))
    return int(counter.get_total_flops())


def varied(photos: Photos) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield real photos of several sizes, each with a name: uint8 (N, H, W, 3).

    Originals at full size, thinned to odd small sizes and doubled, and a batch of stored arrays.
    """
    ids = photos.choose(AGREEMENT_PHOTOS)
    yield f"stored photos {', '.join(map(str, ids[:5]))}", np.array(photos.store.pixels[ids[:5]])
    for number, (path, content) in enumerate(photos.originals(ids)):
        pixels = images.decode(content).pixels[np.newaxis]
        yield _named(path, pixels)
        if number % 4 == 0:
            yield _named(path, pixels[:, ::2, ::3])
        elif number % 4 == 1:
            yield _named(path, pixels[:, ::7, ::5])
        elif number % 4 == 2 and pixels.size < 3 * _LARGE:
            yield _named(path, pixels.repeat(2, axis=1).repeat(2, axis=2))


def _named(path: str, pixels: NDArray[np.uint8]) -> tuple[str, NDArray[np.uint8]]:
    return f"{path} at {pixels.shape[2]} x {pixels.shape[1]}", pixels


def check_decoding(predictor: Predictor, photos: Photos) -> tuple[float, float]:
    """Check that photos decoded by the predictor score as the stored ones do.

    Returns:
        Accuracy (0 to 1) on `DECODING_PHOTOS` validation photos: stored arrays, original files.

    Raises:
        LandmarksError: they differ by more than `DECODING_LOSS`.
    """
    ids = photos.choose(DECODING_PHOTOS)
    truth = labels(photos.split, ids)
    stored = predictor.probabilities(photos.store.pixels[ids]).argmax(axis=1)
    names = [landmark.class_name for landmark in predictor.card.classes]
    answered: list[int] = []
    batch: list[bytes] = []
    for number, (_, content) in enumerate(photos.originals(ids), start=1):
        batch.append(content)
        if len(batch) == BATCH or number == len(ids):
            found = predictor.predict_batch(batch, top_k=1)
            answered += [names.index(prediction.best.class_name) for prediction in found]
            batch = []
    before, after = float((stored == truth).mean()), float((np.array(answered) == truth).mean())
    if abs(after - before) > DECODING_LOSS + 1e-9:
        raise LandmarksError(
            f"{len(ids)} original files score {after:.1%} through the predictor, but their stored "
            f"arrays {before:.1%}",
            hint="landmarks/images.py changed since data/photos was made: `dvc repro decode`.",
        )
    return before, after
