"""Gives the model of this commit a version that others can ask for, if it is fit to be one."""

import argparse
import json
import re
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

from landmarks.errors import LandmarksError, run
from tools import check_storage, dvc_cli
from tools.dvc_cli import ROOT

ARTIFACT, MODEL = "landmarks", "models/landmarks"
METRICS = "metrics/released.json"
Version = tuple[int, int, int]


def parse(text: str) -> Version:
    """Return the three numbers of `1.2.3` or `v1.2.3` (Semantic Versioning 2.0.0).

    Raises:
        LandmarksError: `text` is no such version.
    """
    found = re.fullmatch(r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", text)
    if not found:
        raise LandmarksError(
            f"{text!r} is no version" if text else "no version is named",
            hint="make release VERSION=1.0.0: larger first number where answers are no longer "
            "comparable, second for a better model, third for a correction.",
        )
    return int(found[1]), int(found[2]), int(found[3])


def tag(version: Version) -> str:
    return f"{ARTIFACT}@v{version[0]}.{version[1]}.{version[2]}"


def released(root: Path = ROOT) -> list[Version]:
    """Return the versions that are released, oldest first."""
    found = git("tag", "--list", f"{ARTIFACT}@v*", root=root).split()
    numbers = [name.removeprefix(f"{ARTIFACT}@") for name in found]
    return sorted(parse(one) for one in numbers if re.fullmatch(r"v\d+\.\d+\.\d+", one))


def worse(now: dict[str, Any], before: dict[str, Any]) -> str:
    """Return in which way figures are worse than a release's beyond its interval, or nothing.

    The accuracy may lie anywhere in the 95 % interval of the last release's: that much is chance.
    """
    if now["accuracy"] >= before["accuracy_low"]:
        return ""
    return (
        f"its accuracy is {now['accuracy']:.1%}, below the interval of the last release "
        f"({before['accuracy_low']:.1%} to {before['accuracy_high']:.1%})"
    )


def check(version: Version, root: Path = ROOT) -> None:
    """Raise unless the commit that is checked out is fit to be released as `version`."""
    if dirt := git("status", "--porcelain", root=root).splitlines():
        raise LandmarksError(
            f"the work tree has changes that are in no commit: {', '.join(dirt[:3])}",
            hint="Commit or remove them: a release is a commit.",
        )
    code, said, wrong = dvc_cli.output("status", "--json", root=root)
    if code or json.loads(said or "{}"):
        raise LandmarksError(
            f"dvc.lock does not say what is here: {', '.join(json.loads(said or '{}')) or wrong}",
            hint="`dvc repro`, then commit dvc.lock.",
        )
    before = released(root)
    if before and version <= before[-1]:
        raise LandmarksError(
            f"{tag(version)} is not above the last release, {tag(before[-1])}",
            hint=f"Choose a higher version than v{'.'.join(map(str, before[-1]))}.",
        )
    if before:
        last = json.loads(git("show", f"{tag(before[-1])}:{METRICS}", root=root))
        if reason := worse(json.loads((root / METRICS).read_text(encoding="utf-8")), last):
            raise LandmarksError(
                f"this model is worse than {tag(before[-1])}: {reason}",
                hint="Train a better one. If it must be, tag it by hand: `gto register landmarks`.",
            )


def check_objects(root: Path = ROOT) -> None:
    """Raise unless the storage holds every object of the model, undamaged."""
    with check_storage.opened(root) as storage:
        seen, troubles = storage.check([MODEL])
    if troubles:
        raise LandmarksError(
            f"{len(troubles)} of the {seen} objects of {MODEL} are not in {storage.url} as they "
            f"should be: {troubles[0]}",
            hint=f"`dvc push {MODEL}`; if they are damaged, `make mend-storage`.",
        )


def register(version: Version, stage: str, root: Path = ROOT) -> list[str]:
    """Make the annotated tags that GTO and `dvc artifacts get` know; return their names."""
    import gto.api
    from gto.exceptions import GTOException

    name = tag(version)
    number = name.rpartition("@")[2]
    figures = json.loads((root / METRICS).read_text(encoding="utf-8"))
    message = f"{name}: {figures.get('cnn')}, accuracy {figures['accuracy']:.1%}"
    person = re.match(r"(.*) <(.*)>", git("var", "GIT_COMMITTER_IDENT", root=root))
    assert person is not None
    who: dict[str, Any] = {"author": person[1], "author_email": person[2]}
    register = partial(gto.api.register, str(root), ARTIFACT, message=message, **who)
    assign = partial(gto.api.assign, str(root), ARTIFACT, message=message, **who)
    try:
        register(ref="HEAD", version=number)
        if not stage:
            return [name]
        if git("tag", "--list", f"{ARTIFACT}#{stage}", root=root):
            git("tag", "--delete", f"{ARTIFACT}#{stage}", root=root)  # GTO does not move a tag
        assign(stage=stage, version=number, simple=True, force=True)
    except GTOException as error:
        raise LandmarksError(f"GTO does not make the tag: {error}") from error
    return [name, f"{ARTIFACT}#{stage}"]


def git(*arguments: str, root: Path = ROOT) -> str:
    """Return what a Git command prints, as it is.

    Raises:
        LandmarksError: it failed.
    """
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LandmarksError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("version", help="such as 1.0.0")
    parser.add_argument("--stage", default="", help="such as prod: that tag moves to this version")
    arguments = parser.parse_args()
    version = parse(arguments.version)
    if not re.fullmatch(r"[a-z][a-z0-9-]*|", arguments.stage):
        raise LandmarksError(f"{arguments.stage!r} is no stage", hint="STAGE=prod, for example.")
    check(version)
    check_objects()
    names = register(version, arguments.stage)
    print(f"Released {MODEL} as {' and '.join(names)}.")
    print("Next, so that others can ask for it:")
    print("  git push")
    print("  git push --force origin " + " ".join(f"'refs/tags/{name}'" for name in names))


if __name__ == "__main__":
    run(main)
