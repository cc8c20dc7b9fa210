"""`landmarks tag --engine ray` on two machines (of one: two of Ray's nodes) and a bucket."""

import csv
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from stories.storages import free_port
from tag_bucket import BUCKET, bucket, upload
from tag_folder import GREY, RED, Library, landmarks, photo, write_model
from test_tag_stores import fill, plain

pytest.importorskip("ray")

import ray  # noqa: E402
from tag_cluster import (  # noqa: E402
    NODE,
    Machines,
    local_rows,
    put_slow_photos,
    ray_rows,
    two_machines,
    wait_until,
    workers,
    written,
)

from landmarks import card  # noqa: E402
from landmarks.errors import LandmarksError  # noqa: E402
from landmarks.tagging import deaths, parts, spread  # noqa: E402
from landmarks.tagging.cluster import Cluster as Wanted  # noqa: E402
from landmarks.tagging.cluster import connected, room  # noqa: E402
from landmarks.tagging.deaths import Ledger, ledger  # noqa: E402

pytestmark = pytest.mark.slow

DRIVER = """
from landmarks import cli
from landmarks.tagging import parts
parts.SIZE = 2
cli.main()
"""


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # The nodes take the address and the keys of the bucket from the environment, as users' do.
    with bucket(tmp_path_factory.mktemp("s3")) as store, two_machines() as cluster:
        yield Machines(store, cluster)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setattr(parts, "SIZE", 2)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return Library(tmp_path, write_model(tmp_path / "model"))


def test_a_bucket_gets_the_rows_of_the_local_engine(library: Library, machines: Machines) -> None:
    fill(library)
    wanted, table = local_rows(library), library.top / "local.csv"
    library.tag("--csv", table, "--state", library.top / "journal")
    library.folder = upload(machines.store, library.folder, "library")  # type: ignore[assignment]
    out = f"s3://{BUCKET}/out"
    given = ("--csv", f"{out}/rows.csv", "--json", f"{out}/rows.json", "--parquet", f"{out}/rows/")
    done = machines.tag(library, *given)
    assert done.returncode == 1 and "photos: 9: 4 named" in done.stdout, done.stderr
    assert done.stderr == "", "Ray has nothing to say"
    assert plain(json.loads(machines.store.cat_file(f"{out}/rows.json"))) == wanted
    theirs = machines.store.cat_file(f"{out}/rows.csv").decode("utf-8")
    assert without_times(theirs) == without_times(table.read_text(encoding="utf-8"))
    assert machines.parts(f"{out}/rows") == wanted
    assert len(machines.store.glob(f"{out}/rows/part-*")) > 2, "more than one shard"
    # The folder of parts follows that of photos.
    machines.store.rm_file(f"{library.folder}/no extension")
    machines.store.pipe_file(f"{library.folder}/new.jpg", photo(GREY, 5))
    done = machines.tag(library, "--parquet", f"{out}/rows/")
    said = "photos: 9: 3 named, 2 unsure, 2 unknown, 2 unreadable\n"
    assert done.stdout == said, done.stderr
    paths = {row["path"] for row in machines.parts(f"{out}/rows")}
    assert paths == {row["path"] for row in wanted} - {"no extension"} | {"new.jpg"}


def without_times(text: str) -> list[dict[str, Any]]:
    return plain(list(csv.DictReader(io.StringIO(text, newline=""))))


def test_a_machine_that_dies_loses_and_doubles_nothing(
    library: Library, machines: Machines
) -> None:
    """Nor is it held against a photo, however long Ray takes to notice."""
    put_slow_photos(library, 60)
    survivor, victim = machines.nodes
    seen = []

    def kill() -> None:
        wait_until(
            lambda: workers(victim) and workers(survivor) and len(written(library.state)) > 2
        )
        seen.append(len(written(library.state)))
        machines.cluster.remove_node(victim, allow_graceful=False)

    table = library.top / "ray.json"
    with in_background(kill):
        done = machines.tag(library, "--json", table)
    machines.cluster.add_node(**NODE)  # in its place
    assert done.returncode == 0, done.stderr
    assert 2 < seen[0] < len(written(library.state)), "it died half-way"
    assert ray_rows(table) == local_rows(library)


def interrupted(command: list[str], state: Path, machines: Machines) -> dict[str, int]:
    """Kill the command when it has written some parts; return all that is written then."""
    before = len(written(state))
    driver = subprocess.Popen(command)
    wait_until(lambda: len(written(state)) > before + 2)
    driver.kill()
    driver.wait()
    wait_until(lambda: not any(map(workers, machines.nodes)))
    return written(state)


