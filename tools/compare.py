"""Leaves two DVC experiments that differ in the released CNN only, and prints their metrics."""

from landmarks.errors import LandmarksError, run
from tools import dvc_cli as dvc

EXPERIMENTS = ("scratch", "transfer")


def main() -> None:
    code, _, said = dvc.output("status", "--quiet")
    if code:
        raise LandmarksError(
            "the pipeline is not up to date" + (f" ({said.strip()})" if said.strip() else ""),
            hint="Run `make repro` first: comparing retrains nothing.",
        )
    # Not `exp run --force`: that frees the name, but also runs every stage again.
    taken = dvc.output("exp", "list", "--name-only")[1].split()
    if stale := [name for name in EXPERIMENTS if name in taken]:
        dvc.run("exp", "remove", "--quiet", *stale)
    for name in EXPERIMENTS:
        # In a temporary copy (--temp), so that the work tree stays as it is.
        code, out, said = dvc.output(
            *("exp", "run", "--temp", "--name", name, "--set-param", f"release.model={name}"),
            "release",  # the report beside it is not compared
        )
        if code:
            raise LandmarksError(
                f"the experiment {name} failed: {_last_line(said) or _last_line(out)}",
                hint="The pipeline's files must be in Git: `git status` shows what is not.",
            )
        print(f"Experiment {name}: release.model={name}")
    print("\ndvc metrics diff scratch transfer", flush=True)
    dvc.run("metrics", "diff", *EXPERIMENTS)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


if __name__ == "__main__":
    run(main)
