"""Stages that take a blink, with the names, parameters and files of the real ones."""

import hashlib
import json
import random
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

SETTINGS: dict[str, Any] = yaml.safe_load(Path("params.yaml").read_text())
EXPORT = Path("drawn")


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def download() -> None:
    Path("data").mkdir(exist_ok=True)
    noise = random.Random(SETTINGS["download"]["sample"]["seed"])
    Path("data/landmark_images.zip").write_bytes(noise.randbytes(300_000))


def train(cnn: str) -> None:
    """The higher the learning rate, up to 0.01, the better: a curve to 0.5 + 40 lr."""
    chosen = SETTINGS["train"][cnn]
    best = round(0.5 + 40 * min(float(chosen["lr"]), 0.01), 4)
    rows = [f"{n},{1 / n:.4f},{1.2 / n:.4f},{best * (1 - 0.5**n):.4f}" for n in range(1, 7)]
    write(
        f"metrics/{cnn}/training.csv", "\n".join(["epoch,train_loss,val_loss,val_accuracy", *rows])
    )
    noise = random.Random(digest([cnn, chosen]))
    write(f"models/{cnn}/weights.safetensors", json.dumps([best, noise.randbytes(50_000).hex()]))


def evaluate(cnn: str) -> None:
    best = json.loads(Path(f"models/{cnn}/weights.safetensors").read_text())[0]
    interval = {"accuracy_low": round(best - 0.03, 4), "accuracy_high": round(best + 0.03, 4)}
    write(f"metrics/{cnn}.json", json.dumps({"accuracy": best, **interval, "n": 320}, indent=2))


def release() -> None:
    """Release the drawn export; its names tell which CNN and which accuracy it is."""
    figures = {
        cnn: json.loads(Path(f"metrics/{cnn}.json").read_text()) for cnn in ("scratch", "transfer")
    }
    wanted = SETTINGS["release"]["model"]
    cnn = max(figures, key=lambda one: figures[one]["accuracy"]) if wanted == "best" else wanted
    shutil.rmtree("models/landmarks", ignore_errors=True)
    shutil.copytree(EXPORT, "models/landmarks")
    card = json.loads((EXPORT / "model.json").read_text())
    for one in card["classes"]:
        one["name"] += f" ({cnn} {figures[cnn]['accuracy']:.4f})"
    write("models/landmarks/model.json", json.dumps({**card, "cnn": cnn}, indent=2))
    write("metrics/released.json", json.dumps({**figures[cnn], "cnn": cnn}, indent=2))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
