"""`landmarks tag --engine ray` on two machines (of one: two of Ray's nodes) and a bucket."""

import csv
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from stories.storages import free_port
from tag_bucket import BUCKET, bucket, upload
from tag_folder import GREY, RED, Done, Library, landmarks, photo, write_model
from test_tag_stores import fill, plain

pytest.importorskip("ray")

from ray.cluster_utils import Cluster  # noqa: E402

from landmarks.tagging import parts, spread  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NODE = {"num_cpus": 1, "object_store_memory": 80_000_000}
QUICK_TO_NOTICE = {"health_check_period_ms": 1000, "health_check_failure_threshold": 3}
DRIVER = """
from landmarks import cli
from landmarks.tagging import parts
parts.SIZE = 2
cli.main()
"""


@contextmanager
def two_machines() -> Iterator[Cluster]:
    """Run two nodes of one processor each; the first one is the head, too."""
    here = Cluster()
    here.add_node(_system_config=QUICK_TO_NOTICE, include_dashboard=False, **NODE)
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

    @property
    def nodes(self) -> list[Any]:
        """The head and the other one."""
        return [self.cluster.head_node, *self.cluster.worker_nodes]


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # The nodes take the address and the keys of the bucket from the environment, as users' do.
    with bucket(tmp_path_factory.mktemp("s3")) as store, two_machines() as cluster:
        yield Machines(store, cluster)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setattr(parts, "SIZE", 2)
    return Library(tmp_path, write_model(tmp_path / "model"))


def put_slow_photos(library: Library, total: int) -> None:
    """Put photos that take a tenth of a second each: progressive files are decoded whole."""
    noise = np.random.default_rng(1).integers(-9, 10, (1200, 1600, 3))
    files = []
    for colour in (RED, GREY):
        buffer = io.BytesIO()
        image = Image.fromarray((np.array(colour) + noise).astype(np.uint8))
        image.save(buffer, "JPEG", quality=92, progressive=True)
        files.append(buffer.getvalue())
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


def test_a_bucket_gets_the_rows_of_the_local_engine(library: Library, machines: Machines) -> None:
    fill(library)
    here, wanted = library.folder, local_rows(library)
    local = library.top / "local.csv"
    library.tag("--csv", local, "--state", library.top / "journal")
    library.folder = upload(machines.store, here, "library")  # type: ignore[assignment]
    out = f"s3://{BUCKET}/out"
    given = ("--csv", f"{out}/rows.csv", "--json", f"{out}/rows.json")
    done = machines.tag(library, *given, "--parquet", f"{out}/rows.parquet")
    assert done.returncode == 1 and "photos: 9: 4 named" in done.stdout, done.stderr
    assert done.stderr == "", "Ray has nothing to say"
    rows = machines.store.cat_file(f"{BUCKET}/out/rows.json")
    assert plain(json.loads(rows)) == wanted
    assert len(written(library.state)) > 2, "more than one shard"
    theirs = machines.store.cat_file(f"{BUCKET}/out/rows.csv").decode("utf-8")
    assert without_times(theirs) == without_times(local.read_text(encoding="utf-8"))
    # A folder that all machines reach is as good; names in it need not be text.
    library.folder = here
    (here / os.fsdecode(b"caf\xe9.jpg")).write_bytes(photo(RED, 77))
    table = library.top / "ray.json"
    assert machines.tag(library, "--json", table).returncode == 1
    assert ray_rows(table) == local_rows(library) and len(ray_rows(table)) == 10


def without_times(text: str) -> list[dict[str, Any]]:
    return plain(list(csv.DictReader(io.StringIO(text, newline=""))))


def test_a_machine_that_dies_loses_and_doubles_nothing(
    library: Library, machines: Machines
) -> None:
    put_slow_photos(library, 60)
    survivor, victim = machines.nodes
    seen = []

    def kill() -> None:
        wait_until(
            lambda: workers(victim) and workers(survivor) and len(written(library.state)) > 2
        )
        seen.append(len(written(library.state)))
        machines.cluster.remove_node(victim, allow_graceful=False)

    thread = threading.Thread(target=kill)
    thread.start()
    table = library.top / "ray.json"
    done = machines.tag(library, "--json", table)
    thread.join()
    machines.cluster.add_node(**NODE)  # in its place
    assert done.returncode == 0, done.stderr
    assert 2 < seen[0] < len(written(library.state)), "it died half-way"
    assert ray_rows(table) == local_rows(library)


