"""Says what this machine has for the project, and what to do about what is missing."""

import importlib.metadata
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from landmarks import environment, files, params
from landmarks.errors import LandmarksError, run
from tools import dvc_cli as dvc
from tools.preset import names

ROOT = dvc.ROOT
_MARKS = {"ok": "ok     ", "note": "note   ", "missing": "MISSING"}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Args:
        state: `ok`; `note`, works without it; `missing`, must be mended.
        what: the thing looked at.
        found: what there is.
        advice: what to do, empty where nothing is needed.
    """

    state: str
    what: str
    found: str
    advice: str = ""

    def __str__(self) -> str:
        line = f"{_MARKS[self.state]}  {self.what:15} {self.found}"
        return line + (f"\n{'':26}-> {self.advice}" if self.advice else "")


def python() -> Finding:
    """Python's version, and whether it is this project's own environment."""
    found = f"{platform.python_version()} at {sys.prefix}"
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("missing", "Python", found, "Python 3.11 to 3.13, then: make clean setup")
    return Finding("ok", "Python", found)


def packages(root: Path = ROOT) -> Finding:
    """Whether what requirements.txt pins is what is installed."""
    wrong = []
    for line in (root / "requirements.txt").read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition("==")
        if not version:
            continue
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = "none"
        # A build's own suffix (2.14.1+cu130) does not make another version.
        if installed.partition("+")[0] != version:
            wrong.append(f"{name} {installed} instead of {version}")
    if wrong:
        return Finding("missing", "packages", "; ".join(wrong), "make setup")
    shown = ("torch", "torchvision", "onnxruntime", "dvc")
    found = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in shown)
    return Finding("ok", "packages", found)


def accelerator() -> Finding:
    """CUDA devices that PyTorch can use, with memory and bf16."""
    import torch

    if not torch.cuda.is_available():
        built = torch.version.cuda or "none"
        advice = "the CPU trains: preset landmarks50-cpu. With an NVIDIA GPU: update its driver"
        return Finding("note", "CUDA", f"no device (PyTorch is built for CUDA {built})", advice)
    devices = []
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        bf16 = "bf16" if (card.major, card.minor) >= (8, 0) else "no native bf16"
        devices.append(f"{card.name}, {card.total_memory / 1e9:.0f} GB, {bf16}")
    return Finding("ok", "CUDA", "; ".join(devices))


def cpu_bf16(flags: str | None = None) -> Finding:
    """Whether the processor multiplies bf16 natively (AVX-512 BF16 or AMX), as training asks.

    Args:
        flags: the text of /proc/cpuinfo; read there when None.
    """
    if flags is None:
        cpuinfo = Path("/proc/cpuinfo")
        flags = cpuinfo.read_text() if cpuinfo.exists() else ""
    known = set(flags.split())
    has = [name for name in ("amx_bf16", "avx512_bf16") if name in known]
    if has:
        return Finding("ok", "bf16 on the CPU", ", ".join(has))
    return Finding("note", "bf16 on the CPU", "none; `precision: auto` trains in 32 bits")


def machine() -> Finding:
    """Processors and memory."""
    cores = environment.cores()
    found = f"{cores} for this process"
    if "SC_PHYS_PAGES" not in os.sysconf_names:
        return Finding("ok", "processors", found)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    found += f", {memory:.0f} GB of memory"
    if memory < 4:
        advice = "training needs 4 GB: close other programs, lower train.*.batch_size"
        return Finding("note", "processors", found, advice)
    return Finding("ok", "processors", found)


def threads() -> Finding:
    """How threads that train wait for one another: OpenMP's OMP_WAIT_POLICY."""
    if os.environ.get("OMP_WAIT_POLICY", "").lower() == "passive":
        advice = "where a training runs alone, `unset OMP_WAIT_POLICY` makes it a quarter faster"
        return Finding("note", "threads", "sleep while they wait (OMP_WAIT_POLICY)", advice)
    return Finding("ok", "threads", "spin while they wait, which is fastest for a training alone")


