"""Whoever calls the service gets the answer of the command, or a problem that says why not."""

import json
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from served import Served, answer, head, is_closed, model, picture, service
from tag_folder import BLUE, GREEN, GREY, RED, landmarks, photo

from landmarks.serving.problems import KINDS, MEDIA_TYPE

JPEG = picture()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with service() as running:
        yield running


def test_the_answer_is_that_of_the_command(served: Served, tmp_path: Path) -> None:
    files = {}
    for name, colour in (("red", RED), ("green", GREEN), ("grey", GREY)):
        files[tmp_path / f"{name}.jpg"] = photo(colour)
        (tmp_path / f"{name}.jpg").write_bytes(photo(colour))
    done = landmarks("predict", *files, "--model", model(), "--json", "--top-k", "2")
    form = [("file", (str(path), content)) for path, content in files.items()]
    got = served.client.post("/v1/predict?top_k=2", files=form)
    assert got.status_code == 200 and got.headers["content-type"] == "application/json"
    assert got.json()["photos"] == json.loads(done.stdout)
    decisions = [one["decision"] for one in got.json()["photos"]]
    assert decisions == ["named", "named", "unknown"]


@pytest.mark.parametrize("kind", ["image/jpeg", "image/heic", "application/octet-stream", None])
def test_the_bytes_of_a_photo_are_taken_too(served: Served, kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}
    raw = served.client.post("/v1/predict", content=photo(BLUE), headers=headers)
    [form] = served.predict(photo(BLUE)).json()["photos"]
    assert raw.status_code == 200
    assert raw.json()["photos"] == [form | {"photo": None}]


def test_a_bad_photo_does_not_keep_the_others_from_an_answer(served: Served) -> None:
    got = served.predict(photo(RED), b"no photo", photo(GREEN), JPEG[:400])
    assert got.status_code == 200
    first, second, third, fourth = got.json()["photos"]
    assert [one["photo"] for one in got.json()["photos"]] == [f"{n}.jpg" for n in range(4)]
    assert first["guesses"][0]["class"] == "00.Uluru"
    assert third["guesses"][0]["class"] == "01.Hallerbos"
    assert second["problem"]["reason"] == "not an image" and second["problem"]["status"] == 422
    assert fourth["problem"]["reason"] in ("truncated", "damaged")


def test_if_no_photo_can_be_read_the_status_says_so(served: Served) -> None:
    got = served.predict(b"no photo", b"")
    assert got.status_code == 422
    assert got.json()["detail"] == (
        "It cannot be read as a photo: empty. It cannot be read as a photo: not an image."
    )
    reasons = [one["problem"]["reason"] for one in got.json()["photos"]]
    assert reasons == ["not an image", "empty"]


def test_the_number_of_guesses_is_asked_for_in_the_query_or_the_form(served: Served) -> None:
    def count(got: httpx.Response) -> int:
        return len(got.json()["photos"][0]["guesses"])

    assert count(served.predict(JPEG)) == 3
    assert count(served.predict(JPEG, params={"top_k": 1})) == 1
    assert count(served.predict(JPEG, params={"top_k": 1}, data={"top_k": "2"})) == 2
    for wrong in ("0", "-1", "x", "1001", "", "٣"):
        for got in (
            served.predict(JPEG, params={"top_k": wrong}),
            served.predict(JPEG, data={"top_k": wrong}),
        ):
            assert got.status_code == 422 and "top_k" in got.json()["detail"], wrong


def test_the_landmarks_are_those_of_the_card(served: Served) -> None:
    got = served.client.get("/v1/landmarks").json()
    card = json.loads((model() / "model.json").read_text())
    assert [one["class"] for one in got["landmarks"]] == [one["class"] for one in card["classes"]]
    assert got["landmarks"][0]["latitude"] == -25.3444 and got["invented"] is False
    assert got["model"] == served.client.get("/readyz").json()["model"]


FORM = "multipart/form-data; boundary=b"
WRONG = [
    ("GET", "/nowhere", {}, b"", "not-found"),
    ("GET", "/v1/predict", {}, b"", "method-not-allowed"),
    ("POST", "/healthz", {}, b"", "method-not-allowed"),
    ("POST", "/v1/predict", {"content-type": "application/json"}, b"{}", "unsupported-type"),
    ("POST", "/v1/predict", {"content-type": "text/plain"}, JPEG, "unsupported-type"),
    ("POST", "/v1/predict", {"content-encoding": "gzip"}, JPEG, "unsupported-type"),
    ("POST", "/v1/predict", {"content-type": "multipart/form-data"}, JPEG, "bad-form"),
    ("POST", "/v1/predict", {"content-type": FORM + "b" * 999}, JPEG, "bad-form"),
    ("POST", "/v1/predict", {"content-type": FORM}, JPEG, "bad-form"),
    ("POST", "/v1/predict", {"content-type": FORM}, b"--b\r\n", "bad-form"),
    ("POST", "/v1/predict", {"content-type": FORM}, b"--b--\r\n", "no-photo"),
    ("POST", "/v1/predict", {}, b"", "unreadable-photo"),
    ("POST", "/v1/predict?top_k=0", {}, JPEG, "bad-parameter"),
]