def test_a_driver_that_dies_is_continued(library: Library, machines: Machines) -> None:
    put_slow_photos(library, 60)
    table = library.top / "ray.json"
    command = [sys.executable, "-c", DRIVER, "tag", library.folder, "--model", library.model]
    command += ["--state", library.state, "--json", table, "--engine", "ray"]
    driver = subprocess.Popen([*command, "--ray-address", machines.cluster.address])
    wait_until(lambda: len(written(library.state)) > 2)
    driver.kill()
    driver.wait()
    assert not table.exists()
    wait_until(lambda: not any(map(workers, machines.nodes)))
    kept = written(library.state)
    assert machines.tag(library, "--json", table).returncode == 0
    after = written(library.state)
    assert 2 < len(kept) < len(after) and kept.items() <= after.items(), "none was done twice"
    assert ray_rows(table) == local_rows(library)
    before = after
    assert machines.tag(library, "--json", table).returncode == 0
    assert written(library.state) == before, "there was nothing to do"


def test_a_photo_that_ends_its_workers_is_named(
    library: Library, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_slow_photos(library, 30)
    monkeypatch.setattr(spread, "DEATHS", 0)

    def kill() -> None:
        wait_until(lambda: len(written(library.state)) > 1)
        for node in machines.nodes:
            for process in workers(node):
                process.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    table = library.top / "ray.json"
    done = machines.tag(library, "--json", table)
    thread.join()
    assert done.returncode == 1 and not table.exists()
    assert "error: 1 workers died at one of the photos from" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert machines.tag(library, "--json", table).returncode == 0
    assert ray_rows(table) == local_rows(library)


def test_parts_can_be_the_table_and_follow_the_folder(library: Library, machines: Machines) -> None:
    import pyarrow.parquet as pq

    for number in range(9):
        library.put(f"{number}.jpg", photo(RED, number))
    out = f"{BUCKET}/parts"

    def paths() -> list[str]:
        assert machines.store.exists(f"{out}/_SUCCESS")
        return sorted(pq.read_table(out, filesystem=machines.store)["path"].to_pylist())

    assert machines.tag(library, "--parquet", f"s3://{out}/").returncode == 0
    assert paths() == [f"{number}.jpg" for number in range(9)]
    (library.folder / "3.jpg").unlink()
    library.put("new.jpg", photo(GREY))
    done = machines.tag(library, "--parquet", f"s3://{out}/")
    assert done.stdout == "photos: 9: 8 named, 0 unsure, 1 unknown, 0 unreadable\n"
    assert paths() == ["0.jpg", "1.jpg", "2.jpg", *(f"{n}.jpg" for n in range(4, 9)), "new.jpg"]


def test_what_a_worker_lacks_is_said_in_one_line(
    library: Library, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.put("a.jpg", photo(RED))
    for options, said in {
        ("--cpus-per-worker", "3"): "the cluster has 2 processors and 0 GPUs, and each worker",
        ("--gpus-per-worker", "1"): "the cluster has 2 processors and 0 GPUs, and each worker",
        ("--xmp",): "--engine ray writes tables: --xmp is for a folder of this machine",
        ("--dry-run",): "--engine ray knows no --dry-run",
    }.items():
        done = machines.tag(library, *options)
        assert done.returncode == 1 and said in done.stderr
        assert len(done.stderr.splitlines()) == 1 and done.stdout == ""
    # What only the driver reaches, as a disk of its own would be.
    done = machines.tag(library, "--state", "memory://state")
    assert done.returncode == 1 and "All machines must reach that folder" in done.stderr
    monkeypatch.setattr(spread.cards, "read_verified", lambda *given: b"damaged on its way")
    done = machines.tag(library)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    assert "error: worker on " in done.stderr and "landmarks.onnx" in done.stderr


def test_a_cluster_that_does_not_answer_is_said_at_once(library: Library) -> None:
    library.put("a.jpg", photo(RED))
    for address, said in {
        f"127.0.0.1:{free_port()}": "Connection refused",
        "no port": "invalid literal",
    }.items():
        done = library.tag("--engine", "ray", "--ray-address", address)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
        assert f"no Ray cluster answers at {address}" in done.stderr and said in done.stderr
    assert landmarks("tag", library.folder, "--engine", "spark").returncode == 2
