"""What is installed: pinned, named where it is used, and small where only prediction is wanted."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ["landmarks", "stages", "app", "tools", "benchmarks", "tests"]
FIRST_PARTY = {
    *(*FOLDERS, "mistakes", "stories"),
    *(path.stem for path in (ROOT / "tests").rglob("*.py")),
}
PLAIN_LIMIT_MB = 250


def canonical(name: str) -> str:
    """Return a distribution's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(file: str) -> dict[str, set[str]]:
    """Return name -> versions of a file of `name==version` lines; markers may split a name."""
    text = (ROOT / file).read_text(encoding="utf-8")
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, flags=re.MULTILINE):
        versions.setdefault(canonical(name), set()).add(version)
    return versions


def pins_by_section() -> dict[str, set[str]]:
    """Return the names that requirements.txt pins, by the comment above them."""
    blocks = (ROOT / "requirements.txt").read_text(encoding="utf-8").split("\n\n")[1:]
    titles = [block.partition("\n")[0].lstrip("# ") for block in blocks]
    names = [
        {canonical(name) for name in re.findall(r"^([\w.-]+)==", block, re.M)} for block in blocks
    ]
    return dict(zip(titles, names, strict=True))


def project() -> dict[str, list[str]]:
    """Return the requirement names of pyproject.toml by extra, the plain ones under ""."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"": table["dependencies"], **table["optional-dependencies"]}
    return {
        extra: [canonical(re.split(r"[\[<>=]", text)[0]) for text in texts]
        for extra, texts in groups.items()
    }


def third_party_imports(folder: str) -> set[str]:
    """Return the top-level packages that the modules of `folder` import from elsewhere."""
    names: set[str] = set()
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add((node.module or "").split(".")[0])
    return names - set(sys.stdlib_module_names) - FIRST_PARTY - {"__future__"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_everything_imported_is_named_in_requirements(folder: str) -> None:
    named = pins("requirements.txt")
    by_package = importlib.metadata.packages_distributions()
    unnamed = {
        package
        for package in third_party_imports(folder)
        if not {canonical(name) for name in by_package.get(package, [package])} & set(named)
    }
    assert not unnamed, f"{folder}/ imports {sorted(unnamed)}: name them in requirements.txt"


def test_requirements_agree_with_constraints_and_are_exact() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    named = pins("requirements.txt")
    assert len(named) == len(wanted), "each line is name==version"
    constraints = pins("constraints.txt")
    assert {name: constraints.get(name) for name in named} == named
    assert named["torch"] == {"2.14.1"} and named["torchvision"] == {"0.29.1"}


def test_constraints_pin_all_that_is_installed() -> None:
    constraints = pins("constraints.txt")
    own = {"landmarks", "pip", "wheel"}
    installed = {
        canonical(dist.metadata["Name"]): dist.version.partition("+")[0]
        for dist in importlib.metadata.distributions()
    }
    wrong = {
        name: (version, constraints.get(name))
        for name, version in installed.items()
        if name not in own and version not in constraints.get(name, set())
    }
    assert not wrong, f"installed version, pinned version: {wrong}; run `make setup`"


def test_constraints_name_no_host_and_no_place() -> None:
    text = (ROOT / "constraints.txt").read_text() + (ROOT / "requirements.txt").read_text()
    assert not re.search(r"https?:|file:|@ |^-|--", text, flags=re.MULTILINE)


def test_every_extra_is_pinned() -> None:
    constraints = pins("constraints.txt")
    missing = {name for names in project().values() for name in names} - set(constraints)
    assert not missing


def test_extras_are_what_their_sections_of_requirements_name() -> None:
    groups, sections = project(), pins_by_section()
    beside = (
        "Set-up",
        "Storages beyond folders and HTTP",
        "Notebooks",
        "Tests and code quality",
        "Tagging at scale",
    )
    app = sections.pop("The page and the service")
    train = set().union(*(names for title, names in sections.items() if title not in beside))
    assert set(groups["app"]) == app
    assert set(groups[""]) | set(groups["train"]) == train


def test_the_plain_installation_has_no_training_package() -> None:
    heavy = {"torch", "torchvision", "dvc", "lightning-fabric", "pandas", "scikit-learn", "scipy"}
    assert not heavy & set(project()[""])


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing but the plain installation, from a wheel."""
    folder = tmp_path_factory.mktemp("plain installation")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)]
    subprocess.run(wheel, check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv/bin/python"
    [built] = folder.glob("*.whl")
    constraints = str(ROOT / "constraints.txt")
    # From an empty folder: pip reads no configuration of the project, Python no module of it.
    install = [*pip, "--python", str(python), "install", "-c", constraints, str(built)]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
    if "No matching distribution" in done.stderr or "Connection" in done.stderr:
        pytest.skip("no package registry can be reached")
    assert done.returncode == 0, done.stderr
    return python


@pytest.mark.slow
def test_plain_installation_is_small(bare: Path) -> None:
    files = [path for path in bare.parents[1].rglob("*") if path.is_file()]
    megabytes = sum(path.stat().st_size for path in files if not path.is_symlink()) / 1e6
    assert megabytes < PLAIN_LIMIT_MB


@pytest.mark.slow
def test_plain_installation_answers_for_help(bare: Path) -> None:
    command = [str(bare.parent / "landmarks"), "--help"]
    shown = subprocess.run(command, cwd=bare.parent, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert "predict" in shown.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "room", ["images", "catalogue", "predictor", "cli", "errors", "tagging.run"]
)
def test_light_rooms_import_in_the_plain_installation(bare: Path, room: str) -> None:
    command = [str(bare), "-c", f"import landmarks.{room}"]
    done = subprocess.run(command, cwd=bare.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_plain_installation_has_the_map_of_the_albums(bare: Path) -> None:
    code = "from landmarks.tagging import worldmap; print(len(worldmap.land()))"
    command = [str(bare), "-c", code]
    done = subprocess.run(command, cwd=bare.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and int(done.stdout) > 10_000, done.stderr
