"""What dvc.yaml declares, as DVC itself resolves it."""

import ast
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Stage:
    """One stage; paths as in dvc.yaml, parameters as dotted keys of leaves or groups."""

    cmd: str
    deps: frozenset[str]
    outs: frozenset[str]
    params: frozenset[str]


def stages(root: Path) -> dict[str, Stage]:
    """Return the stages of the project in `root` by name, e.g. `train@scratch`."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        return {
            stage.name: Stage(
                cmd=stage.cmd,
                deps=frozenset(
                    dep.def_path
                    for dep in stage.deps
                    if dep.protocol == "local" and dep not in stage.params
                ),
                outs=frozenset(out.def_path for out in stage.outs),
                params=frozenset(key for dep in stage.params for key in dep.params),
            )
            for stage in repo.index.stages
        }


def has_code(path: Path) -> bool:
    """Return whether a module is more than a docstring, so that a change of it may matter."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(
        not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body
    )
