"""One reading of a file that lies elsewhere, from a given byte on: HTTP, or what fsspec knows."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fsspec
import requests
import urllib3
from fsspec.registry import known_implementations

from landmarks.data.partial import Identity
from landmarks.errors import LandmarksError

_CHUNK = 64 << 10
_LATER = (408, 425, 429, 500, 502, 503, 504)
_MARKS = ("ETag", "etag", "version_id", "generation", "mtime", "LastModified", "last_modified")


def local_copy(variable: str, file: str) -> str:
    """Return the advice to name a file of this machine."""
    command = f"make preset NAME=… {variable}=/path/to/{file}"
    return f"Or give a local copy: `{command}`, with what else you set."


LOCAL_COPY = local_copy("SOURCE", "landmark_images.zip")
_COPY_AGAIN = "Look into it, or copy it again."


class Hiccup(Exception):
    """This reading failed, another may not; `wait` is how many seconds the server asks for."""

    def __init__(self, reason: str, wait: float = 0) -> None:
        super().__init__(reason)
        self.wait = wait


class Changed(Hiccup):
    """The file is no longer the one that the bytes so far belong to: start over."""


@dataclass(frozen=True)
class Reply:
    """An answer: which version of the file, and its bytes from `start` to its end."""

    identity: Identity
    start: int
    chunks: Iterable[bytes]


def shown(source: str) -> str:
    """Return a source without the secrets that a URL may carry: password and query."""
    url = urlsplit(source)
    if not (url.username or url.password or (url.query and url.scheme.startswith("http"))):
        return source
    return url._replace(netloc=url.netloc.rpartition("@")[2], query="").geturl()


def local(source: str) -> Path:
    """Return what a source is as a path of this machine; `~` is a home.

    Raises:
        LandmarksError: it is neither a path nor an address.
    """
    try:
        urlsplit(source)
        return Path(source).expanduser()
    except RuntimeError as error:
        raise LandmarksError(
            f"{source}: nobody of this name has a home here",
            hint="Give an absolute path in `download` in params.yaml.",
        ) from error
    except ValueError as error:  # a bad host; it may hold a password
        raise LandmarksError(
            f"an address in `download` cannot be understood: {_reason(error)}",
            hint="Check `download` in params.yaml.",
        ) from error


def advice(source: str, elsewhere: str) -> str:
    """Return what to do about a wrong file: `elsewhere` and a local copy, if it is not local."""
    return f"{elsewhere} {LOCAL_COPY}" if "://" in source else _COPY_AGAIN


@contextmanager
def reading(source: str, offset: int, known: Identity, timeout: float) -> Iterator[Reply]:
    """Open `source` at byte `offset` if it still is the `known` version, else at its start.

    Args:
        timeout: seconds without a byte after which the connection counts as lost.

    Raises:
        Hiccup: trying again may help; also from reading the chunks.
        LandmarksError: it does not.
    """
    http = urlsplit(source).scheme.lower() in ("http", "https")
    opened = _http(source, offset, known, timeout) if http else _other(source, offset, known)
    with opened as reply:
        yield reply


@contextmanager
def _http(url: str, offset: int, known: Identity, timeout: float) -> Iterator[Reply]:
    """RFC 9110, sections 13.1.5 (If-Range), 14 (ranges) and 15.5.17 (416)."""
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if known.mark:
            headers["If-Range"] = known.mark
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
            yield _http_reply(response, offset, known)
    except requests.exceptions.SSLError as error:
        if "CERTIFICATE_VERIFY_FAILED" not in str(error):
            raise Hiccup(_reason(error)) from error
        raise LandmarksError(
            f"{shown(url)}: the server's certificate is not trusted: {_reason(error)}",
            hint=f"Check the machine's clock and proxy. {LOCAL_COPY}",
        ) from error
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise Hiccup(f"nothing came for {timeout:g} s") from error
    except (
        requests.ConnectionError,
        requests.exceptions.ChunkedEncodingError,
        urllib3.exceptions.HTTPError,
    ) as error:
        raise Hiccup(_reason(error)) from error
    except requests.RequestException as error:
        raise LandmarksError(
            f"{shown(url)} cannot be read: {_reason(error)}",
            hint="Check `download` in params.yaml.",
        ) from error


def _http_reply(response: requests.Response, offset: int, known: Identity) -> Reply:
    status, headers = response.status_code, response.headers
    if status in _LATER:
        raise Hiccup(f"the server answers {status} {response.reason}", _retry_after(headers))
    if status == 200:
        packed = headers.get("Content-Encoding", "identity") != "identity"
        size = None if packed else _number(headers.get("Content-Length"))
        identity = Identity(size, "" if packed else _validator(headers))
        return Reply(identity, 0, _body(response, decode=packed))
    span = headers.get("Content-Range", "")
    if status == 416 and offset:
        # Nothing lies behind the bytes that are here. They are the file if it ends there.
        if span.replace(" ", "") == f"bytes*/{offset}":
            return Reply(Identity(offset, known.mark), offset, ())
        raise Changed("the file has become shorter")
    if status == 206 and offset:
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", span.strip())
        if not found or int(found[1]) != offset:
            raise Changed(f"asked for byte {offset} and what follows, the server sent {span!r}")
        identity = Identity(_number(found[3]) or known.size, _validator(headers) or known.mark)
        if identity != Identity(known.size or identity.size, known.mark):
            raise Changed("the file changed on the server")
        return Reply(identity, offset, _body(response, decode=False))
    hint = "Check the address: `download` in params.yaml."
    if status in (401, 403, 407):
        hint = "It wants a login: fetch the file with a browser."
    raise LandmarksError(
        f"{shown(response.url)}: the server answers {status} {response.reason}",
        hint=f"{hint} {LOCAL_COPY}",
    )


def _body(response: requests.Response, *, decode: bool) -> Iterator[bytes]:
    return response.raw.stream(_CHUNK, decode_content=decode)


def _validator(headers: Mapping[str, str]) -> str:
    """Return what If-Range takes: a strong ETag or else the date of the last change."""
    tag = headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _retry_after(headers: Mapping[str, str]) -> float:
    text = headers.get("Retry-After", "")
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0


def _reason(error: BaseException) -> str:
    """Return what lies at the bottom of wrapped errors, e.g. `Connection refused`."""
    while deeper := error.__cause__ or error.__context__:
        error = deeper
    if isinstance(error, urllib3.exceptions.IncompleteRead):
        return "the connection ended too early"
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return said.rstrip(".") or type(error).__name__


@contextmanager
def _other(source: str, offset: int, known: Identity) -> Iterator[Reply]:
    files, path = _filesystem(source)
    with _translated(source):
        identity = _identity(files, path, source)
        start = offset if identity == known else 0
        file = files.open(path, "rb")
        file.seek(start)
    with file:
        yield Reply(identity, start, _pieces(file, source))
    with _translated(source):
        files.invalidate_cache()
        if _identity(files, path, source) != identity:
            raise Changed("the file changed while it was read")


def _pieces(file: Any, source: str) -> Iterator[bytes]:
    while True:
        with _translated(source):
            chunk = file.read(_CHUNK)
        if not chunk:
            return
        yield chunk


@contextmanager
def _translated(source: str) -> Iterator[None]:
    """Each backend of fsspec has exceptions of its own: tell lasting ones from hiccups."""
    try:
        yield
    except (LandmarksError, Hiccup):
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise LandmarksError(
            f"{shown(source)} is missing", hint="Check `download` in params.yaml."
        ) from None
    except PermissionError as error:
        raise LandmarksError(
            f"{shown(source)} may not be read: {_reason(error)}",
            hint="Check its permissions, or the credentials of the storage.",
        ) from error
    except Exception as error:
        raise Hiccup(_reason(error)) from error


def _identity(files: Any, path: str, source: str) -> Identity:
    facts = files.info(path)
    if facts.get("type") == "directory":
        raise LandmarksError(
            f"{shown(source)} is a folder", hint="Name one file, or a folder of this machine."
        )
    marks = [str(facts[key]) for key in _MARKS if facts.get(key) is not None]
    return Identity(facts.get("size"), " ".join(marks))


def _filesystem(source: str) -> tuple[Any, str]:
    protocol = source.partition("://")[0] if "://" in source else "file"
    try:
        files, path = fsspec.core.url_to_fs(source)
    except ImportError as error:
        module = str(known_implementations.get(protocol, {}).get("class", "")).partition(".")[0]
        package = "" if module in ("", "fsspec") else f"`.venv/bin/pip install {module}`, then"
        raise LandmarksError(
            f"{shown(source)}: reading {protocol}:// needs another package: {error}",
            hint=f"Run {package or 'pip for the package it names, then'} the same command again.",
        ) from error
    except ValueError as error:
        raise LandmarksError(
            f"{shown(source)}: {error}",
            hint="`download` takes http, https, s3, gs, abfs, ssh and what else fsspec reads.",
        ) from error
    return files, path
