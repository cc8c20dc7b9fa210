"""Prints, as Markdown for CI, what a commit changed: parameters, metrics and training curves."""

import argparse
import csv
from pathlib import Path

from landmarks.errors import LandmarksError, run
from tools import dvc_cli
from tools.dvc_cli import ROOT

CNNS = ("scratch", "transfer")


def table(kind: str, base: str, root: Path = ROOT) -> str:
    """Return `dvc KIND diff BASE` as a Markdown table, or a line that says that nothing changed.

    Raises:
        LandmarksError: DVC cannot compare.
    """
    code, said, wrong = dvc_cli.output(kind, "diff", base, "--md", root=root)
    if code:
        raise LandmarksError(f"dvc {kind} diff {base} failed: {wrong.strip()}")
    return said.strip() or f"No {kind} changed."


def curves(root: Path = ROOT) -> str:
    """Return the validation accuracy of both CNNs by epoch as a picture in Mermaid's language.

    GitHub and GitLab draw it; their summaries take no picture files. The shorter curve keeps its
    last value to the end.
    """
    found = {cnn: _column(root / f"metrics/{cnn}/training.csv") for cnn in CNNS}
    longest = max(map(len, found.values()))
    lines = [
        "```mermaid",
        "xychart-beta",
        f'  title "Validation accuracy by epoch: {", then ".join(found)}"',
        f"  x-axis 1 --> {longest}",
        '  y-axis "accuracy" 0 --> 1',
    ]
    for values in found.values():
        whole = values + values[-1:] * (longest - len(values))
        lines.append(f"  line [{', '.join(f'{value:.4f}' for value in whole)}]")
    return "\n".join([*lines, "```"])


def _column(path: Path) -> list[float]:
    with path.open(encoding="utf-8", newline="") as file:
        return [float(row["val_accuracy"]) for row in csv.DictReader(file)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", help="the Git revision to compare with")
    base = parser.parse_args().base
    print(f"## Against `{base}`\n\n### Metrics\n\n{table('metrics', base)}")
    print(f"\n### Parameters\n\n{table('params', base)}\n\n### Training\n\n{curves()}")


if __name__ == "__main__":
    run(main)
