"""What the settings bound: bytes, files, pixels, time, keys and use; and what they may not be."""

import hmac
import io
import json
import socket
import time
import zlib
from collections.abc import Iterator

import pytest
from PIL import Image
from served import Served, answer, eventually, head, is_closed, picture, service
from tag_folder import RED, photo

from landmarks.serving.access import MOST_CLIENTS, Keys, Rate
from landmarks.serving.problems import Problem

MOST, HASTE = 60_000, 1.5
KEY, OTHER = "k" * 20, "other-key-0123456789"


@pytest.fixture(scope="module")
def tight() -> Iterator[Served]:
    with service(
        max_file_bytes=MOST,
        max_request_bytes=2 * MOST,
        max_files=3,
        max_pixels=100_000,
        queue_photos=4,
        api_keys=f"{KEY}, {OTHER}",
    ) as running:
        running.client.headers["authorization"] = f"Bearer {KEY}"
        yield running


@pytest.fixture(scope="module")
def hasty() -> Iterator[Served]:
    with service(header_seconds=HASTE, idle_seconds=HASTE, upload_seconds=HASTE) as running:
        yield running


def padded(size: int) -> bytes:
    """Return a photo of so many bytes: what follows a JPEG is ignored."""
    content = photo(RED)
    return content + b"\0" * (size - len(content))


def test_a_photo_may_have_so_many_bytes_and_not_one_more(tight: Served) -> None:
    octets = {"content-type": "image/jpeg"}
    for size, status in ((MOST, 200), (MOST + 1, 413)):
        form = tight.predict(padded(size))
        raw = tight.client.post("/v1/predict", content=padded(size), headers=octets)
        assert form.status_code == raw.status_code == status
        assert status == 200 or form.json()["detail"] == "The photo has more than 60,000 bytes."
        assert status == 200 or raw.json()["detail"] == form.json()["detail"]


def test_a_request_may_have_so_many_bytes_and_files(tight: Served) -> None:
    assert tight.predict(*[photo(RED)] * 3).status_code == 200
    many = tight.predict(*[photo(RED)] * 4)
    assert many.status_code == 413 and "more than 3 photos" in many.json()["detail"]
    large = tight.predict(*[padded(MOST)] * 2)
    assert large.status_code == 413 and "The request has more" in large.json()["detail"]


FORM = {"content-type": "multipart/form-data; boundary=b"}
PART = b'--b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n1\r\n'
HOSTILE = [
    (PART % (b"top_k", b""), "twice"),
    (PART % (b"top_k", b";" * 3500), "parameters"),
    (PART % (b"file", b";a=b" * 900), "parameters"),
    (PART % (b"file", b"\r\nX-More: " + b"x" * 4_090), "headers of a part"),
]