@pytest.mark.parametrize(("method", "path", "headers", "body", "kind"), WRONG)
def test_every_error_is_a_problem_that_the_service_explains(
    served: Served, method: str, path: str, headers: dict[str, str], body: bytes, kind: str
) -> None:
    got = served.client.request(method, path, headers=headers, content=body)
    problem = got.json()
    assert got.headers["content-type"] == MEDIA_TYPE
    assert problem["type"] == f"/problems#{kind}"
    assert got.status_code == problem["status"] == KINDS[kind].status
    assert problem["title"] == KINDS[kind].title and problem["detail"].endswith(".")
    assert problem["instance"] == f"urn:uuid:{got.headers['x-request-id']}"
    assert served.client.get("/problems").json()[kind]["advice"] == KINDS[kind].advice
    assert served.client.get("/healthz").status_code == 200


def test_a_field_of_another_name_is_told(served: Served) -> None:
    got = served.client.post("/v1/predict", files={"photo": JPEG})
    assert got.status_code == 422 and got.json()["type"] == "/problems#no-photo"
    assert "field 'photo'; photos go into 'file'" in got.json()["detail"]


def test_what_is_no_http_is_answered_with_a_problem(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        status, headers, body = answer(connection)
        assert status == 400 and headers["content-type"] == MEDIA_TYPE
        assert json.loads(body)["type"] == "/problems#bad-request"
        assert is_closed(connection)


def test_a_client_that_asks_first_sends_no_body_in_vain(served: Served) -> None:
    for kind, first in (("image/jpeg", 100), ("text/plain", 415)):
        with served.connect() as connection:
            length = str(len(JPEG))
            asked = {"Content_Length": length, "Content_Type": kind, "Expect": "100-continue"}
            connection.sendall(head(**asked))
            assert answer(connection)[0] == first
            if first == 100:
                connection.sendall(JPEG)
                assert answer(connection)[0] == 200


def test_names_of_files_are_given_back_and_never_used(served: Served, tmp_path: Path) -> None:
    here = tmp_path / "stays.jpg"
    here.write_bytes(b"here")
    names = ["../../../../etc/passwd", str(here), "C:\\con", "a\x07b", "ö 東京.jpg", "x" * 3000]
    form = [("file", (name, photo(RED))) for name in names]
    got = served.client.post("/v1/predict", files=form).json()["photos"]
    assert [one["guesses"][0]["name"] for one in got] == ["Uluru"] * len(names)
    assert [one["photo"] for one in got[:2]] == names[:2]
    assert got[4]["photo"] == "ö 東京.jpg" and len(got[5]["photo"]) == 255
    assert here.read_bytes() == b"here"


def test_the_log_names_no_photo_and_no_place(served: Served) -> None:
    form = {"file": ("secret-honeymoon.jpg", photo(RED))}
    got = served.client.post("/v1/predict?x=secret-query", files=form)
    line = served.said("request", id=got.headers["x-request-id"])
    assert line["route"] == "/v1/predict" and line["status"] == 200 and line["photos"] == 1
    assert line["bytes"] > len(photo(RED)) and line["ms"] > 0
    served.client.get("/secret-path")
    served.said("request", status=404)
    log = "".join(served.lines)
    assert not re.search("secret|Uluru|131.03|127.0.0.1:[^0-9]", log)
    assert all({"time", "level", "event"} <= event.keys() for event in served.events)


def test_the_metrics_count_requests_photos_and_batches(served: Served) -> None:
    def counts() -> list[float]:
        predict = {"route": "/v1/predict"}
        return [
            served.metric("landmarks_requests_total", status="200", **predict),
            served.metric("landmarks_request_seconds_count", **predict),
            served.metric("landmarks_photos_total", decision="named"),
            served.metric("landmarks_photos_total", decision="unreadable"),
            served.metric("landmarks_batch_photos_sum"),
            served.metric("landmarks_stage_seconds_count", stage="decode"),
        ]

    before = counts()
    served.predict(photo(RED), b"no photo", photo(GREEN))
    assert [b - a for a, b in zip(before, counts(), strict=True)] == [1, 1, 2, 1, 2, 3]
    version = served.client.get("/readyz").json()["model"]
    assert served.metric("landmarks_model", version=version) == 1
    assert served.metric("landmarks_queue_photos") == served.metric("landmarks_queue_bytes") == 0
    assert math.isclose(served.metric("landmarks_connections"), 1, abs_tol=1)


def test_a_lone_client_waits_for_no_timer_of_tcp(served: Served) -> None:
    """Nagle's algorithm and delayed acknowledgements make forty milliseconds of each answer."""
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    seconds = []
    with served.connect() as connection:
        for _ in range(100):
            started = time.perf_counter()
            connection.sendall(request)
            assert answer(connection)[0] == 200
            seconds.append(time.perf_counter() - started)
    # A new connection acknowledges at once for a while; a busy machine lengthens some, not most.
    assert sorted(seconds[50:])[12] < 0.03


def test_openapi_describes_every_answer_with_an_example(served: Served) -> None:
    schema = served.client.get("/openapi.json").json()
    assert schema["openapi"].startswith("3.1")
    predict = schema["paths"]["/v1/predict"]["post"]
    assert set(predict["requestBody"]["content"]) == {
        "multipart/form-data", "image/*", "application/octet-stream",
    }  # fmt: skip
    for status, told in predict["responses"].items():
        if status == "200":
            assert told["content"]["application/json"]["schema"]["$ref"].endswith("/Answers")
            continue
        shown = told["content"][MEDIA_TYPE]["examples"]
        assert all(one["value"]["status"] == int(status) for one in shown.values())
    assert schema["components"]["schemas"]["Answers"]["examples"]
    assert "ProblemBody" in schema["components"]["schemas"]
    assert served.client.get("/docs").status_code == 404, "its page would fetch scripts"
