"""`params.yaml` as typed, closed models: every key is known, checked and explained here."""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from landmarks.errors import LandmarksError

Share = Annotated[float, Field(gt=0, lt=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Pixels = Annotated[int, Field(ge=16, le=1024)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

NO_TEACHER = "presets/no_teacher.txt"
"""What `train.transfer.teacher` names where there is none: DVC depends on the file it names."""


class Group(BaseModel):
    """A closed group of parameters: an unknown key is an error.

    No key may be called `size` or `nfiles`: DVC's run cache leaves these names out when it compares
    parameters, and would bring back the outs of another value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Sample(Group):
    """The built-in sample of invented landmarks."""

    seed: Seed = Field(description="draws other photos of the same landmarks")
    train_photos: int = Field(ge=2, description="train photos of each landmark")
    test_photos: int = Field(ge=1, description="test photos of each landmark")
    negatives: int = Field(ge=0, description="pictures that show no landmark")


class Download(Group):
    """Where the photos come from."""

    source: str = Field(
        min_length=1, description="URL, zip, tar, folder of class folders or sample"
    )
    sha256: Sha256 | None = Field(description="expected SHA-256 of a file source")
    negatives: str | None = Field(description="a second archive: photos of no known landmark")
    negatives_sha256: Sha256 | None = Field(description="expected SHA-256 of that archive")
    attribution: str | None = Field(
        description="a table of the photos' authors and licences, as Google Landmarks has one"
    )
    attribution_sha256: Sha256 | None = Field(description="expected SHA-256 of that table")
    sample: Sample


class Decode(Group):
    """How photos are stored once decoded."""

    photo_size: Pixels = Field(description="height and width of every stored photo, pixels")


class Split(Group):
    """How photos get their role."""

    seed: Seed
    validation_share: Share = Field(description="of the train photos")
    test_share: Share = Field(description="of all photos, where the archive has no test folder")
    near_duplicate_distance: int = Field(
        ge=0, le=16, description="bits in which two perceptual hashes of one view may differ"
    )
    exclude_licences: list[Annotated[str, Field(min_length=1)]] = Field(
        description="photos under these get no role: names, addresses or patterns, or unknown"
    )


class Training(Group):
    """What both CNNs share. Names follow torchvision's classification references."""

    seed: Seed
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=2, description="photos a step, over all processes")
    initial_crop_size: Pixels = Field(description="side of the random crops of the first epoch")
    train_crop_size: Pixels = Field(description="side of the random crops of the last epochs")
    val_crop_size: Pixels = Field(description="side of the photos in validation and after export")
    optimizer: Literal["adamw", "muon"] = Field(
        description="of the convolutions; all else learns by AdamW"
    )
    lr: float = Field(gt=0, description="peak learning rate, of both optimizers")
    lr_warmup_epochs: float = Field(ge=0)
    weight_decay: float = Field(ge=0)
    norm_weight_decay: float = Field(ge=0, description="weight decay of norm layers and biases")
    label_smoothing: Rate
    auto_augment: Literal["none", "rand", "trivial"]
    random_crop_min_scale: float = Field(gt=0, le=1, description="least share of the photo kept")
    random_erase: float = Field(ge=0, le=1, description="probability")
    mixup_alpha: float = Field(ge=0)
    cutmix_alpha: float = Field(ge=0)
    dropout: Rate
    model_ema_decay: Rate = Field(description="a step; 0 switches the moving average off")
    patience: int = Field(ge=1, description="epochs without a better validation before the stop")
    precision: Literal["auto", "32-true", "bf16-mixed"]
    threads: int = Field(ge=0, le=1024, description="CPU threads of PyTorch; 0 lets PyTorch choose")

    @model_validator(mode="after")
    def _crops_grow(self) -> Self:
        if self.initial_crop_size > self.train_crop_size:
            raise ValueError("initial_crop_size must not be larger than train_crop_size")
        return self

    @model_validator(mode="after")
    def _warm_up_fits(self) -> Self:
        if self.lr_warmup_epochs >= self.epochs:
            raise ValueError(
                f"lr_warmup_epochs must be smaller than epochs; they are {self.lr_warmup_epochs:g} "
                f"and {self.epochs}"
            )
        return self


class Scratch(Training):
    """The CNN of our own."""

    width: int = Field(ge=8, multiple_of=8, description="channels of the first stage")
    stochastic_depth: Rate = Field(description="drop probability of the last residual block")


class Transfer(Training):
    """The pretrained backbone with a new head."""

    backbone: str = Field(description="a name in landmarks.backbones.BACKBONES")
    weights: str = Field(min_length=1, description="imagenet, or the path of a state dict")
    weights_sha256: Sha256 | None = Field(description="expected SHA-256 of that file")
    frozen_blocks: int = Field(ge=0, description="leading blocks that keep their weights")
    freeze_epochs: int = Field(ge=0, description="epochs in which only the head learns")
    backbone_lr_factor: float = Field(gt=0, le=1, description="of lr, for the backbone")
    teacher: str = Field(
        min_length=1,
        description="weights of a network to learn from beside labels, such as "
        f"models/scratch/weights.safetensors, or {NO_TEACHER}",
    )
    teacher_share: float = Field(gt=0, le=1, description="of the loss; labels have the rest")
    teacher_temperature: float = Field(
        gt=0, description="by which logits are divided for it; more than 1 makes answers softer"
    )

    @model_validator(mode="after")
    def _patches_fit(self) -> Self:
        sizes = (self.initial_crop_size, self.train_crop_size, self.val_crop_size)
        if self.backbone.startswith("vit_") and (len(set(sizes)) > 1 or sizes[0] % 16):
            raise ValueError(
                f"{self.backbone} needs initial_crop_size, train_crop_size and val_crop_size to be "
                "equal, and a multiple of its patches of 16 pixels; they are "
                f"{', '.join(map(str, sizes))}"
            )
        return self


class Train(Group):
    """One group a CNN."""

    scratch: Scratch
    transfer: Transfer


class Refit(Group):
    """Whether a last training learns from the validation photos, too, with all else fixed."""

    scratch: bool
    transfer: bool


class Exemplars(Group):
    """Whether photos are compared with the train photos, too; see landmarks.exemplars."""

    scratch: bool
    transfer: bool


def chosen_cnn(arguments: list[str]) -> str:
    """Return the CNN that a stage's command names, e.g. `python -m stages.train scratch`.

    Raises:
        LandmarksError: it names none, or one that does not exist.
    """
    names = list(Train.model_fields)
    if len(arguments) != 2 or arguments[1] not in names:
        given = " ".join(arguments[1:])
        raise LandmarksError(
            f"there is no CNN {given!r}" if given else "no CNN is named",
            hint=f"Name one of: {', '.join(names)}.",
        )
    return arguments[1]


class Calibrate(Group):
    """From logits to confidence."""

    mirror: bool = Field(description="answer with the mean of a photo and its mirror image")
    temperature: bool = Field(description="fit one temperature on the validation rows")
    known: Literal[
        "best",
        "max_probability",
        "max_logit",
        "energy",
        "generalized_entropy",
        "cosine",
        "mahalanobis",
        "max_probability+cosine",
        "max_probability+mahalanobis",
        "generalized_entropy+cosine",
    ] = Field(description="the score that tells known photos from others; see landmarks.known")
    keep: Share = Field(description="of the known validation photos, by the unknown threshold")
    precision: Share = Field(description="of names that are safe to write, negatives included")
    untuned_kinds: list[str] = Field(description="kinds of negatives that no choice may see")


class Export(Group):
    """What is delivered beside the weights."""

    catalogue: str = Field(description="table that names and places each class")


class Evaluate(Group):
    """What the tables and plots show."""

    calibration_bins: int = Field(ge=2, le=100)
    confusion_pairs: int = Field(ge=1)


class Release(Group):
    """Which CNN users get."""

    model: Literal["best", "scratch", "transfer"]


class Params(Group):
    """The whole of `params.yaml`, grouped by stage."""

    download: Download
    decode: Decode
    split: Split
    train: Train
    refit: Refit
    exemplars: Exemplars
    calibrate: Calibrate
    export: Export
    evaluate: Evaluate
    release: Release


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check the parameters.

    Raises:
        LandmarksError: the file is missing, is not YAML, or a key or value is not allowed; the
            message names the file, the key and what would be valid.
    """
    try:
        tree = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LandmarksError(
            f"{path} is missing in {Path.cwd()}",
            hint="Run from the project's folder, or `make preset NAME=sample` to make it.",
        ) from None
    except UnicodeDecodeError as error:
        raise LandmarksError(
            f"{path} is not UTF-8 (byte {error.start})", hint="Save it as UTF-8."
        ) from error
    except yaml.YAMLError as error:
        raise _no_yaml(error, str(path)) from error
    return parse(tree, str(path))


def parse(tree: Any, where: str = "params.yaml") -> Params:
    """Check a tree of parameters as `load` does; `where` names it in messages."""
    if not isinstance(tree, dict):
        raise LandmarksError(
            f"{where} holds no groups of parameters",
            hint="`make preset NAME=sample` writes it anew; presets/ has complete ones.",
        )
    try:
        return Params.model_validate(tree)
    except ValidationError as error:
        raise LandmarksError(*_explain(error, where)) from error


def _no_yaml(error: yaml.YAMLError, where: str) -> LandmarksError:
    """Return the error that names line and column, as editors count them."""
    said = str(error)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        where += f":{error.problem_mark.line + 1}:{error.problem_mark.column + 1}"
        said = error.problem or said
    return LandmarksError(
        f"{where} is not valid YAML: {said}", hint="Look at that line and at the one above it."
    )


def _explain(error: ValidationError, where: str) -> tuple[str]:
    errors = error.errors(include_url=False)
    # A misspelt key is both missing and unknown: what was written is the better clue.
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    path = [str(part) for part in first["loc"]]
    key = ".".join(path) or "the top level"
    more = error.error_count() - 1
    if first["type"] == "extra_forbidden":
        valid = sorted(_group_at(path[:-1]).model_fields)
        close = difflib.get_close_matches(path[-1], valid, n=1)
        guess = f" Did you mean `{close[0]}`?" if close else ""
        said = f"unknown key `{key}` in {where}.{guess} Valid keys there: {', '.join(valid)}"
    elif first["type"] == "missing":
        said = f"`{key}` is missing in {where}. The files in presets/ have every key"
    elif first["type"] == "model_type":
        group = ", ".join(_group_at(path).model_fields)
        said = (
            f"`{key}` in {where} is {first['input']!r}, but should be a group with the keys {group}"
        )
    else:
        reason = first["msg"].removeprefix("Value error, ")
        reason = _PLAINER.get(first["type"], reason.replace("Input should", "should"))
        said = f"`{key}` in {where} {reason}, but it is {first['input']!r}"
        if isinstance(first["input"], dict):
            said = f"`{key}` in {where}: {reason}"
        elif first["type"] == "float_type" and (number := _as_number(first["input"])):
            said += f"; YAML takes that for text, write {number}"
    return (said + (f" (and {more} more)" if more else ""),)


_PLAINER = {
    "string_pattern_mismatch": "should be 64 hexadecimal digits, a SHA-256",
    "int_type": "should be a whole number",
    "float_type": "should be a number",
    "bool_type": "should be true or false",
    "list_type": "should be a list, such as [one, two]",
}


def _as_number(value: object) -> str:
    """Return a text such as `1e-3`, which YAML 1.1 takes for no number, as one it does."""
    try:
        return repr(float(value)) if isinstance(value, str) else ""
    except ValueError:
        return ""


def _group_at(path: list[str]) -> type[BaseModel]:
    group: type[BaseModel] = Params
    for part in path:
        annotation = group.model_fields[part].annotation
        assert isinstance(annotation, type) and issubclass(annotation, BaseModel)
        group = annotation
    return group
