"""Mistakes in params.yaml, in the catalogue that it names, and in the environment."""

from mistakes.projects import Project, anything
from mistakes.running import Setting
from mistakes.table import Case, Spoil

DECODE = ("stages.decode",)


def setting(key: str, value: object) -> Spoil:
    """Set one parameter."""
    return lambda project: project.params({key: value})


def text(old: str, new: str) -> Spoil:
    """Replace a text in params.yaml."""
    return lambda project: project.replace("params.yaml", old, new)


def case(id: str, spoil: Spoil) -> Case:
    return Case(id, DECODE, spoil, "downloaded", again=False)


def variable(id: str, name: str, value: str, stage: str = "decode") -> Case:
    command = {
        "decode": (DECODE, "downloaded"),
        "train": (("stages.train", "scratch"), "split"),
    }[stage]
    environment = Setting(environment={name: value})
    again = name == "LANDMARKS_DEVICE" and value == "cuda"
    return Case(id, command[0], anything, command[1], environment, again=again)


def catalogue(id: str, old: str, new: str) -> Case:
    return Case(
        id,
        ("stages.export", "scratch"),
        lambda project: project.replace("places.csv", old, new),
        "trained",
        again=False,
    )


def _remove(project: Project) -> None:
    (project.folder / "params.yaml").unlink()


def _latin(project: Project) -> None:
    path = project.folder / "params.yaml"
    path.write_bytes(path.read_bytes() + "# für mich\n".encode("latin-1"))


PARAMETERS = (
    case("params-missing", _remove),
    case("params-empty", lambda p: p.path("params.yaml").write_text("")),
    case("params-syntax", text("seed: 1", "seed: [1")),
    case("params-tab", text("  photo_size: 48", "\tphoto_size: 48")),
    case("params-latin", _latin),
    case("params-unknown", text("label_smoothing", "label_smooting")),
    case("params-group", text("calibrate:", "calibration:")),
    case("params-absent", text("  photo_size: 48\n", "  {}\n")),
    case("params-flat", setting("decode", 48)),
    case("params-type", setting("train.scratch.epochs", "many")),
    case("params-exponent", setting("train.scratch.lr", "3e-3")),
    case("params-infinite", setting("train.scratch.lr", float("inf"))),
    case("params-range", setting("split.validation_share", 1.5)),
    case("params-seed", setting("train.scratch.seed", 2**64)),
    case("params-choice", setting("train.scratch.auto_augment", "autoaugment")),
    case("params-release", setting("release.model", "newest")),
    case("params-yes", setting("calibrate.temperature", "yes")),
    case("params-list", setting("split.exclude_licences", "CC BY-NC*")),
    case("params-checksum", setting("download.sha256", "abc")),
    case("params-warmup", setting("train.scratch.lr_warmup_epochs", 5)),
    case(
        "params-patches",
        lambda p: p.params(
            {"train.transfer.backbone": "vit_b_16", "train.transfer.val_crop_size": 48}
        ),
    ),
)

CATALOGUE = (
    Case(
        "catalogue-missing",
        ("stages.export", "scratch"),
        setting("export.catalogue", "plcaes.csv"),
        "trained",
    ),
    catalogue("catalogue-column", "latitude", "lat"),
    catalogue("catalogue-coordinates", "12.5", "112.5"),
    catalogue("catalogue-comma", "12.5", "12,5"),
    catalogue("catalogue-one", "12.5", ""),
    catalogue("catalogue-country", "XA", "Vendria"),
    catalogue("catalogue-twice", "01.Mill", "00.Arch"),
    catalogue("catalogue-nameless", "Red Arch", ""),
)

ENVIRONMENT = (
    variable("device", "LANDMARKS_DEVICE", "gpu", "train"),
    variable("cuda", "LANDMARKS_DEVICE", "cuda", "train"),
    variable("workers", "LANDMARKS_WORKERS", "all"),
    variable("workers-many", "LANDMARKS_WORKERS", "1000"),
    variable("workers-negative", "LANDMARKS_WORKERS", "-1", "train"),
    variable("processes", "LANDMARKS_PROCESSES", "0", "train"),
    variable("processes-odd", "LANDMARKS_PROCESSES", "3", "train"),
    variable("processes-cuda", "LANDMARKS_PROCESSES", "many", "train"),
)
