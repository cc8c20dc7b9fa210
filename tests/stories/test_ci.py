"""The steps of CI on a bare Git remote: they pass what is in order, and name what is not."""

import subprocess
from pathlib import Path

import pytest
import yaml
from stories import quick
from stories.clone import Clone
from stories.test_experiments import changed
from stories.test_remotes import point
from stories.test_versions import WHO, storage_of

pytestmark = pytest.mark.usefixtures("warm")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The quick project, pushed to a storage and a bare Git remote, on its way to a branch."""
    top = tmp_path_factory.mktemp("ci")
    made = quick.make(top)
    point(made, storage_of(made))
    made.run("dvc", "push")
    made.run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(top / "origin.git"))
    made.run("git", "remote", "add", "origin", str(top / "origin.git"))
    made.run("git", "push", "--quiet", "origin", "main")
    made.run("git", "switch", "--quiet", "--create", "idea")
    return Clone(made.folder, made.home, WHO)


def checked(author: Clone, folder: Path) -> "tuple[subprocess.CompletedProcess[str], Path]":
    """Push the branch, and do what a runner does: clone it and run ci/check.sh."""
    author.run("git", "push", "--quiet", "--force", "origin", "idea")
    url = author.run("git", "remote", "get-url", "origin").stdout.strip()
    folder.mkdir()
    runner = Clone(folder, folder.parent)
    runner.run("git", "clone", "--quiet", "--branch", "idea", url, ".")
    done = runner.run("sh", "ci/check.sh", check=False)
    return done, folder


def test_a_commit_in_order_passes_and_is_summed_up(project: Clone, tmp_path: Path) -> None:
    author = project.copy(tmp_path / "author")
    changed(author, "scratch")
    author.run("dvc", "push")
    done, folder = checked(author, tmp_path / "runner")
    assert done.returncode == 0, done.stderr
    assert "Running stage" not in done.stdout, "what is committed and pushed is not made again"
    assert not (folder / "models/landmarks").exists(), "and not downloaded"
    summary = (folder / "summary.md").read_text()
    cells = [[cell.strip() for cell in line.split("|")] for line in summary.splitlines()]
    assert ["", "metrics/scratch.json", "accuracy", "0.62", "0.7", "0.08", ""] in cells
    assert "train.scratch.lr" in summary and "xychart-beta" in summary
    assert "line [0.3500," in summary
    assert (folder / "dvc_plots/index.html").is_file()


def test_results_that_nobody_made_or_committed_are_named(project: Clone, tmp_path: Path) -> None:
    author = project.copy(tmp_path / "author")
    params = author.folder / "params.yaml"
    params.write_text(params.read_text().replace("lr: 0.003", "lr: 0.005", 1))
    author.commit()
    done, _ = checked(author, tmp_path / "runner")
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "not committed: M dvc.lock M metrics/released.json" in line and "dvc repro" in line


def test_data_that_nobody_pushed_is_named(project: Clone, tmp_path: Path) -> None:
    author = project.copy(tmp_path / "author")
    changed(author, "transfer")
    done, _ = checked(author, tmp_path / "runner")
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "models/transfer/weights.safetensors" in line and "dvc push" in line
    assert "models/scratch" not in line


def test_both_services_run_these_steps_and_see_the_whole_history() -> None:
    github = yaml.safe_load((ROOT / ".github/workflows/pipeline.yml").read_text())
    steps = github["jobs"]["check"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["make setup", "sh ci/check.sh"]
    assert steps[0]["with"]["fetch-depth"] == 0
    [checking] = [step for step in steps if step.get("run") == "sh ci/check.sh"]
    keys = {name: value for name, value in checking["env"].items() if name != "BASE"}
    assert keys and all(value.startswith("${{ secrets.") for value in keys.values())
    gitlab = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())["check"]
    assert gitlab["script"] == ["make setup", "sh ci/check.sh"]
    assert gitlab["variables"]["GIT_DEPTH"] == "0"
