"""The model card, `model.json`: what must be known to use, trust and name an exported model."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from landmarks.catalogue import Landmark
from landmarks.errors import LandmarksError

ONNX, TORCHSCRIPT, CARD = "landmarks.onnx", "landmarks.pt", "model.json"
OUTPUTS = ("probabilities", "known_score", "known")
"""What both model files answer, in this order."""

KNOWN_THRESHOLD = 0.5
"""A photo shows a known landmark from this `known_score` on: the score is scaled so."""

FORMAT_VERSION = 2
"""Raised when an older `landmarks` would misread the card; new optional fields do not raise it."""

_IN_ANSWERS = {"classes", "input", "invented", "thresholds"}
"""What of a card answers depend on; all else that they do is inside the model files."""

LEARNED = "the model learned from these photos, too (refit): on new ones more may be lost"
"""What to say beside figures on validation photos of a model whose card has `refit`."""

Precision = Literal["float32", "float16", "int8"]
"""What numbers the weights are kept as; the answers are float32 in any case."""

Sha256 = Field(pattern="^[0-9a-f]{64}$")


class Input(BaseModel):
    """What the exported module is fed: whole photos squashed to `size` x `size`."""

    model_config = ConfigDict(frozen=True)

    size: int = Field(ge=1, le=4096)
    layout: Literal["NCHW"] = "NCHW"
    dtype: Literal["uint8"] = "uint8"
    color: Literal["RGB"] = "RGB"
    resize: Literal["squash"] = "squash"


class FileRecord(BaseModel):
    """The identity of a model file."""

    model_config = ConfigDict(frozen=True)

    sha256: str = Sha256
    bytes: int = Field(ge=0)


class Known(BaseModel):
    """How the model tells a photo of a known landmark from others.

    Attributes:
        method: the score, a name in `landmarks.known.METHODS`; the model files compute it.
        threshold: a photo is known from this `known_score` on.
        kept: share of the validation photos, all of known landmarks, that reach it.
        tuned_on: kinds of photos without a known landmark that it was chosen with; none: it comes
            from photos of known landmarks alone.
    """

    model_config = ConfigDict(frozen=True)

    method: str
    threshold: float = Field(ge=0, le=1)
    kept: float = Field(gt=0, lt=1)
    tuned_on: list[str]


class Thresholds(BaseModel):
    """Confidences from which on a name is safe to write.

    Attributes:
        precision: share of the names written that were to be right, photos of nothing included.
        confidence: one threshold for all classes.
        classes: one for each, in the order of `ModelCard.classes`.
    """

    model_config = ConfigDict(frozen=True)

    precision: float = Field(gt=0, lt=1)
    confidence: float = Field(ge=0, le=1)
    classes: list[Annotated[float, Field(ge=0, le=1)]]


class LearnedFrom(BaseModel):
    """What is known of the photos that a model learned from, as `attribution.learned_from` counts.

    Attributes:
        photos: how many there are.
        authors: how many people are known to have made them.
        licences: photos by the name of their licence; `unknown` and `others` are no names.
    """

    model_config = ConfigDict(frozen=True)

    photos: int = Field(ge=1)
    authors: int = Field(ge=0)
    licences: dict[str, Annotated[int, Field(ge=1)]]

    @model_validator(mode="after")
    def _counts_fit(self) -> Self:
        if sum(self.licences.values()) != self.photos:
            raise ValueError("learned_from.licences do not add up to learned_from.photos")
        return self


class ModelCard(BaseModel):
    """`model.json`. Unknown fields are ignored, so that older programs read newer cards.

    `classes` stand in the order of the probabilities; `data` holds the SHA-256 of the tables that
    say which photos were learned from, `params` that of the parameters that made the model.
    `invented` marks a model of the built-in sample, which may never place a real photo. `refit`
    says that it learned from the validation photos, too, so that figures on these flatter it.
    `learned_from` is None where nobody told whose the photos are. `flops` are the floating-point
    operations that one photo costs, two for each multiply-add, as `export.count_flops` counts
    them. `precision` is that of the weights in the ONNX file. `exemplars` is the number of train
    photos that the files hold features of.
    """

    model_config = ConfigDict(frozen=True)

    format_version: int = FORMAT_VERSION
    name: str
    cnn: str
    architecture: str
    invented: bool
    classes: list[Landmark] = Field(min_length=1)
    input: Input
    temperature: float = Field(gt=0)
    known: Known
    thresholds: Thresholds
    parameters: int = Field(ge=0)
    flops: int | None = Field(default=None, ge=0)
    exemplars: int = Field(default=0, ge=0)
    precision: Precision = "float32"
    data: dict[str, str]
    params: str
    versions: dict[str, str]
    licences: dict[str, str]
    refit: bool = False
    learned_from: LearnedFrom | None = None
    files: dict[str, FileRecord]

    @model_validator(mode="after")
    def _thresholds_fit(self) -> Self:
        if len(self.thresholds.classes) != len(self.classes):
            raise ValueError("thresholds.classes and classes differ in length")
        return self

    @property
    def version(self) -> str:
        """Twelve digits that change with all that answers depend on.

        That is the ONNX file, and what the card makes of its numbers: names, places, thresholds.
        """
        used = self.model_dump(by_alias=True, include=_IN_ANSWERS)
        text = json.dumps([self.files[ONNX].sha256, used], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_json(self) -> Any:
        """Return the card as `model.json` holds it."""
        return self.model_dump(by_alias=True)


def read(folder: str | Path) -> ModelCard:
    """Read and check the card in a model's folder.

    Raises:
        LandmarksError: no model there, a damaged card, or one of another format.
    """
    path = Path(folder) / CARD
    again = f"`dvc pull --force {folder}` fetches the model again."
    try:
        tree = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise LandmarksError(
            f"there is no model in {folder} ({CARD} is missing)",
            hint=f"`dvc pull {folder}` fetches the released one, `make demo` makes one.",
        ) from None
    except ValueError as error:
        raise LandmarksError(f"{path} is damaged: it is not JSON", hint=again) from error
    version = tree.get("format_version") if isinstance(tree, dict) else None
    if isinstance(version, int) and version != FORMAT_VERSION:
        raise LandmarksError(
            f"{path} has format_version {version}, and this program reads {FORMAT_VERSION}",
            hint="Install the version of landmarks that the model was made with, or a newer one.",
        )
    try:
        card = ModelCard.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "the top level"
        raise LandmarksError(
            f"{path} is damaged: {key}: {first['msg'].lower()}", hint=again
        ) from error
    if ONNX not in card.files:
        raise LandmarksError(f"{path} is damaged: files has no {ONNX}", hint=again)
    return card


def read_verified(folder: str | Path, name: str, card: ModelCard) -> bytes:
    """Read a model file and return its bytes only if they are those that the card describes.

    What is checked is what is returned: nobody can change the file in between.

    Raises:
        LandmarksError: the file is missing or another one.
    """
    path = Path(folder) / name
    record = card.files.get(name)
    if record is None:
        raise LandmarksError(
            f"{Path(folder) / CARD} has no {name}",
            hint=f"The model has: {', '.join(sorted(card.files))}.",
        )
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise LandmarksError(
            f"{path} is missing, though {CARD} is there: the model was fetched only in part",
            hint=f"`dvc pull {folder}` fetches the rest.",
        ) from None
    if hashlib.sha256(content).hexdigest() != record.sha256:
        raise LandmarksError(
            f"{path} is not the file that {CARD} describes (its SHA-256 differs), so it was not "
            "loaded: it is damaged, cut off or was tampered with",
            hint=f"`dvc pull --force {folder}` fetches it again.",
        )
    return content
