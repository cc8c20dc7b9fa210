"""dvc.yaml against the code: each stage declares the modules that it imports, and no other."""

import ast
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from declared import Stage, has_code, stages

from landmarks import params

ROOT = Path(__file__).resolve().parents[1]
FIRST_PARTY = ("landmarks", "stages")


@pytest.fixture(scope="module")
def pipeline() -> dict[str, Stage]:
    """The stages as DVC itself resolves them."""
    return stages(ROOT)


def module_file(name: str, root: Path = ROOT) -> Path | None:
    """Return the file of the first-party module `name`, None where it is no module."""
    base = root.joinpath(*name.split("."))
    if (base / "__init__.py").is_file():
        return base / "__init__.py"
    return base.with_suffix(".py") if base.with_suffix(".py").is_file() else None


def imported_names(tree: ast.AST, package: str) -> set[str]:
    """Return the dotted names that a module imports anywhere, those for type checkers left out."""
    names: set[str] = set()
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo.extend(node.orelse)
            continue
        if isinstance(node, ast.FunctionDef) and node.name == "__getattr__":
            continue  # A package's lazy names: loaded only by who asks for them.
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, *filter(None, [node.module])] if node.level else [])
            base = base or node.module or ""
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
        todo.extend(ast.iter_child_nodes(node))
    return names


@cache
def direct_imports(file: Path, root: Path = ROOT) -> frozenset[Path]:
    """Return the first-party files that `file` imports directly, packages on the way included."""
    package = ".".join(file.relative_to(root).parent.parts)
    found: set[Path] = set()
    for name in imported_names(ast.parse(file.read_text(encoding="utf-8")), package):
        parts = name.split(".")
        if parts[0] not in FIRST_PARTY:
            continue
        paths = (module_file(".".join(parts[:end]), root) for end in range(1, len(parts) + 1))
        found.update(path for path in paths if path)
    return frozenset(found)


def closure(file: Path, root: Path = ROOT) -> set[str]:
    """Return every first-party file that running `file` can import, relative to the root."""
    seen: set[Path] = set()
    todo = [file]
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo.extend(direct_imports(path, root))
    return {path.relative_to(root).as_posix() for path in seen}


def stage_script(command: str) -> Path:
    """Return the script of `python -m stages.NAME [argument]`."""
    words = command.split()
    assert words[:2] == ["python", "-m"], command
    script = module_file(words[2])
    assert script is not None, f"{words[2]} is no module"
    return script


def test_every_stage_declares_the_modules_it_imports_and_no_other(
    pipeline: dict[str, Stage],
) -> None:
    gaps, excess = {}, {}
    for name, stage in pipeline.items():
        used = closure(stage_script(stage.cmd))
        declared = {dep for dep in stage.deps if dep.split("/")[0] in FIRST_PARTY}
        folders = {dep for dep in declared if (ROOT / dep).is_dir()}
        covered = {path for path in used if any(path.startswith(f"{f}/") for f in folders)}
        needed = {path for path in used if has_code(ROOT / path)}
        if missing := needed - declared - covered:
            gaps[name] = sorted(missing)
        idle = {f for f in folders if not any(path.startswith(f"{f}/") for path in covered)}
        if surplus := (declared - folders - used) | idle:
            excess[name] = sorted(surplus)
    assert not gaps, "imported but not in deps of dvc.yaml:\n" + yaml.safe_dump(gaps)
    assert not excess, "in deps of dvc.yaml but never imported:\n" + yaml.safe_dump(excess)


def test_the_lock_file_records_the_stages_there_are_and_no_other(
    pipeline: dict[str, Stage],
) -> None:
    """DVC leaves the record of a stage that dvc.yaml no longer has."""
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))
    assert set(lock["stages"]) == set(pipeline)


