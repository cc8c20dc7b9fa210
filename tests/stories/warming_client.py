"""The programs `python` and `dvc` where a server has them ready: see warming.py.

Called as `warming_client.py SETTINGS PROGRAM [ARGUMENT]...`; imports nothing that takes time.
"""

import json
import os
import signal
import socket
import sys

READ_AT_START = (
    *("PYTHON", "LD_", "LC_", "LANG", "TZ"),
    *("OMP_", "KMP_", "MKL_", "OPENBLAS_", "ATEN_", "MPL"),
)
"""How variables begin that an interpreter or a library reads when it starts."""


def main(settings_file: str, program: str, *arguments: str) -> int:
    with open(settings_file, encoding="utf-8") as file:
        settings = json.load(file)
    environment = dict(os.environ)
    # Without a seed of its own an interpreter takes any: this one's.
    environment.setdefault("PYTHONHASHSEED", settings["start"]["PYTHONHASHSEED"])
    command = ["dvc", *arguments] if program == "dvc" else list(arguments[1:])
    is_module = program == "dvc" or (arguments[:1] == ("-m",) and command)
    if not (is_module and _at_start(environment) == _at_start(settings["start"])):
        real = os.path.join(settings["programs"], program)
        os.execv(real, [real, *arguments])
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(settings["socket"])
        job = {"command": command, "folder": os.getcwd(), "environment": environment}
        message = json.dumps({**job, "python": settings["python"]}).encode()
        socket.send_fds(line, [len(message).to_bytes(4, "big")], [0, 1, 2])
        line.sendall(message)
        content = line.recv(4, socket.MSG_WAITALL)
    if len(content) < 4:
        raise SystemExit("error: the server that programs of stories are forks of has ended")
    status = int.from_bytes(content, "big", signed=True)
    if status < 0:  # a signal ended it, so it ends this one, too
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def _at_start(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
