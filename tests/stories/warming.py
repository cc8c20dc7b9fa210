"""Programs that start at once: forks of a process that has imported what takes long.

Most of what `dvc push` or `python -m stages.calibrate scratch` takes in a story is importing DVC or
PyTorch. In stories that ask for `warm`, the programs `python` and `dvc` that commands find are
clients of a server that has imported those libraries. Each run is a fork of it that becomes the
module in question, with the folder, environment, streams, signals and exit status of its client;
modules of the project are the clone's, read anew each time.

What is no module, or has other variables of those that an interpreter reads when it starts, starts
for real. So does all in stories about processes; one of them builds everything and compares the
bytes with those of a build by forks (test_same_each_time.py).
"""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stories.clone import PROGRAMS, Clone

HERE = Path(__file__)


@contextmanager
def programs(folder: Path) -> Iterator[Path]:
    """Start a server; yield a folder with its programs, to stand first on PATH."""
    address, settings = folder / "socket", folder / "settings.json"
    start = {**Clone(folder, folder).environment(), "PYTHONHASHSEED": "0"}
    place = folder / "bin"
    place.mkdir()
    told = {"socket": address, "start": start, "programs": PROGRAMS, "python": place / "python"}
    settings.write_text(json.dumps(told, default=str), encoding="utf-8")
    client = [sys.executable, "-IS", str(HERE.with_name("warming_client.py")), str(settings)]
    for name in ("dvc", "python"):
        script = f'#!/bin/sh\nexec {shlex.join([*client, name])} "$@"\n'
        (place / name).write_text(script, encoding="utf-8")
        (place / name).chmod(0o755)
    command = [sys.executable, str(HERE.with_name("warming_server.py")), str(address)]
    with subprocess.Popen(
        command, cwd=folder, env=start, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdin and server.stdout
        assert server.stdout.readline() == b"ready\n"
        yield place
        server.stdin.close()
