"""The first thing to try: builds both CNNs on the built-in sample and recognises a photo."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from landmarks.errors import LandmarksError, run
from tools import dvc_cli as dvc

ROOT = dvc.ROOT
CNNS = ("scratch", "transfer")
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
# How far a rebuild on another kind of processor may lie from the figures in Git: floating-point
# sums differ in their last bits there, and training amplifies that. Shares of 1; bytes relative.
TOLERANCE = {"accuracy": 0.06, "top5_accuracy": 0.06, "macro_f1": 0.06, "ece": 0.05}


def table(metrics: dict[str, dict[str, float]]) -> str:
    """Return the CNNs' test metrics side by side, a row a figure, a column a CNN."""
    lines = [f"{'':26}" + "".join(f"{cnn:>14}" for cnn in metrics)]
    for label, key, form in _ROWS:
        cells = [form.format(values[key]) if key in values else "" for values in metrics.values()]
        lines.append(f"{label:26}" + "".join(f"{cell:>14}" for cell in cells))
    return "\n".join(lines)


def differing_outs(now: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """Return the outs whose hash in one parsed dvc.lock is not that in the other, sorted."""
    return sorted(
        path
        for path in _outs(now).keys() | _outs(before).keys()
        if _outs(now).get(path) != _outs(before).get(path)
    )


def beyond_tolerance(now: dict[str, float], before: dict[str, float]) -> list[str]:
    """Return a sentence for each metric that is further from `before` than `TOLERANCE`."""
    return [
        f"{key} is {now[key]:.4f}, in Git {before[key]:.4f}, allowed difference {allowed}"
        for key, allowed in TOLERANCE.items()
        if key in now and key in before and abs(now[key] - before[key]) > allowed
    ]


def _outs(lock: dict[str, Any]) -> dict[str, str]:
    stages = lock.get("stages", {}).values()
    return {out["path"]: out.get("md5", "") for stage in stages for out in stage.get("outs", [])}


def _committed(path: str) -> str | None:
    """Return a file's text in the last commit, None where it is not there."""
    shown = subprocess.run(
        ["git", "show", f"HEAD:{path}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return shown.stdout if shown.returncode == 0 else None


def _check_against_git() -> None:
    """Compare this build with the one in Git; say which files differ.

    Raises:
        LandmarksError: a metric lies outside the stated tolerance.
    """
    before = _committed("dvc.lock")
    if before is None:
        print("There is no dvc.lock in Git to compare this build with.")
        return
    now = (ROOT / "dvc.lock").read_text(encoding="utf-8")
    differing = differing_outs(yaml.safe_load(now), yaml.safe_load(before))
    if not differing:
        print("This build has the same bytes as the one in Git.")
        return
    wrong = [
        f"{cnn}: {sentence}"
        for cnn in CNNS
        if (text := _committed(f"metrics/{cnn}.json")) is not None
        for sentence in beyond_tolerance(_metrics(cnn), json.loads(text))
    ]
    print("Other bytes than in Git (another kind of processor rounds otherwise):")
    print("\n".join(f"  {path}" for path in differing))
    if wrong:
        raise LandmarksError(
            "this build is not the one in Git: " + "; ".join(wrong),
            hint="If you changed code or parameters, that is why; else please report it.",
        )
    allowed = ", ".join(f"{key} ±{value}" for key, value in TOLERANCE.items())
    print(f"Their metrics agree with those in Git within {allowed}.")


def _metrics(cnn: str) -> dict[str, float]:
    values: dict[str, float] = json.loads((ROOT / f"metrics/{cnn}.json").read_text())
    return values


def _check_sample() -> None:
    """Raise unless params.yaml is the sample's: real photos take hours and their own commands."""
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
    print(table({cnn: _metrics(cnn) for cnn in CNNS}))
    print()
    _check_against_git()
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
