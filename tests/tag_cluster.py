"""Two machines (of one: two of Ray's nodes) for `landmarks tag --engine ray`, and slow photos."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
from ray.cluster_utils import Cluster
from tag_folder import Done, Library, slow_photos
from test_tag_stores import plain

NODE = {"num_cpus": 1, "object_store_memory": 80_000_000}
SECONDS_TO_NOTICE = 15
"""Until Ray knows that a machine died: by then it has tried its workers more often than `DEATHS`.
A machine that is only busy must not seem dead either."""

HEALTH = {
    "health_check_period_ms": 1000,
    "health_check_failure_threshold": SECONDS_TO_NOTICE,
}


@contextmanager
def two_machines() -> Iterator[Cluster]:
    """Run two nodes of one processor each; the first one is the head, too."""
    here = Cluster()
    here.add_node(_system_config=HEALTH, include_dashboard=False, **NODE)
    here.add_node(**NODE)
    try:
        yield here
    finally:
        here.shutdown()


class Machines:
    """A bucket, a cluster, and the command that uses both."""

    def __init__(self, store: Any, cluster: Cluster) -> None:
        self.store, self.cluster = store, cluster

    def tag(self, library: Library, *options: str | Path) -> Done:
        return library.tag("--engine", "ray", "--ray-address", self.cluster.address, *options)

    def parts(self, url: str) -> list[dict[str, Any]]:
        """Return the rows of a folder of Parquet files in the order of the other tables."""
        assert self.store.exists(f"{url}/_SUCCESS")
        folder = url.removeprefix("s3://")
        rows = pq.read_table(folder, filesystem=self.store).to_pylist()
        return sorted(plain(rows), key=lambda row: (row["path"].count("/"), row["path"]))

    @property
    def nodes(self) -> list[Any]:
        """The head and the other one."""
        return [self.cluster.head_node, *self.cluster.worker_nodes]


def put_slow_photos(library: Library, total: int) -> None:
    """Put photos that take a tenth of a second each."""
    files = slow_photos()
    for number in range(total):
        library.put(f"{number:03}.jpg", files[number % 10 > 0] + number.to_bytes(2, "big"))


def local_rows(library: Library) -> list[dict[str, Any]]:
    """Return what the local engine says, without the time."""
    return plain(list(library.rows("--state", library.top / "journal").values()))


def ray_rows(table: Path) -> list[dict[str, Any]]:
    return plain(json.loads(table.read_text(encoding="utf-8")))


def written(state: Path) -> dict[str, int]:
    """Return when each part was written."""
    return {path.name: path.stat().st_mtime_ns for path in state.glob("parts-*/part-*.parquet")}


def wait_until(true: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def workers(node: Any) -> list[psutil.Process]:
    """Return the processes of a node that look at photos."""
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    found = []
    for child in raylet.children(recursive=True):
        try:
            if child.cmdline()[0].startswith("ray::MapWorker"):
                found.append(child)
        except (psutil.Error, IndexError):
            continue
    return found
