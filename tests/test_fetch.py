"""Downloads from servers that behave, and from servers that do not: all on the loopback."""

import hashlib
import io
import socket
import tarfile
import time
from pathlib import Path

import pytest
from loopback import (
    CONTENT,
    CUT,
    HASTE,
    OTHER,
    Bring,
    Request,
    Site,
    breaks,
    fetching,
    packed,
    serving,
)

from landmarks.data.fetch import Patience
from landmarks.errors import LandmarksError

site = pytest.fixture(serving)
bring = pytest.fixture(fetching)


def test_a_whole_download_leaves_nothing_else(site: Site, bring: Bring, tmp_path: Path) -> None:
    assert bring(site.url) == CONTENT
    assert site.asked == [""]
    assert not list((tmp_path / "state").glob("*.part"))
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["landmark_images.zip"]


def test_a_broken_connection_continues_where_it_broke(site: Site, bring: Bring) -> None:
    site.answers = [breaks(), breaks(400_000), Request.right]
    assert bring(site.url) == CONTENT
    assert site.asked[0] == ""
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in site.asked[1:]]
    assert CUT - 70_000 < starts[0] <= CUT < starts[1] <= 400_000


def test_a_connection_that_breaks_often_still_ends(site: Site, bring: Bring) -> None:
    """More breaks than tries, but each brings a megabyte."""
    site.content = packed(seed=3, photos=80)
    cuts = range(1_200_000, len(site.content), 1_200_000)
    assert len(cuts) > HASTE.tries
    site.answers = [*(breaks(cut) for cut in cuts), Request.right]
    assert bring(site.url) == site.content


def test_a_server_without_ranges_starts_over(site: Site, bring: Bring) -> None:
    site.answers = [breaks(), lambda request: request.right(ranges=False)]
    assert bring(site.url) == CONTENT


def test_without_a_mark_nothing_is_continued(site: Site, bring: Bring) -> None:
    """No ETag, no date: another file of the same size could not be told from this one."""

    def another(request: Request) -> None:
        site.content = OTHER
        request.right(marked=False)

    site.answers = [lambda request: request.right(until=CUT, marked=False), another]
    assert bring(site.url) == OTHER
    assert site.asked == ["", ""]


def test_without_a_mark_but_with_a_checksum_parts_that_do_not_fit_are_noticed(
    site: Site, bring: Bring
) -> None:
    def another(request: Request) -> None:
        site.content = OTHER
        request.right(marked=False)

    site.answers = [lambda request: request.right(until=CUT, marked=False), another]
    assert bring(site.url, hashlib.sha256(OTHER).hexdigest()) == OTHER
    assert len(site.asked) == 3 and site.asked[1] and not site.asked[2]


@pytest.mark.parametrize("obeys", [True, False], ids=["If-Range obeyed", "If-Range ignored"])
def test_a_file_that_changes_between_two_ranges_starts_over(
    site: Site, bring: Bring, obeys: bool
) -> None:
    def another(request: Request) -> None:
        site.content = OTHER
        if not obeys:
            del request.headers["If-Range"]
        request.right()

    site.answers = [breaks(), another]
    assert bring(site.url) == OTHER
    assert len(site.asked) == (2 if obeys else 3)


def test_a_stalled_server_is_left_and_asked_again(site: Site, bring: Bring) -> None:
    def stall(request: Request) -> None:
        request.right(until=CUT)
        time.sleep(3)

    site.answers = [stall, Request.right]
    began = time.monotonic()
    assert bring(site.url) == CONTENT
    assert 0.5 <= time.monotonic() - began < 2.5
    assert site.asked[1]


def test_a_length_that_is_too_long_is_seen_through(site: Site, bring: Bring) -> None:
    site.answers = [lambda request: request.right(lie=1000), Request.right]
    assert bring(site.url) == CONTENT


def test_a_server_that_always_says_too_much_is_given_up(site: Site, bring: Bring) -> None:
    site.answers = [lambda request: request.right(lie=1000, ranges=False)]
    with pytest.raises(LandmarksError, match="ended too early; 4 tries failed"):
        bring(site.url)
    assert len(site.asked) == HASTE.tries


def test_a_length_that_is_too_short_gives_no_half_archive(
    site: Site, bring: Bring, tmp_path: Path
) -> None:
    site.answers = [lambda request: request.right(lie=-CUT)]
    with pytest.raises(LandmarksError, match="no whole zip"):
        bring(site.url)
    assert not (tmp_path / "data" / "landmark_images.zip").exists()
    site.answers = [Request.right]
    assert bring(site.url) == CONTENT