def disk(root: Path = ROOT) -> Finding:
    """Free space where data, models and DVC's cache lie."""
    free = shutil.disk_usage(root).free / 1e9
    found = f"{free:.1f} GB free at {root}"
    if free < 2:
        return Finding("missing", "disk", found, "free 2 GB, or `dvc gc --workspace`")
    return Finding("ok", "disk", found)


def parameters(root: Path = ROOT) -> Finding:
    """Whether params.yaml is valid, and which preset it is."""
    try:
        params.load(root / "params.yaml")
    except LandmarksError as error:
        return Finding("missing", "params.yaml", error.message, error.hint or "correct the key")
    chosen = _tree(root / "params.yaml")
    same = [name for name in names(root) if _tree(root / f"presets/{name}.yaml") == chosen]
    found = f"is presets/{same[0]}.yaml" if same else "your own values"
    return Finding("ok", "params.yaml", f"valid, {found}")


def storage(root: Path = ROOT) -> Finding:
    """Whether the default DVC storage answers, and whether it has the released model."""
    code, default, said = dvc.output("remote", "default", root=root)
    if code or not default.strip():
        return Finding("missing", "storage", "no default", "make storage URL=...")
    url = _url(default.strip(), root)
    if "://" not in url and not os.access(_nearest(Path(url)), os.W_OK):
        return Finding("missing", "storage", f"{url} is not writable", "make storage URL=...")
    code, out, said = dvc.output("status", "--cloud", "--json", "models/landmarks", root=root)
    if code and not out.strip():
        reason = (said.strip().splitlines() or ["dvc status --cloud failed"])[-1]
        return Finding("missing", "storage", f"{url}: {reason}", "mend it or make storage URL=...")
    differences = json.loads(out or "{}")
    # DVC's words: what the cache here has not, but the storage has, is "deleted".
    for kind, found, advice in (
        ("missing", "and here, without this released model", "make repro, then dvc push"),
        ("new", "without this released model", "dvc push"),
        ("deleted", "has the released model, not pulled yet", "dvc pull models/landmarks"),
    ):
        if differences.get(kind):
            return Finding("note", "storage", f"{url}, {found}", advice)
    return Finding("ok", "storage", f"{url}, has the released model")


def release(root: Path = ROOT) -> Finding:
    """Whether the released model is there and has the bytes that its model.json names."""
    folder = root / "models/landmarks"
    try:
        model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        damaged = [
            name
            for name, facts in sorted(model["files"].items())
            if files.sha256(folder / name) != facts["sha256"]
        ]
    except FileNotFoundError as error:
        advice = "dvc pull models/landmarks, or build it: make repro"
        return Finding("note", "released model", f"{error.filename} is missing", advice)
    except (ValueError, KeyError, TypeError, AttributeError):
        advice = "dvc checkout --force models/landmarks"
        return Finding("missing", "released model", "model.json cannot be read", advice)
    if damaged:
        advice = "dvc checkout --force models/landmarks"
        return Finding("missing", "released model", f"damaged: {', '.join(damaged)}", advice)
    places = "invented places (demonstration)" if model.get("invented") else "real places"
    return Finding("ok", "released model", f"{model.get('cnn')}, {places}, SHA-256 verified")


def _tree(path: Path) -> object:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _url(name: str, root: Path) -> str:
    """Return the URL of the remote `name`, or the absolute path of its folder."""
    url = dvc.output("config", f"remote.{name}.url", root=root)[1].strip()
    # DVC counts a relative path from the folder of its configuration.
    return url if "://" in url else str((root / ".dvc" / Path(url).expanduser()).resolve())


def _nearest(folder: Path) -> Path:
    """Return the nearest folder that exists, from `folder` upwards."""
    return next(path for path in (folder, *folder.parents) if path.exists())


CHECKS: tuple[Callable[[], Finding], ...] = (
    *(python, packages, machine, threads, accelerator, cpu_bf16, disk),
    *(parameters, storage, release),
)


def main() -> None:
    missing = 0
    for check in CHECKS:
        finding = check()
        print(finding, flush=True)
        missing += finding.state == "missing"
    if missing:
        print(f"\n{missing} to mend, see the arrows.")
        raise SystemExit(1)
    print("\nUsable. Next: make demo")


if __name__ == "__main__":
    run(main)
