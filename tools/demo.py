"""The first thing to try: builds both CNNs on the built-in sample and recognises a photo."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from landmarks import params
from landmarks.errors import LandmarksError, run
from tools import check_build
from tools import dvc_cli as dvc
from tools.check_build import CNNS, metrics

ROOT = dvc.ROOT
# What is shown of metrics/<cnn>.json, and how.
_ROWS = (
    ("accuracy on test", "accuracy", "{:.1%}"),
    ("  95 % interval, from", "accuracy_low", "{:.1%}"),
    ("  95 % interval, to", "accuracy_high", "{:.1%}"),
    ("right name in the top 5", "top5_accuracy", "{:.1%}"),
    ("macro F1", "macro_f1", "{:.3f}"),
    ("calibration error (ECE)", "ece", "{:.3f}"),
    ("test photos", "n", "{:,.0f}"),
    ("parameters", "parameters", "{:,.0f}"),
    ("bytes as ONNX", "onnx_bytes", "{:,.0f}"),
)


def table(figures: dict[str, dict[str, float]]) -> str:
    """Return the CNNs' test metrics side by side, a row a figure, a column a CNN."""
    lines = [f"{'':26}" + "".join(f"{cnn:>14}" for cnn in figures)]
    for label, key, form in _ROWS:
        cells = [form.format(values[key]) if key in values else "" for values in figures.values()]
        lines.append(f"{label:26}" + "".join(f"{cell:>14}" for cell in cells))
    return "\n".join(lines)


def _check_sample() -> None:
    """Raise unless params.yaml is the sample's: real photos take hours and their own commands."""
    params.load(ROOT / "params.yaml")
    sample = (ROOT / "presets/sample.yaml").read_text(encoding="utf-8")
    chosen = (ROOT / "params.yaml").read_text(encoding="utf-8")
    if yaml.safe_load(sample) != yaml.safe_load(chosen):
        raise LandmarksError(
            "params.yaml is not the built-in sample's",
            hint="`make repro` builds what it says; `make preset NAME=sample` sets it back.",
        )


def _predict_unseen() -> None:
    """Draw a photo that no stage has seen, and name its place with the released model."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "unseen.jpg"
        # --scale: larger than the sample's photos, as a camera's would be.
        drawing = ["--photo", str(photo), "--landmark", "0", "--scale", "4"]
        draw = [sys.executable, "-m", "landmarks.data.sample", *drawing]
        ask = [sys.executable, "-m", "landmarks.cli", "predict", str(photo), "--top-k", "3"]
        for command in (draw, ask):
            if subprocess.run(command, cwd=ROOT, check=False).returncode:
                raise LandmarksError("the demonstration photo could not be named")


def _title(text: str) -> None:
    print(f"\n== {text}", flush=True)


def main() -> None:
    _check_sample()
    _title("dvc repro: builds what is missing or changed, a few minutes the first time")
    dvc.run("repro")
    _title("dvc push: keeps data and models in the default storage")
    dvc.run("push")
    _title("Both CNNs on the test photos, measured on the exported files")
    print(table({cnn: metrics(cnn) for cnn in CNNS}))
    print()
    check_build.check()
    _title("A photo that no stage has seen")
    _predict_unseen()
    _title("Where things are")
    released = json.loads((ROOT / "metrics/released.json").read_text())["cnn"]
    print(
        f"  models/landmarks/      the released model ({released}): ONNX, TorchScript, model.json"
    )
    print("  models/scratch/        the CNN of our own      models/transfer/   the pretrained one")
    print("Next: source .venv/bin/activate; landmarks predict photo.jpg; make for all commands.")


if __name__ == "__main__":
    run(main)
