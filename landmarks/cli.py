"""The `landmarks` command."""

import io
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landmarks.errors import LandmarksError, report, run

if TYPE_CHECKING:
    from landmarks.predictor import Prediction, Predictor

# Whatever takes long to import is imported by the command that needs it: help comes at once.
app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Tell where photos were taken from the landmarks that they show.",
)


class Engine(StrEnum):
    """What looks at the photos."""

    LOCAL = "local"
    RAY = "ray"


class Runtime(StrEnum):
    """What runs the model."""

    ONNX = "onnx"
    TORCHSCRIPT = "torchscript"


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"landmarks {version('landmarks')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


@app.command()
def predict(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="Image files.")],
    top_k: Annotated[int, typer.Option(min=1, help="Guesses a photo.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    model: Annotated[Path, typer.Option(help="Folder of the model.")] = Path("models/landmarks"),
    runtime: Annotated[Runtime, typer.Option(help="What runs it.")] = Runtime.ONNX,
) -> None:
    """Name the landmark on each photo, its place and coordinates, and how sure that is.

    A photo that shows none of the known landmarks is said to be so, with what it resembles most.

    A photo that cannot be read is reported and the others are answered; the exit status is then 1.
    """
    from landmarks import answers
    from landmarks.predictor import DEMONSTRATION, Predictor

    predictor = Predictor.load(model, runtime=runtime.value)
    if predictor.card.invented:
        print(f"note: {DEMONSTRATION}", file=sys.stderr)
    answered, failed = [], False
    for photo in photos:
        prediction = _answer(predictor, photo, top_k)
        failed |= prediction is None
        if prediction and as_json:
            answered.append({"photo": str(photo)} | answers.as_json(prediction))
        elif prediction:
            print(_to_text(photo, prediction), flush=True)
    if as_json:
        print(json.dumps(answered, indent=2, ensure_ascii=False))
    if failed:
        raise typer.Exit(1)


@app.command()
def tag(
    folder: Annotated[
        str, typer.Argument(metavar="FOLDER", help="Folder of photos; a path, or a URL (s3://…).")
    ],
    csv: Annotated[
        str | None, typer.Option(metavar="FILE", help="Table to write, a row a photo.")
    ] = None,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="The same as JSON.")
    ] = None,
    parquet: Annotated[
        str | None, typer.Option(metavar="FILE", help="The same as Parquet.")
    ] = None,
    xmp: Annotated[bool, typer.Option("--xmp", help="Write places to sidecars.")] = False,
    albums: Annotated[Path | None, typer.Option(help="Folder for albums of links.")] = None,
    copies: Annotated[bool, typer.Option("--copies", help="Albums of copies.")] = False,
    review: Annotated[
        Path | None, typer.Option(help="Table of unsure photos: fill in `verdict`, run again.")
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take out of sidecars what --xmp put in.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen.")] = False,
    min_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Least confidence for a name.")
    ] = None,
    per_class: Annotated[
        bool, typer.Option("--per-class", help="A threshold for each class, the model's.")
    ] = False,
    model: Annotated[Path, typer.Option(help="Folder of the model.")] = Path("models/landmarks"),
    state: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Where a run keeps what it knows.")
    ] = None,
    engine: Annotated[
        Engine, typer.Option(help="This machine, or a Ray cluster: docs/scale.md.")
    ] = Engine.LOCAL,
    ray_address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Head of the cluster.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Workers of the cluster; else all it has room for.")
    ] = None,
    cpus_per_worker: Annotated[int, typer.Option(min=1, help="Processors of each.")] = 1,
    gpus_per_worker: Annotated[
        float, typer.Option(min=0, help="GPUs of each, or a share of one.")
    ] = 0,
) -> None:
    """Write the places that photos show into sidecars, tables and albums; photos stay untouched.

    A run that was stopped continues where it was. The exit status is 1 if some file could not be
    dealt with; each is reported.
    """
    from landmarks.tagging.cluster import Cluster
    from landmarks.tagging.options import options
    from landmarks.tagging.run import tag as run_tag

    asked = options(
        folder, csv, json_file, parquet, state, model=model, review=review, xmp=xmp,
        albums=albums, copies=copies, undo=undo, dry_run=dry_run, min_confidence=min_confidence,
        per_class=per_class, engine=engine.value,
        cluster=Cluster(ray_address, workers, cpus_per_worker, gpus_per_worker),
    )  # fmt: skip
    if status := run_tag(asked):
        raise typer.Exit(status)


@app.command()
def serve(
    model: Annotated[Path | None, typer.Option(help="Folder of the model.")] = None,
    host: Annotated[str | None, typer.Option(help="Address; 0.0.0.0 for all networks.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 takes a free one.")] = None,
) -> None:
    """Answer over HTTP: POST photos to /v1/predict.

    All settings are environment variables, LANDMARKS_SERVE_…: docs/serving.md. Without options the
    model is models/landmarks and the address http://127.0.0.1:8000.
    """
    try:
        from landmarks.serving import server, settings
    except ModuleNotFoundError as error:
        raise LandmarksError(
            f"`landmarks serve` needs {error.name}, which is not installed",
            hint='`pip install ".[app]"` in the project brings what it needs.',
        ) from None
    server.serve(settings.load(model=model, host=host, port=port))


def _answer(predictor: "Predictor", photo: Path, top_k: int) -> "Prediction | None":
    try:
        return predictor.predict(photo, top_k)
    except LandmarksError as error:
        print(report(error), file=sys.stderr)
        return None


def _to_text(photo: Path, prediction: "Prediction") -> str:
    """Return one block: the photo, then a line for each guess with place and coordinates."""
    lines = [str(photo)]
    if prediction.unknown:
        nearest = ", ".join(f"{one.name} {one.confidence:.1%}" for one in prediction.guesses)
        return f"{photo}\n  none of the known landmarks (nearest: {nearest})"
    for guess in prediction.guesses:
        what = f"{guess.name}, {guess.place}" if guess.place else guess.name
        if guess.latitude is not None and guess.longitude is not None:
            what += f" ({_coordinates(guess.latitude, guess.longitude)})"
        lines.append(f"  {guess.confidence:6.1%}  {what}")
    return "\n".join(lines)


def _coordinates(latitude: float, longitude: float) -> str:
    north, east = "N" if latitude >= 0 else "S", "E" if longitude >= 0 else "W"
    return f"{abs(latitude):.4f}° {north}, {abs(longitude):.4f}° {east}"


def main() -> None:
    """Run the command; mistakes of its user end in one line and exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be valid text
    run(app)


if __name__ == "__main__":
    main()