@pytest.mark.parametrize(("part", "said"), HOSTILE, ids=["twice", "empty", "many", "long"])
def test_a_form_made_to_be_slow_to_read_is_refused_and_counted(part: bytes, said: str) -> None:
    with service(rate_per_minute=1, rate_burst=3) as served:
        for _ in range(3):  # each counts as a photo
            body = part * (1_500_000 // len(part))
            got = served.client.post("/v1/predict", content=body, headers=FORM)
            assert got.status_code == 400 and said in got.json()["detail"]
            assert got.json()["type"] == "/problems#bad-form"
        assert served.predict(photo(RED)).status_code == 429


def test_a_content_type_made_to_be_slow_to_read_is_refused(tight: Served) -> None:
    headers = {"content-type": "image/jpeg" + ";" * 10_000}
    got = tight.client.post("/v1/predict", content=photo(RED), headers=headers)
    assert got.status_code == 415 and "parameters" in got.json()["detail"]


def test_who_is_refused_for_want_of_room_or_goes_away_may_come_again() -> None:
    """With one photo a minute, neither counts."""
    sizes = dict.fromkeys(("max_file_bytes", "max_request_bytes", "queue_bytes"), MOST)
    with service(None, **sizes, rate_per_minute=1, rate_burst=1) as served:
        with served.connect() as first:
            first.sendall(head(Content_Length=str(MOST)) + bytes(MOST - 1))
            eventually(lambda: served.metric("landmarks_queue_bytes") == MOST - 1)
            octets = {"content-type": "image/jpeg"}
            got = served.client.post("/v1/predict", content=iter([photo(RED)]), headers=octets)
            assert got.status_code == 503
        eventually(lambda: served.metric("landmarks_queue_bytes") == 0)
        assert served.predict(photo(RED)).status_code == 200
        assert served.predict(photo(RED)).status_code == 429


def test_bytes_count_whatever_is_announced(tight: Served) -> None:
    """A body in chunks announces no length."""

    def pieces() -> Iterator[bytes]:
        for _ in range(MOST):
            yield b"\xff" * 1000

    headers = {"content-type": "image/jpeg"}
    got = tight.client.post("/v1/predict", content=pieces(), headers=headers)
    assert got.status_code == 413 and "more than 60,000 bytes" in got.json()["detail"]


def test_an_announced_length_is_refused_before_the_body_comes(tight: Served) -> None:
    with tight.connect() as connection:
        connection.sendall(head(Content_Length="100000000", Authorization=f"Bearer {KEY}"))
        status, _, body = answer(connection)
        assert status == 413 and b"The request has more than 120,000 bytes" in body


def test_a_photo_may_have_so_many_pixels(tight: Served) -> None:
    for size, status in (((400, 250), 200), ((400, 251), 422)):
        buffer = io.BytesIO()
        Image.new("RGB", size, RED).save(buffer, "PNG")
        got = tight.predict(buffer.getvalue())
        assert got.status_code == status
    assert got.json()["photos"][0]["problem"]["reason"] == "too many pixels"
    assert "400 x 251" in got.json()["detail"]


def test_an_upload_that_stands_still_is_ended() -> None:
    with service(idle_seconds=1, upload_seconds=3600) as served:
        with served.connect() as connection:
            connection.sendall(head(Content_Length="1000", Content_Type="image/jpeg") + b"x" * 10)
            status, _, body = answer(connection)
        assert status == 408 and b"stand still for 1; 10 bytes came" in body


def test_who_sends_too_slowly_is_told_and_let_go(hasty: Served) -> None:
    """A byte now and then never stands still: it ends all the same, and held no place."""
    with hasty.connect() as connection:
        connection.sendall(head(Content_Length="1000", Content_Type="image/jpeg"))
        connection.settimeout(0.05)
        started, received = time.monotonic(), b""
        while not received and time.monotonic() < started + 60:
            connection.sendall(b"x")
            try:
                received = connection.recv(1, socket.MSG_PEEK)
            except TimeoutError:
                assert hasty.metric("landmarks_queue_photos") == 0
        connection.settimeout(60)
        status, headers, body = answer(connection)
        assert status == 408 and headers["connection"] == "close"
        assert json.loads(body)["type"] == "/problems#slow-upload"
        assert is_closed(connection)


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("start", [b"", b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nX-A: "])
def test_a_request_that_never_begins_is_ended(hasty: Served, start: bytes, before: int) -> None:
    """Neither the first on a connection, nor one after another."""
    with hasty.connect() as connection:
        for _ in range(before):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer(connection)[0] == 200
        connection.settimeout(0.1)
        connection.sendall(start)
        ended = False
        for _ in range(600):
            try:
                ended = is_closed(connection)
                break
            except TimeoutError:
                if start:
                    connection.sendall(b"a")  # it goes on, letter by letter
        assert ended


def test_an_idle_connection_between_requests_may_stay_a_while(hasty: Served) -> None:
    with hasty.connect() as connection:
        for _ in range(2):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer(connection)[0] == 200
            time.sleep(1.2 * HASTE)  # longer than the head of a request may take


def test_more_connections_than_allowed_are_told_so() -> None:
    with service(max_connections=3) as served:
        held = [served.connect() for _ in range(3)]
        for connection in held:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer(connection)[0] == 200
        with served.connect() as one_more:
            status, headers, body = answer(one_more)
            assert status == 503 and headers["retry-after"] == "1"
            assert json.loads(body)["type"] == "/problems#overloaded"
        held.pop().close()
        assert served.client.get("/healthz").status_code == 200


@pytest.mark.parametrize("announced", [True, False])
def test_bytes_of_all_requests_together_are_bounded(announced: bool) -> None:
    with service(max_file_bytes=MOST, max_request_bytes=MOST, queue_bytes=MOST) as served:
        with served.connect() as first:
            first.sendall(head(Content_Length=str(MOST)) + bytes(MOST - 1))
            eventually(lambda: served.metric("landmarks_queue_bytes") == MOST - 1)
            headers = {"content-type": "image/jpeg"}
            sent = photo(RED) if announced else iter([photo(RED)])
            refused = served.client.post("/v1/predict", content=sent, headers=headers)
            assert refused.status_code == 503 and int(refused.headers["retry-after"]) >= 1
            first.sendall(b"x")
            assert answer(first)[0] == 422
        assert served.predict(photo(RED)).status_code == 200


def test_photos_that_need_much_memory_take_turns_and_most_are_refused() -> None:
    """5 megapixels of PNG need 45 MB; each of two decoders has 15, the large one 30."""
    half, whole = picture("PNG", (1500, 2000)), picture("PNG", (2000, 2500))
    with service(decode_memory_bytes=60_000_000, decode_threads=2) as served:
        assert served.predict(half).status_code == 200
        refused = served.predict(whole)
        assert refused.status_code == 422
        assert refused.json()["photos"][0]["problem"]["reason"] == "too many pixels"


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    large = picture("PNG", (2000, 2000))
    with service(answer_seconds=0.02, decode_threads=1) as served:
        got = served.predict(*[large] * 4)
        assert got.status_code == 503 and int(got.headers["retry-after"]) >= 1
        assert "in time" in got.json()["detail"]
        assert served.metric("landmarks_queue_photos") == 0
        assert served.client.get("/readyz").status_code == 200


@pytest.mark.parametrize("given", [None, "Bearer", f"Bearer {KEY}x", f"Basic {KEY}", KEY])
def test_without_a_valid_key_nothing_is_told(tight: Served, given: str | None) -> None:
    headers = {"authorization": given} if given else {}
    for method, path in (("POST", "/v1/predict"), ("GET", "/v1/landmarks")):
        got = tight.client.build_request(method, path, headers=headers)
        if given is None:
            del got.headers["authorization"]
        answered = tight.client.send(got)
        assert answered.status_code == 401
        assert answered.headers["www-authenticate"].startswith("Bearer")
        assert answered.json()["type"] == "/problems#no-key"
    assert tight.client.get("/healthz").status_code == 200


def test_each_key_is_let_in_and_the_log_names_its_hash_only(tight: Served) -> None:
    names = set()
    for key in (KEY, OTHER):
        got = tight.client.get("/v1/landmarks", headers={"authorization": f"Bearer {key}"})
        assert got.status_code == 200
        names.add(tight.said("request", id=got.headers["x-request-id"])["key"])
    assert len(names) == 2
    assert KEY not in "".join(tight.lines) and OTHER not in "".join(tight.lines)


def test_the_rate_is_per_key_and_counts_photos() -> None:
    with service(api_keys=f"{KEY} {OTHER}", rate_per_minute=1, rate_burst=2) as served:
        ours, theirs = ({"authorization": f"Bearer {key}"} for key in (KEY, OTHER))
        assert served.predict(*[photo(RED)] * 3, headers=ours).status_code == 200
        got = served.predict(photo(RED), headers=ours)
        assert got.status_code == 429 and 60 < int(got.headers["retry-after"]) <= 120
        assert served.predict(photo(RED), headers=theirs).status_code == 200


def test_what_is_refused_by_its_length_counts_as_a_photo() -> None:
    with service(max_file_bytes=MOST, max_request_bytes=MOST, rate_burst=2, rate_per_minute=1) as (
        served
    ):
        answers = [served.predict(b"x" * 2 * MOST).status_code for _ in range(3)]
    assert answers == [413, 413, 429]


def test_tokens_come_back_with_time_and_few_clients_are_remembered() -> None:
    now = [0.0]
    rate = Rate(60, 2, lambda: now[0])
    rate.check("a")
    rate.charge("a", 4)
    for seconds, passes in ((2.5, False), (3.0, True)):
        now[0] = seconds
        if passes:
            rate.check("a")
        else:
            with pytest.raises(Problem) as refused:
                rate.check("a")
            assert refused.value.headers["Retry-After"] == "1"
    for number in range(MOST_CLIENTS + 5):
        rate.charge(str(number), 9)
    rate.check("a")
    assert len(rate._buckets) == MOST_CLIENTS
    Rate(None, 1).check("anybody")


def test_every_key_is_compared_whichever_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    from pydantic import SecretStr

    seen: list[str] = []
    compare = hmac.compare_digest

    def counted(one: str, other: str) -> bool:
        seen.append(one)
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    keys = Keys([SecretStr(KEY), SecretStr(OTHER)])
    for given in (KEY, OTHER, "neither"):
        seen.clear()
        try:
            keys.name(given)
        except Problem:
            assert given == "neither"
        assert len(seen) == 2


def test_a_bomb_of_zeros_is_no_reason_to_take_its_memory(tight: Served) -> None:
    """A PNG whose text unpacks to a gigabyte is refused by Pillow's own guard."""
    import struct

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    text = zlib.compressobj(9)
    zeros = b"".join(text.compress(b"\0" * 1_000_000) for _ in range(50)) + text.flush()
    size = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"zTXt", b"a\0\0" + zeros)
    before = tight.memory()
    got = tight.predict(bomb)
    assert got.status_code == 422
    assert tight.memory() - before < 40_000_000
