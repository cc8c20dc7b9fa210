"""Switches params.yaml to a preset, with your own archive and weights where you name them."""

import argparse
import re
from pathlib import Path

import yaml

from landmarks import files, params
from landmarks.errors import LandmarksError, run

ROOT = Path(__file__).resolve().parents[1]
_URL = re.compile(r"^\w[\w+.-]*://")
_WORDS = {("SOURCE", "sample"), ("PHOTOS", "sample"), ("WEIGHTS", "imagenet")}
"""What params.yaml knows by a word, by the variable that sets it."""


def names(root: Path = ROOT) -> list[str]:
    """Return the presets of the project in alphabetical order."""
    return sorted(path.stem for path in (root / "presets").glob("*.yaml"))


def set_value(text: str, key: str, value: str | None) -> str:
    """Return YAML `text` with the scalar at the dotted `key` replaced, comments untouched.

    Only block mappings are known, which is what the presets are written in.

    Raises:
        KeyError: `text` has no such scalar.
    """
    lines = text.splitlines(keepends=True)
    path: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        found = re.match(r"^( *)([\w-]+):(?: +([^#\n]*?))?( *(?: #.*)?)$", line.rstrip("\n"))
        if not found:
            continue
        indent, name, _, comment = found.groups()
        path = [part for part in path if part[0] < len(indent)] + [(len(indent), name)]
        if ".".join(part[1] for part in path) == key:
            lines[number] = f"{indent}{name}: {_scalar(value)}{comment}\n"
            return "".join(lines)
    raise KeyError(key)


def make(name: str, given: dict[str, str], root: Path = ROOT, source: str = "SOURCE") -> str:
    """Return the text of params.yaml for preset `name` with the values in `given`.

    Args:
        name: a name in `names()`.
        given: any of source, negatives, attribution, weights, catalogue; an empty value counts as
            not given.
        root: the repository.
        source: what the variable is called that names the photos.

    Raises:
        LandmarksError: no such preset, no such file, or values that params.yaml cannot hold.
    """
    if name not in names(root):
        raise LandmarksError(
            f"no preset is called {name!r}" if name else "no preset is named",
            hint=f"Type `make preset NAME=...` with one of: {', '.join(names(root))}.",
        )
    text = (root / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    for key, value in _values(given, root, source).items():
        text = set_value(text, key, value)
    params.parse(yaml.safe_load(text), f"presets/{name}.yaml")
    return text


def _values(given: dict[str, str], root: Path, photos: str) -> dict[str, str | None]:
    """Return the parameters to set, by dotted key."""
    values: dict[str, str | None] = {}
    if source := given.get("source"):
        values["download.source"], values["download.sha256"] = _located(source, root, photos)
    if negatives := given.get("negatives"):
        place, digest = _located(negatives, root, "NEGATIVES")
        values["download.negatives"], values["download.negatives_sha256"] = place, digest
    if attribution := given.get("attribution"):
        place, digest = _located(attribution, root, "ATTRIBUTION")
        values["download.attribution"], values["download.attribution_sha256"] = place, digest
    if weights := given.get("weights"):
        place, digest = _located(weights, root, "WEIGHTS")
        values["train.transfer.weights"], values["train.transfer.weights_sha256"] = place, digest
    if catalogue := given.get("catalogue"):
        values["export.catalogue"] = _located(catalogue, root, "CATALOGUE")[0]
    return values


def _located(text: str, root: Path, variable: str) -> tuple[str, str | None]:
    """Return where `text` is, absolute unless it is in the repository, and a file's SHA-256.

    URLs and the words that params.yaml knows (`sample`, `imagenet`) stay as they are; a file or
    folder of such a name is written so that it is not taken for the word.
    """
    if _URL.match(text):
        return text, None
    path = _local(text, variable)
    if (variable, text) in _WORDS:
        if path.exists():
            raise LandmarksError(
                f"{variable}={text} has a meaning of its own, and {path.resolve()} is there, too",
                hint=f"Write {variable}=./{text} for the latter, or type this elsewhere.",
            )
        return text, None
    if not path.exists():
        raise LandmarksError(
            f"{variable}={text}: there is no such file or folder in {Path.cwd()}",
            hint="Give its path, absolute or from here.",
        )
    if path.is_dir() and variable in ("ATTRIBUTION", "WEIGHTS", "CATALOGUE"):
        raise LandmarksError(f"{variable}={text} is a folder", hint="Name a file.")
    absolute = path.resolve()
    # Files of the project are named from its root, so that the params hold in every clone.
    inside = absolute.is_relative_to(root.resolve())
    place = absolute.relative_to(root.resolve()).as_posix() if inside else str(absolute)
    if (variable, place) in _WORDS:
        place = f"./{place}"
    return place, files.sha256(path) if path.is_file() else None


def _local(text: str, variable: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise LandmarksError(
            f"{variable}={text}: nobody of this name has a home here",
            hint="Give its path, absolute or from here.",
        ) from None


def _scalar(value: str | None) -> str:
    """Return `value` as a YAML scalar that reads back as the same string (or null)."""
    if value is None:
        return "null"
    text = yaml.safe_dump(value, width=float("inf"), allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make preset", description=__doc__)
    parser.add_argument("name", nargs="?", default="")
    for option in ("source", "weights", "negatives", "attribution", "catalogue"):
        parser.add_argument(f"--{option}", default="")
    arguments = vars(parser.parse_args())
    name = arguments.pop("name")
    files.write_text(ROOT / "params.yaml", make(name, arguments))
    print(f"params.yaml is now presets/{name}.yaml", end="")
    changed = [f"{option} {value}" for option, value in arguments.items() if value]
    print(" with " + ", ".join(changed) if changed else "")
    print("Next: make repro")


if __name__ == "__main__":
    run(main)
