"""The process that programs of stories are forks of: see warming.py.

Called as `warming_server.py SOCKET`; says when it is ready, and ends when its standard input does.
"""

import contextlib
import gc
import importlib
import json
import multiprocessing
import os
import runpy
import selectors
import signal
import socket
import sys
from multiprocessing.context import ForkProcess
from typing import Any

LIBRARIES = (
    *("numpy", "pandas", "PIL.Image", "pydantic", "requests", "fsspec", "yaml", "typer"),
    *("torch", "torchvision", "lightning_fabric", "safetensors.torch", "scipy.sparse.csgraph"),
    *("scipy.stats", "sklearn.metrics", "onnx"),
    *("dvc.cli.parser", "dvc.repo", "dvc.repo.experiments", "dvc.repo.reproduce", "dulwich"),
    *("dvc_http", "dvc_s3", "dvc_ssh", "dvc_webdav"),
)
"""What takes long to import, and starts no thread: a fork would wait for that at its end."""


def serve(address: str) -> None:
    """Fork for each client, and tell it how the fork ended."""
    chooser = selectors.DefaultSelector()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        chooser.register(listener, selectors.EVENT_READ)
        chooser.register(sys.stdin, selectors.EVENT_READ)
        print("ready", flush=True)
        while True:
            for key, _ in chooser.select():
                if key.fileobj is sys.stdin:
                    for left in multiprocessing.active_children():  # whose client was killed
                        left.kill()
                    return
                if key.fileobj is listener:
                    line, _ = listener.accept()
                    process = _start(line)
                    chooser.register(process.sentinel, selectors.EVENT_READ, (process, line))
                else:
                    process, line = key.data
                    chooser.unregister(key.fd)
                    process.join()
                    with line, contextlib.suppress(OSError):  # the client may have been killed
                        line.sendall(process.exitcode.to_bytes(4, "big", signed=True))
                    process.close()


def _start(line: socket.socket) -> ForkProcess:
    size, streams, _, _ = socket.recv_fds(line, 4, 3)
    content = line.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
    job = json.loads(content)
    process = multiprocessing.get_context("fork").Process(target=_become, args=(job, streams))
    process.start()
    for stream in streams:
        os.close(stream)
    return process


def _become(job: dict[str, Any], streams: list[int]) -> None:
    """Be the program of a job, in its folder, with its arguments, environment and streams."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = os.fdopen(0, closefd=False)  # multiprocessing took it away
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(job["environment"])
    os.chdir(job["folder"])
    sys.executable = job["python"]  # which what it starts in turn starts with
    sys.argv[:] = job["command"]
    sys.path.insert(0, job["folder"])
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, who end this
    for library in LIBRARIES:
        importlib.import_module(library)
    gc.collect()
    gc.freeze()  # or each fork would copy what its collector looks at
    serve(sys.argv[1])
