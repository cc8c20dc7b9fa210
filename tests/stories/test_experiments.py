"""Every block of docs/experiments.md is run as it stands, and does what the text says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from stories import quick
from stories.clone import Clone
from stories.test_remotes import point
from stories.test_versions import WHO, storage_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm")]
DOCS = Path(__file__).resolve().parents[2] / "docs/experiments.md"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The quick project, pushed to a storage of its own and to a bare Git remote."""
    top = tmp_path_factory.mktemp("experiments")
    made = quick.make(top)
    point(made, storage_of(made))
    made.run("dvc", "push", "--run-cache")
    made.run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(top / "origin.git"))
    made.run("git", "remote", "add", "origin", str(top / "origin.git"))
    made.run("git", "push", "--quiet", "origin", "main")
    return made


@pytest.fixture
def clone(project: Clone, tmp_path: Path) -> Clone:
    copy = project.copy(tmp_path / "copy")
    return Clone(copy.folder, copy.home, WHO)


def blocks(title: str) -> list[str]:
    """Return the blocks of commands below a title of the docs."""
    text = DOCS.read_text(encoding="utf-8")
    [section] = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    found: list[str] = re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)
    return found


def run(clone: Clone, block: str) -> str:
    """Run a block; the first command that fails ends it and the test."""
    return clone.run("bash", "-euo", "pipefail", "-c", block).stdout


def lr(clone: Clone, cnn: str = "scratch") -> str:
    text = clone.run("dvc", "params", "diff", "HEAD", "--json", "--all").stdout
    changed: dict[str, Any] = json.loads(text)["params.yaml"]
    return str(changed[f"train.{cnn}.lr"]["new"])


def test_a_changed_parameter_is_compared(clone: Clone) -> None:
    compare, keep, drop = blocks("Change a parameter and compare")
    said = run(clone, compare)
    assert "Running stage 'train@scratch'" in said
    assert "Stage 'train@transfer' didn't change" in said
    assert re.search(r"params\.yaml +train\.scratch\.lr +0\.003 +0\.005", said)
    assert re.search(r"metrics/scratch\.json +accuracy +0\.62 +0\.7 +0\.08", said)
    page = (clone.folder / "dvc_plots/index.html").read_text()
    curve = [point for point in points(page) if point.get("val_accuracy") in ("0.3100", "0.3500")]
    assert {point["rev"] for point in curve} == {"HEAD", "workspace"}
    other = clone.copy(clone.folder.with_name("other"))
    run(clone, keep)
    assert clone.dirt() == ""
    run(other, drop)
    assert other.dirt() == "" and "accuracy" not in run(other, "dvc metrics diff")
    assert "faster" in run(other, "dvc exp list --name-only")


def points(page: str) -> list[dict[str, Any]]:
    """Return what the plots of a page draw: the values in all of its Vega-Lite pictures."""
    decoder = json.JSONDecoder()
    found = []
    for start in re.finditer(r"var spec = ", page):
        spec = decoder.raw_decode(page[start.end() :])[0]
        found += spec["data"]["values"]
    return found


def test_a_grid_is_queued_run_and_the_best_applied(clone: Clone) -> None:
    grid, apply = blocks("A grid")
    said = run(clone, grid)
    assert clone.dirt() == ""
    names = re.findall(r"^\| [├└]── \w+ \[([\w-]+)\].* 0\.006 ", said, re.M)
    assert len(names) == 1, said
    run(clone, apply.replace("$BEST", names[0]))
    assert (lr(clone), lr(clone, "transfer")) == ("0.006", "0.004")
    released = json.loads((clone.folder / "metrics/released.json").read_text())
    assert (released["cnn"], released["accuracy"]) == ("scratch", 0.74)


def test_an_experiment_is_shared(clone: Clone, tmp_path: Path) -> None:
    mine, theirs = blocks("Share one")
    run(clone, mine)
    other = quick.elsewhere(clone, tmp_path / "other")
    origin = clone.run("git", "remote", "get-url", "origin").stdout.strip()
    other.run("git", "remote", "set-url", "origin", origin)
    other.run("git", "fetch", "--quiet")
    other.run("git", "reset", "--quiet", "--hard", "origin/main")
    said = run(Clone(other.folder, other.home, WHO), theirs)
    assert "faster" in said
    assert lr(other) == "0.005"
    model = "models/landmarks/model.json"
    assert (other.folder / model).read_bytes() == (clone.folder / model).read_bytes()


def test_cleaning_keeps_releases_and_removes_the_rest(clone: Clone, tmp_path: Path) -> None:
    photo = quick.photo(tmp_path / "photo.png")
    old = quick.answer(clone, photo)
    point(clone, storage_of(clone))  # cleaning is not for other tests' storage
    clone.run("dvc", "push", "--quiet")
    clone.python("tools.release", "1.0.0")
    clone.run("git", "push", "--quiet", "origin", "landmarks@v1.0.0")
    for rate in ("0.005", "0.007"):
        clone.run("dvc", "exp", "run", "--quiet", "-S", f"train.scratch.lr={rate}")
        clone.run("dvc", "push", "--quiet")
    clone.commit()
    clone.run("git", "push", "--quiet", "origin", "main")
    weights = [path for path in stored(clone) if path.stat().st_size > 90_000]
    [block] = blocks("Clean up without losing a release")
    run(clone, block)
    left = [path for path in stored(clone) if path.stat().st_size > 90_000]
    # Gone: weights and only those of the learning rate that is in no commit.
    assert len(weights) - len(left) == 1
    clone.python("tools.check_storage", "--rev", "landmarks@v1.0.0")
    clone.python("tools.check_storage")
    clone.run("git", "checkout", "--quiet", "landmarks@v1.0.0")
    clone.run("dvc", "checkout", "--quiet")
    assert quick.answer(clone, photo) == old


def stored(clone: Clone) -> list[Path]:
    """Return the objects in the storage."""
    return [path for path in Path(storage_of(clone).url).rglob("files/md5/*/*") if path.is_file()]


def test_two_branches_that_changed_the_lock_are_merged(clone: Clone) -> None:
    clone.run("git", "switch", "--quiet", "--create", "other")
    changed(clone, "transfer")
    clone.run("git", "switch", "--quiet", "main")
    clone.run("dvc", "checkout", "--quiet")
    changed(clone, "scratch")
    [block] = blocks("Merge two branches that both changed dvc.lock")
    said = run(clone, block)
    assert "dvc.lock" in said.splitlines()
    # The other branch trained transfer: it comes from the run cache.
    assert "Stage 'train@transfer' is cached" in said and "Running stage 'train" not in said
    assert clone.run("dvc", "status").stdout.strip().endswith("up to date.")
    assert clone.dirt() == ""
    figures = [json.loads((clone.folder / f"metrics/{cnn}.json").read_text()) for cnn in BOTH]
    assert [one["accuracy"] for one in figures] == [0.7, 0.7]


BOTH = ("scratch", "transfer")


def changed(clone: Clone, cnn: str) -> None:
    """Commit another learning rate for one CNN, with its results."""
    clone.run("dvc", "exp", "run", "--quiet", "-S", f"train.{cnn}.lr=0.005")
    clone.commit()
