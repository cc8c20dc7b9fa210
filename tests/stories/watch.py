"""Runs a stage as `python -m` does and notes each parameter that it reads.

`watch.py LOG MODULE [ARGUMENT …]` writes two lists of dotted keys into LOG: `read`, got as
attributes, and `dumped`, handed out by `model_dump`. It only listens to `landmarks.params`, once
the stage imports it, so that it makes no stage import what it would not.
"""

import atexit
import importlib.util
import json
import os
import runpy
import sys
from collections.abc import Iterator, Mapping
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

READ: set[str] = set()
DUMPED: set[str] = set()


def leaves(tree: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield the dotted keys of all values in nested mappings."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{above}{key}.")
        else:
            yield above + key


def listen(params: Any) -> None:
    """Note what is read of the groups in `landmarks.params`, from when they are checked on."""
    group, parse = params.Group, params.parse
    plain_get, plain_dump = group.__getattribute__, group.model_dump
    known: dict[int, tuple[str, Any]] = {}  # the groups too, so that no number is given twice

    def register(found: Any, above: str) -> None:
        known[id(found)] = above, found
        for name in type(found).model_fields:
            value = plain_get(found, name)
            if isinstance(value, group):
                register(value, f"{above}{name}.")

    def parsed(*arguments: Any, **options: Any) -> Any:
        found = parse(*arguments, **options)
        register(found, "")
        return found

    def get(self: Any, name: str) -> Any:
        value = plain_get(self, name)
        if id(self) in known and name in type(self).model_fields and not isinstance(value, group):
            READ.add(known[id(self)][0] + name)
        return value

    def dump(self: Any, **options: Any) -> Any:
        tree = plain_dump(self, **options)
        DUMPED.update(leaves(tree, known[id(self)][0]))
        return tree

    params.parse, group.__getattribute__, group.model_dump = parsed, get, dump
    for closed in ("__iter__", "model_copy", "model_dump_json"):
        setattr(group, closed, None)  # another way out: it fails until it is listened to


class Listener(MetaPathFinder):
    """Calls `listen` when `landmarks.params` has been imported."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != "landmarks.params":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.loader is not None
        loader, run = spec.loader, spec.loader.exec_module

        def run_and_listen(module: Any) -> None:
            run(module)
            listen(module)

        loader.exec_module = run_and_listen  # type: ignore[method-assign]
        return spec


def main() -> None:
    log, module, *arguments = sys.argv[1:]
    sys.meta_path.insert(0, Listener())
    atexit.register(
        lambda: Path(log).write_text(json.dumps({"read": sorted(READ), "dumped": sorted(DUMPED)}))
    )
    sys.argv = [module, *arguments]
    sys.path[0] = os.getcwd()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