def test_a_run_that_ends_early_is_continued(library: Library, machines: Machines) -> None:
    put_slow_photos(library, 50)
    library.put(os.fsdecode(b"caf\xe9.jpg"), photo(RED, 77))  # a name that is no text
    table = library.top / "ray.json"
    given = [library.folder, "--model", library.model, "--state", library.state, "--json", table]
    command = [sys.executable, "-c", DRIVER, "tag", *map(str, given), "--engine", "ray"]
    command += ["--ray-address", machines.cluster.address]
    first = interrupted(command, library.state, machines)
    second = interrupted(command, library.state, machines)
    assert not table.exists()
    assert machines.tag(library, "--json", table).returncode == 0
    third = written(library.state)
    assert 2 < len(first) < len(second) < len(third)
    assert first.items() <= second.items() <= third.items(), "none was done twice"
    assert ray_rows(table) == local_rows(library)
    assert machines.tag(library, "--json", table).returncode == 0
    assert written(library.state) == third, "there was nothing to do"


def test_a_photo_that_ends_its_workers_is_named(
    library: Library, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "SIZE", 1000)
    put_slow_photos(library, 40)  # one shard, which takes seconds: there is time to end its worker
    ledgers: list[Any] = []

    def kept(most: int) -> Any:
        ledgers.append(ledger(most))
        return ledgers[-1]

    def kill() -> None:
        for number in (1, 2):
            wait_until(lambda n=number: ledgers and ray.get(ledgers[0].open.remote()) == n)
            for process in [*workers(machines.nodes[0]), *workers(machines.nodes[1])]:
                process.kill()

    table = library.top / "ray.json"
    with monkeypatch.context() as patch, in_background(kill):
        patch.setattr(spread, "DEATHS", 1)
        patch.setattr(deaths, "ledger", kept)
        done = machines.tag(library, "--json", table)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    assert "error: 2 workers died at one of the photos from" in done.stderr
    assert "000.jpg" in done.stderr and "039.jpg" in done.stderr
    assert not table.exists()
    assert machines.tag(library, "--json", table).returncode == 0
    assert ray_rows(table) == local_rows(library)


def test_deaths_are_counted_where_a_shard_was_begun(machines: Machines) -> None:
    with connected(Wanted(machines.cluster.address)):
        machine = ray.get_runtime_context().get_node_id()
        counted = Ledger(1)
        assert counted.begin("fine", "a", machine)
        counted.end("fine", "a")
        for _ in range(3):  # as when the answer is lost on its way
            assert counted.begin("deadly", "b", machine)
        for lost in "cdef":
            assert counted.begin("deadly", lost, "0" * len(machine)), "a machine that died"
        assert counted.begin("deadly", "g", machine)
        assert not counted.begin("deadly", "h", machine)
        assert counted.begin("fine", "h", machine)


@contextmanager
def in_background(work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_what_a_worker_lacks_is_said_in_one_line(
    library: Library, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.put("a.jpg", photo(RED))
    with connected(Wanted(machines.cluster.address)):
        assert room(Wanted()) == 2 and room(Wanted(cpus=2)) == 1 and room(Wanted(workers=7)) == 7
        for wanted in (Wanted(cpus=3), Wanted(gpus=0.5)):
            with pytest.raises(LandmarksError, match="the cluster has 2 processors and 0 GPUs"):
                room(wanted)
    # What only the driver reaches, as a disk of its own would be.
    done = machines.tag(library, "--state", "memory://state")
    assert done.returncode == 1 and "All machines must reach that folder" in done.stderr
    monkeypatch.setattr(card, "read_verified", lambda *given: b"damaged on its way")
    done = machines.tag(library)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    assert "error: worker on " in done.stderr and "landmarks.onnx" in done.stderr


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--xmp", "--engine ray writes tables: --xmp is for a folder of this machine"),
        ("--undo", "--engine ray writes tables: --undo is for a folder of this machine"),
        ("--dry-run", "--engine ray knows no --dry-run"),
    ],
)
def test_what_the_engine_does_not_do_is_said(library: Library, option: str, said: str) -> None:
    done = library.tag("--engine", "ray", option)
    assert done.returncode == 1 and said in done.stderr and len(done.stderr.splitlines()) == 1


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
