"""The Ray cluster on which photos are looked at: whether it is there, and how much it holds."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from landmarks import environment
from landmarks.errors import LandmarksError
from landmarks.tagging.stores import SCALE

_HERE = "local"
_CONNECT_SECONDS = 10.0
_OBJECT_BYTES = 200_000_000
"""Ray's store of objects on one machine: lists of names go through it, never photos."""


@dataclass(frozen=True)
class Cluster:
    """Which machines work, and what each worker on them gets.

    Attributes:
        address: `host:port` of Ray's head; None takes RAY_ADDRESS, or this machine alone.
        workers: how many; None for as many as the cluster has room for.
        cpus: processors of a worker.
        gpus: GPUs of a worker, below 1 for a share of one; with 0 the model runs on processors.
    """

    address: str | None = None
    workers: int | None = None
    cpus: int = 1
    gpus: float = 0


def check() -> None:
    """Refuse early where Ray is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
        import ray  # noqa: F401
    except ImportError as error:
        raise LandmarksError(
            f"--engine ray needs {error.name}, which is not installed", hint=SCALE
        ) from None


@contextmanager
def connected(wanted: Cluster) -> Iterator[None]:
    """Join the cluster at an address, or make one of this machine for as long as the block runs.

    Raises:
        LandmarksError: there is none.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # the rest is for Ray's own makers
    import ray

    address = wanted.address or os.environ.get("RAY_ADDRESS") or _HERE
    here = {
        "num_cpus": environment.cores(),
        "include_dashboard": False,
        "object_store_memory": _OBJECT_BYTES,
    }
    _check_answers(address)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with _hushed():
            ray.init(
                address,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                **(here if address == _HERE else {}),
            )
    except Exception as error:  # it has no common base class for its errors
        raise _no_cluster(address, first_line(error)) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)  # Ray takes it for its own
    try:
        _keep_quiet()
        yield
    finally:
        ray.shutdown()


@contextmanager
def _hushed() -> Iterator[None]:
    """Drop what is written to stderr past Python: that Ray has read RAY_BACKEND_LOG_LEVEL."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _keep_quiet() -> None:
    """Have Ray Data draw no bars and tell no plans; what it has to say comes as errors."""
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)


def room(wanted: Cluster) -> int:
    """Return how many workers to start.

    Raises:
        LandmarksError: there is no room for one.
    """
    import ray

    if wanted.workers is not None:
        return wanted.workers
    has = ray.cluster_resources()
    cpus, gpus = has.get("CPU", 0.0), has.get("GPU", 0.0)
    workers = int(cpus // wanted.cpus)
    workers = min(workers, int(gpus / wanted.gpus)) if wanted.gpus else workers
    if workers < 1:
        raise LandmarksError(
            f"the cluster has {cpus:g} processors and {gpus:g} GPUs, and each worker wants "
            f"{wanted.cpus} and {wanted.gpus:g}",
            hint="Lower --cpus-per-worker or --gpus-per-worker.",
        )
    return workers


def _check_answers(address: str) -> None:
    """Refuse an address where nobody listens: Ray itself would wait for minutes."""
    if address in (_HERE, "auto"):
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        raise _no_cluster(address, str(error)) from error


def _no_cluster(address: str, why: str) -> LandmarksError:
    return LandmarksError(
        f"no Ray cluster answers at {address}: {why}",
        hint="Give the host:port of its head to --ray-address, on a machine of the cluster "
        "(`ray start --address=host:port` makes it one), with the same versions of Python and Ray.",
    )


def first_line(error: BaseException) -> str:
    """Return what an error says first, without its traceback."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