@pytest.mark.parametrize("code", [401, 403, 404, 410, 416])
def test_an_answer_that_will_not_change_is_told_at_once(
    site: Site, bring: Bring, code: int
) -> None:
    site.answers = [lambda request: request.status(code)]
    with pytest.raises(LandmarksError, match=f"answers {code}.*make preset"):
        bring(site.url)
    assert len(site.asked) == 1


def test_416_for_a_part_of_another_file_starts_over(site: Site, bring: Bring) -> None:
    """With a tar, as half a zip would be noticed anyway."""
    with tarfile.open(fileobj=(buffer := io.BytesIO()), mode="w") as archive:
        photo = tarfile.TarInfo("a/1.jpg")
        photo.size = len(CONTENT)
        archive.addfile(photo, io.BytesIO(CONTENT))
    site.content = buffer.getvalue()
    span = {"Content-Range": "bytes */5"}
    site.answers = [breaks(), lambda request: request.status(416, span), Request.right]
    assert bring(site.url) == site.content
    assert site.asked[2] == ""


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(site: Site, bring: Bring, code: int) -> None:
    site.answers = [lambda request: request.status(code), Request.right]
    assert bring(site.url) == CONTENT


def test_a_server_that_stays_broken_is_given_up(site: Site, bring: Bring) -> None:
    site.answers = [lambda request: request.status(500)]
    with pytest.raises(LandmarksError, match="answers 500.*4 tries failed.*SOURCE="):
        bring(site.url)
    assert len(site.asked) == HASTE.tries


def test_retry_after_is_waited_for(site: Site, bring: Bring) -> None:
    site.answers = [lambda request: request.status(503, {"Retry-After": "1"}), Request.right]
    began = time.monotonic()
    assert bring(site.url, patience=Patience(tries=2, first_wait=0.01)) == CONTENT
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize("wait", ["3600", "Wed, 01 Jan 2200 00:00:00 GMT"])
def test_a_server_that_asks_for_too_long_a_wait_is_given_up(
    site: Site, bring: Bring, wait: str
) -> None:
    site.answers = [lambda request: request.status(503, {"Retry-After": wait})]
    with pytest.raises(LandmarksError, match="asks to wait [0-9,]{5,} s"):
        bring(site.url)
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<!DOCTYPE html><html>" + b" " * 1_000_000, "a web page"),
        (b"  <html>short</html>", "a web page"),
        (b"", "empty"),
        (b"\xff\xd8\xff" + b"x" * 5000, "another file"),
    ],
    ids=["page", "short page", "empty", "photo"],
)
def test_what_is_no_archive_is_refused_early(
    site: Site, bring: Bring, tmp_path: Path, body: bytes, said: str
) -> None:
    site.answers = [lambda request: request.status(200, body=body)]
    with pytest.raises(LandmarksError, match=f"no zip or tar archive but {said}"):
        bring(site.url)
    assert not (tmp_path / "data" / "landmark_images.zip").exists()
    site.answers = [Request.right]
    assert bring(site.url) == CONTENT


def test_redirects_are_followed(site: Site, bring: Bring) -> None:
    site.answers = [
        lambda request: request.status(302, {"Location": site.url + "?again"}),
        Request.right,
    ]
    assert bring(site.url) == CONTENT


def test_no_network_says_how_to_give_a_local_copy(bring: Bring) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(LandmarksError) as caught:
        bring(f"http://user:secret@127.0.0.1:{port}/landmark_images.zip?signature=secret")
    assert "refused" in str(caught.value)
    assert "make preset NAME=… SOURCE=/path/to/landmark_images.zip" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_unknown_host_is_named(bring: Bring) -> None:
    with pytest.raises(LandmarksError, match="nowhere.invalid"):
        bring("https://nowhere.invalid/landmark_images.zip")


def test_the_right_checksum_passes_and_a_wrong_one_is_told(
    site: Site, bring: Bring, tmp_path: Path
) -> None:
    right = hashlib.sha256(CONTENT).hexdigest()
    assert bring(site.url, right) == CONTENT
    site.content = OTHER
    with pytest.raises(
        LandmarksError, match=f"expected.*{hashlib.sha256(OTHER).hexdigest()}|{right}"
    ):
        bring(site.url, right)
    assert (tmp_path / "data" / "landmark_images.zip").read_bytes() == CONTENT, "kept as it was"
    assert len(site.asked) == 2, "a file that came in one go is not asked for twice"
