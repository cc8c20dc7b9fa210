"""Clients that go, crawl, flood and lie; a disk that nothing reaches; the end of the process."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from served import PATIENCE, Served, answer, eventually, head, model, picture, service
from tag_folder import BLUE, RED, photo

SLOW, LESS = picture("PNG", (1600, 1600)), picture("PNG", (900, 900))
"""The first takes a tenth of a second to decode, so that requests are under way for a while."""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A service whose resident memory is what it holds.

    glibc's malloc would learn to keep the memory of large photos for the next ones: as much as was
    held at a time, which is luck (mallopt(3), M_MMAP_THRESHOLD). With a fixed threshold the system
    gets it back at once.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MALLOC_MMAP_THRESHOLD_", "65536")
        with service(queue_photos=16, decode_threads=1) as running:
            yield running


def test_a_client_that_goes_while_it_sends_leaves_nothing(served: Served) -> None:
    for linger in (False, True):
        connection = served.connect()
        connection.sendall(head(Content_Length="1000000", Content_Type="image/jpeg"))
        connection.sendall(b"\xff\xd8" * 100_000)
        eventually(lambda: served.metric("landmarks_queue_bytes") > 0)
        if linger:  # a reset, as of a phone that lost its network
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        eventually(lambda: served.metric("landmarks_queue_bytes") == 0)
    eventually(lambda: served.metric("landmarks_requests_total", status="499") >= 2)
    assert served.predict(photo(RED)).status_code == 200


def test_a_client_that_goes_before_the_answer_is_not_worked_for(served: Served) -> None:
    before = served.metric("landmarks_stage_seconds_count", stage="decode")
    request = httpx.Request("POST", served.url + "/v1/predict", files=[("file", SLOW)] * 16)
    connection = served.connect()
    connection.sendall(
        head(Content_Length=request.headers["content-length"],
             Content_Type=request.headers["content-type"]) + request.read()
    )  # fmt: skip
    eventually(lambda: served.metric("landmarks_queue_photos") == 16)
    connection.close()
    eventually(lambda: served.metric("landmarks_queue_photos") == 0)
    assert served.predict(photo(RED)).status_code == 200
    assert served.metric("landmarks_stage_seconds_count", stage="decode") - before < 12


def test_100_megabytes_are_refused_and_not_kept(served: Served) -> None:
    before = served.memory()
    pieces = (bytes(1_000_000) for _ in range(110))
    got = served.client.post("/v1/predict", content=pieces, headers={"content-type": "image/png"})
    assert got.status_code == 413
    large = served.client.post("/v1/predict", content=bytes(100_000_001))
    assert large.status_code == 413
    assert served.memory() - before < 60_000_000
    assert served.metric("landmarks_queue_bytes") == 0


def test_a_flood_gets_answers_or_503_and_the_memory_stays(served: Served) -> None:
    """192 photos to a queue of 16: what was kept of one in twelve would show."""
    served.predict(*[LESS] * 4)
    before = served.memory()

    def ask(number: int) -> tuple[int, str]:
        with served.new_client() as client:
            got = client.post("/v1/predict", files={"file": LESS})
        if got.status_code == 503:
            assert int(got.headers["retry-after"]) >= 1
        else:
            assert got.json()["photos"][0]["guesses"]
        return got.status_code, got.headers["content-type"]

    with ThreadPoolExecutor(64) as clients:
        results = Counter(clients.map(ask, range(3 * 64)))
    assert set(results) == {(200, "application/json"), (503, "application/problem+json")}
    assert results[200, "application/json"] >= 16
    assert served.metric("landmarks_queue_photos") == 0
    assert served.memory() - before < 16 * len(LESS), "less than the queue takes, of 192"
    assert served.client.get("/readyz").status_code == 200


def test_probes_are_answered_while_photos_wait(served: Served) -> None:
    with ThreadPoolExecutor(1) as other:
        asked = other.submit(served.predict, *[SLOW] * 12)
        eventually(lambda: served.metric("landmarks_queue_photos") == 12)
        assert served.client.get("/healthz").json() == {"status": "ok", "model": None}
        assert not asked.done()
        assert asked.result().status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_answers_all_that_was_accepted(number: int) -> None:
    with service() as served, ThreadPoolExecutor(6) as clients:
        asked = [clients.submit(served.predict, *[SLOW] * 6) for _ in range(6)]
        eventually(lambda: served.metric("landmarks_queue_photos") == 36)
        assert served.stop(number) == 0
        answers = [one.result() for one in asked]
        assert [one.status_code for one in answers] == [200] * 6
        assert all(len(one.json()["photos"]) == 6 for one in answers)
        served.said("stopped")
        assert not [one for one in served.events if one["level"] in ("error", "critical")]


def test_a_stop_under_load_cuts_no_answer_short() -> None:
    """Each client is answered whole, or not connected at all."""
    ended, results = threading.Event(), Counter[str]()

    def ask(served: Served) -> None:
        while not ended.is_set():
            try:
                got = served.predict(photo(RED))
                results[f"{got.status_code} {bool(got.json())}"] += 1
            except (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError) as error:
                results[str(error).partition(" (")[0]] += 1

    with service() as served, ThreadPoolExecutor(8) as clients:
        for _ in range(8):
            clients.submit(ask, served)
        eventually(lambda: results["200 True"] > 50)
        try:
            assert served.stop() == 0
        finally:
            ended.set()
    answered = served.said("stopped") and sum(
        one["event"] == "request" and one.get("photos") == 1 for one in served.events
    )
    assert results["200 True"] == answered, results
    assert not any("incomplete" in name or "peer closed" in name for name in results), results


def test_it_can_go_on_a_while_after_being_asked_to_stop() -> None:
    with service(drain_seconds=30) as served:
        served.process.send_signal(signal.SIGTERM)
        eventually(lambda: served.client.get("/readyz").status_code == 503)
        assert served.client.get("/readyz").json()["type"] == "/problems#not-ready"
        time.sleep(0.5)  # several times what a stop without that while takes to begin
        served.connect().close()
        assert served.predict(photo(RED)).status_code == 200
        served.process.send_signal(signal.SIGINT)  # at once
        assert served.process.wait(PATIENCE) == 0


WRITES = re.compile(
    r"^(?:\d+ +)?(?:open(?:at2?)?\(.*O_(?:WRONLY|RDWR|CREAT|TMPFILE)|creat\(|mkdir|rename|link"
    r"|symlink|truncate|memfd_create|mknod|unlink)"
)


@pytest.mark.skipif(shutil.which("strace") is None, reason="apt-get install strace")
def test_nothing_is_written_to_the_disk(tmp_path: Path) -> None:
    """Every call of the kernel that could make or change a file is looked at."""
    tried = subprocess.run(["strace", "-f", "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"strace cannot trace here: {tried.stderr.splitlines()[-1:]}")
    trace = tmp_path / "trace"
    before = (
        "strace",
        "-qq",
        "-f",
        "--seccomp-bpf",
        "-e",
        "trace=%file,memfd_create",
        "-o",
        str(trace),
    )
    large = picture("PNG", (1400, 1400))
    assert len(large) > 2_000_000, "what is larger than a megabyte often goes to a file"
    with service(None, *before, reload_seconds=0.1) as served:
        assert served.predict(large, photo(BLUE), b"no photo").status_code == 200
        octets = {"content-type": "application/octet-stream"}
        assert served.client.post("/v1/predict", content=large, headers=octets).status_code == 200
        pieces = (bytes(1_000_000) for _ in range(30))
        assert served.client.post("/v1/predict", content=pieces).status_code == 413
        with served.connect() as connection:
            connection.sendall(head(Content_Length="9000000") + large)
        eventually(lambda: served.metric("landmarks_requests_total", status="499") == 1)
        eventually(lambda: bool(os.listdir(f"/proc/{served.process.pid}")))
        os.kill(int(_child(served.process.pid)), signal.SIGTERM)
        assert served.process.wait(PATIENCE) == 0
    calls = trace.read_text(errors="replace").splitlines()
    assert any("landmarks.onnx" in call for call in calls), "the trace sees what is read"
    allowed = ("/dev/null", "/proc/self/")
    writes = [
        call for call in calls
        if WRITES.search(call) and " = -1 " not in call and not any(a in call for a in allowed)
    ]  # fmt: skip
    assert not writes, writes


def _child(parent: int) -> str:
    return Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0]


# Not everybody's PATH has the folder of servers.
PROXY = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
NGINX = """
daemon off; worker_processes 1; pid {0}/pid; error_log stderr;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {0}/body; proxy_temp_path {0}/proxy;
    fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;
    server {{ listen 127.0.0.1:{1}; {2} }}
}}
"""


@pytest.mark.skipif(PROXY is None, reason="nginx is missing: apt-get install nginx-light")
def test_it_works_behind_the_proxy_of_the_page(tmp_path: Path) -> None:
    """The block of docs/serving.md, word for word but for the port."""
    from conftest import ROOT

    page = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```nginx\n(.*?)```", page, re.S)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with service(root_path="/landmarks", rate_per_minute=1, rate_burst=1) as served:
        ours = block.replace(":8000/", f":{served.port}/")
        (tmp_path / "nginx.conf").write_text(NGINX.format(tmp_path, port, ours))
        proxy = subprocess.Popen([str(PROXY), "-p", tmp_path, "-c", tmp_path / "nginx.conf"])
        try:
            url = f"http://127.0.0.1:{port}/landmarks"
            eventually(lambda: _status(f"{url}/readyz") == 200)
            got = httpx.post(f"{url}/v1/predict", files={"file": photo(RED)}, trust_env=False)
            assert got.json()["photos"][0]["guesses"][0]["name"] == "Uluru"
            over = httpx.post(f"{url}/v1/predict", files={"file": photo(RED)}, trust_env=False)
            assert over.status_code == 429 and over.json()["type"].startswith(
                "/landmarks/problems#"
            )
            assert _status(f"{url}/metrics") == 403
            schema = httpx.get(f"{url}/openapi.json", trust_env=False).json()
            assert schema["servers"] == [{"url": "/landmarks"}]
        finally:
            proxy.terminate()
            proxy.wait()


def _status(url: str) -> int:
    with contextlib.suppress(httpx.ConnectError):
        return httpx.get(url, trust_env=False, verify=False).status_code
    return 0


def test_pipelined_requests_are_answered_in_order(served: Served) -> None:
    body = photo(RED)
    one = head(Content_Length=str(len(body)), Content_Type="image/jpeg") + body
    with served.connect() as connection:
        connection.sendall(one + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        status, _, first = answer(connection)
        assert status == 200 and json.loads(first)["photos"][0]["guesses"]
        assert json.loads(answer(connection)[2])["status"] == "ok"


def test_it_is_ready_soon(tmp_path: Path) -> None:
    """Seconds of processor time, which other programs of the machine do not lengthen much."""
    with service(model()) as served:
        assert served.metric("process_cpu_seconds_total") < 3
        assert time.time() - served.metric("process_start_time_seconds") < PATIENCE