def test_the_walk_sees_imports_inside_functions_and_of_packages(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    (tmp_path / "landmarks/data").mkdir(parents=True)
    lazy = "def __getattr__(name):\n    from landmarks import typed\n"
    (tmp_path / "landmarks/__init__.py").write_text(lazy)
    (tmp_path / "landmarks/data/__init__.py").write_text("LIMIT = 3\n")
    (tmp_path / "landmarks/data/late.py").write_text("from landmarks import deep\n")
    (tmp_path / "landmarks/deep.py").write_text("DEEP = 1\n")
    (tmp_path / "landmarks/typed.py").write_text("TYPED = 1\n")
    (tmp_path / "stages/one.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from landmarks import typed\n"
        "def main():\n    from landmarks.data.late import anything\n"
    )
    assert closure(tmp_path / "stages/one.py", tmp_path) == {
        "stages/one.py",
        "landmarks/__init__.py",
        "landmarks/data/__init__.py",
        "landmarks/data/late.py",
        "landmarks/deep.py",
    }


def test_every_other_dependency_is_in_git_or_an_out_of_an_earlier_stage(
    pipeline: dict[str, Stage],
) -> None:
    made = {out for stage in pipeline.values() for out in stage.outs}
    for name, stage in pipeline.items():
        for dep in stage.deps - made:
            assert (ROOT / dep).exists(), f"{name} depends on {dep}, which nobody makes"


def test_every_parameter_belongs_to_a_stage_and_every_stage_names_real_ones(
    pipeline: dict[str, Stage],
) -> None:
    tree = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    leaves = set(_leaves(tree))
    declared = {key for stage in pipeline.values() for key in stage.params}
    for key in declared:
        assert any(leaf == key or leaf.startswith(f"{key}.") for leaf in leaves), key
    orphans = [leaf for leaf in leaves if not any(_within(leaf, key) for key in declared)]
    assert not orphans, f"in params.yaml but in no stage's params: {sorted(orphans)}"


def test_the_run_cache_takes_every_stage() -> None:
    from dvc.repo import Repo

    with Repo(str(ROOT)) as repo:
        outs = [out for stage in repo.index.stages for out in stage.outs]
    plain = [out for out in outs if not (out.is_metric or out.is_plot)]
    assert plain and not [str(out) for out in plain if not out.use_cache]


def test_no_parameter_has_a_name_that_the_run_cache_overlooks() -> None:
    from dvc_data.hashfile.meta import Meta

    tree = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    overlooked = {Meta.PARAM_SIZE, Meta.PARAM_NFILES}
    assert not [leaf for leaf in _leaves(tree) if overlooked & set(leaf.split("."))]


def _within(leaf: str, key: str) -> bool:
    return leaf == key or leaf.startswith(f"{key}.")


def _leaves(tree: dict[str, Any], above: str = "") -> list[str]:
    found = []
    for key, value in tree.items():
        path = f"{above}{key}"
        found += _leaves(value, f"{path}.") if isinstance(value, dict) else [path]
    return found


def test_the_stages_are_those_of_the_design(pipeline: dict[str, Stage]) -> None:
    both = [
        f"{stage}@{cnn}"
        for stage in ("train", "refit", "calibrate", "export", "evaluate")
        for cnn in ("scratch", "transfer")
    ]
    expected = {"download", "decode", "attribution", "split", "stats", *both, "release", "report"}
    assert expected <= set(pipeline)


def test_params_yaml_is_the_sample_preset_byte_for_byte() -> None:
    if params.load(ROOT / "params.yaml").download.source != "sample":
        pytest.skip("params.yaml is set to real photos: `make preset NAME=sample` sets it back")
    sample = (ROOT / "presets/sample.yaml").read_bytes()
    assert (ROOT / "params.yaml").read_bytes() == sample


@pytest.mark.parametrize("preset", sorted((ROOT / "presets").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_preset_is_valid(preset: Path) -> None:
    from landmarks.backbones import BACKBONES

    settings = params.load(preset)
    assert settings.train.transfer.backbone in BACKBONES
    assert (ROOT / settings.export.catalogue).is_file()


def test_the_presets_of_the_issue_exist() -> None:
    names = {path.stem for path in (ROOT / "presets").glob("*.yaml")}
    assert {"sample", "landmarks50", "landmarks50-cpu"} <= names
