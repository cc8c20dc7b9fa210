"""Is this build of the sample the one in Git: the same bytes, or on another processor, near it?"""

import argparse
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import yaml

from landmarks import files
from landmarks.errors import LandmarksError, run

ROOT = Path(__file__).resolve().parents[1]
CNNS = ("scratch", "transfer")
PROCESSOR = ROOT / "presets/sample.processor"
"""Names the kind of processor that made the dvc.lock in Git."""
# How far a rebuild on another kind of processor may lie from the figures in Git: floating-point
# sums differ in their last bits there, and training amplifies that. Shares of 1; bytes relative.
TOLERANCE = {"accuracy": 0.06, "top5_accuracy": 0.06, "macro_f1": 0.06, "ece": 0.05}


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


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def _committed(path: str) -> str | None:
    """Return a file's text in the last commit, None where it is not there."""
    return _git("show", f"HEAD:{path}") or None


def processor() -> str:
    """Return what decides the last bits of a sum here: processor family, model, instructions."""
    import torch

    facts = {}
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        for line in reversed(lines):
            name, _, value = line.partition(":")
            facts[name.strip()] = value.strip()
    named = [facts.get(key, "?") for key in ("vendor_id", "cpu family", "model")]
    vendor, family, model = named if facts else (platform.machine(), "?", "?")
    return f"{vendor} family {family} model {model}, {torch.backends.cpu.get_cpu_capability()}"


def check(*, strict: bool = False) -> None:
    """Compare this build with the one in Git; say which files differ.

    Args:
        strict: whether other bytes on the kind of processor that made those in Git are an error,
            as they are where nobody changed code or parameters.

    Raises:
        LandmarksError: bytes that should not differ, or a metric outside the stated tolerance.
    """
    before = _committed("dvc.lock")
    if before is None:
        print("There is no dvc.lock in Git to compare this build with.")
        return
    now = (ROOT / "dvc.lock").read_text(encoding="utf-8")
    differing = differing_outs(yaml.safe_load(now), yaml.safe_load(before))
    if not differing:
        print("This build has the same bytes as the one in Git.")
        if strict and (dirt := _git("status", "--porcelain")):
            raise LandmarksError(f"yet git status is not clean: {dirt}")
        return
    here, there = processor(), PROCESSOR.read_text(encoding="utf-8").strip()
    print(f"Other bytes than in Git (made on {there}; this is {here}):")
    print("\n".join(f"  {path}" for path in differing))
    if strict and here == there:
        raise LandmarksError(
            "this build should have the same bytes as the one in Git",
            hint="Find what makes the first differing stage depend on more than its inputs.",
        )
    wrong = [
        f"{cnn}: {sentence}"
        for cnn in CNNS
        if (text := _committed(f"metrics/{cnn}.json")) is not None
        for sentence in beyond_tolerance(metrics(cnn), json.loads(text))
    ]
    if wrong and strict:
        raise LandmarksError("this build is not the one in Git: " + "; ".join(wrong))
    if wrong:
        print("Further from Git's than processors explain: " + "; ".join(wrong))
        print("If you changed code or parameters, that is why; else please report it.")
        return
    allowed = ", ".join(f"{key} ±{value}" for key, value in TOLERANCE.items())
    print(f"Their metrics agree with those in Git within {allowed}.")


def metrics(cnn: str) -> dict[str, float]:
    values: dict[str, float] = json.loads((ROOT / f"metrics/{cnn}.json").read_text())
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strict", action="store_true", help="no other bytes on the same kind")
    parser.add_argument("--record", action="store_true", help="this machine made what is in Git")
    arguments = parser.parse_args()
    if arguments.record:
        files.write_text(PROCESSOR, processor() + "\n")
        return
    check(strict=arguments.strict)


if __name__ == "__main__":
    run(main)
