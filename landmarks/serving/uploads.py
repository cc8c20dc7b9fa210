"""From the body of a request to the bytes of its photos: in memory, never on the disk.

Starlette's own form parser puts larger files into temporary ones, so it is not used.
"""

import asyncio
import io
from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from landmarks.serving.problems import Problem
from landmarks.serving.queue import Held
from landmarks.serving.settings import Settings

MULTIPART = "multipart/form-data"
FILE, TOP_K = "file", "top_k"
RAW = ("image/", "application/octet-stream")
ACCEPTED = f"{MULTIPART}, image/*, application/octet-stream"

_LONGEST_FIELD = 1_000
_LONGEST_HEAD = 4_096
_LONGEST_NAME = 255
_MOST_PARAMETERS = 64
_CLOSE = {"Connection": "close"}


@dataclass
class Photo:
    """A file of a request; `name` is what the client called it, and never used as a path."""

    name: str | None
    content: bytes


@dataclass
class Upload:
    """What a request holds; `top_k` is the form's field, as it came."""

    photos: list[Photo] = field(default_factory=list)
    top_k: str | None = None


async def read(request: Request, settings: Settings, held: Held) -> Upload:
    """Read the body of a request.

    Raises:
        Problem: a type that is not read, too large, too slow, no form, or the client is gone.
    """
    content_type = request.headers.get("content-type") or RAW[1]
    if content_type.count(";") > _MOST_PARAMETERS:
        raise _unsupported("The content type has too many parameters.")
    kind, options = parse_options_header(content_type)
    media_type = kind.decode("latin-1").lower()
    encoding = request.headers.get("content-encoding", "identity").lower()
    if media_type != MULTIPART and not media_type.startswith(RAW):
        raise _unsupported(f"The body is {media_type[:100]!r}.")
    if encoding != "identity":
        raise _unsupported(f"The body is encoded as {encoding[:100]!r}.")
    if media_type == MULTIPART:
        form = _Form(options.get(b"boundary", b""), settings, held)
        try:
            await _receive(request, form.write, settings, held)
            return form.upload()
        finally:
            form.close()
    body = io.BytesIO()
    await _receive(request, body.write, settings, held, settings.max_file_bytes)
    held.add(photos=1)
    return Upload([Photo(None, body.getvalue())])


def check_length(request: Request, settings: Settings) -> int:
    """Return the length that the request announces, 0 if none.

    Raises:
        Problem: it is more than a request may have.
    """
    # The server has checked that it is a number; bodies in chunks have none.
    length = int(request.headers.get("content-length", 0))
    if length > settings.max_request_bytes:
        raise _too_large("request", settings.max_request_bytes)
    return length


async def _receive(
    request: Request,
    write: Callable[[bytes], object],
    settings: Settings,
    held: Held,
    most: int | None = None,
) -> None:
    """Hand the body on as it arrives, within the limits of size and time."""
    most = most or settings.max_request_bytes
    what = "photo" if most == settings.max_file_bytes else "request"
    loop = asyncio.get_running_loop()
    end = loop.time() + settings.upload_seconds
    size, more = 0, True
    try:
        async with asyncio.timeout(None) as patience:
            while more:
                patience.reschedule(min(end, loop.time() + settings.idle_seconds))
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise Problem("client-gone", "The client went away while it sent.")
                piece, more = message.get("body", b""), message.get("more_body", False)
                size += len(piece)
                if size > most:
                    raise _too_large(what, most)
                held.add(count=len(piece))
                if piece:
                    write(piece)
    except TimeoutError:
        raise Problem(
            "slow-upload",
            f"It must be whole after {settings.upload_seconds:g} seconds and never stand still "
            f"for {settings.idle_seconds:g}; {size:,} bytes came.",
            _CLOSE,
        ) from None


class _Form:
    """Collects the parts of a form as the parser finds them."""

    def __init__(self, boundary: bytes, settings: Settings, held: Held) -> None:
        self._settings = settings
        self._held = held
        self._upload = Upload()
        self._whole = False
        self._header = self._value = b""
        self._disposition = b""
        self._head = 0
        self._field = ""
        self._name: str | None = None
        self._data = io.BytesIO()
        if not boundary:
            raise Problem("bad-form", "The content type names no boundary.")
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_end,
                    "on_part_data": self._part_data,
                    "on_part_end": self._part_end,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise _bad_form(error) from error

    def write(self, piece: bytes) -> None:
        """Take the next bytes of the body."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _bad_form(error) from error

    def upload(self) -> Upload:
        """Return what was in the form, once all of it came.

        Raises:
            Problem: it was cut off, or has no photo.
        """
        if not self._whole:
            raise Problem("bad-form", "The form ends before its closing boundary.")
        if not self._upload.photos:
            raise Problem("no-photo", f"The form has no field {FILE!r}.")
        return self._upload

    def close(self) -> None:
        """Let go of all bytes now: in the circle of form and parser they would linger."""
        self._parser.callbacks = {}
        self._data, self._upload = io.BytesIO(), Upload()

    def _begin(self) -> None:
        self._header = self._value = self._disposition = b""
        self._head = 0
        self._data = io.BytesIO()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def _count(self, more: int) -> None:
        self._head += more
        if self._head > _LONGEST_HEAD:
            raise Problem("bad-form", f"The headers of a part exceed {_LONGEST_HEAD:,} bytes.")

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _headers_end(self) -> None:
        if self._disposition.count(b";") > _MOST_PARAMETERS:
            raise Problem("bad-form", "A part of the form has too many parameters.")
        _, options = parse_options_header(self._disposition)
        self._field = options.get(b"name", b"").decode("utf-8", "replace")
        name = options.get(b"filename")
        self._name = name.decode("utf-8", "replace")[:_LONGEST_NAME] if name else None
        self._check_field()

    def _check_field(self) -> None:
        """Refuse a part that no form may have; so the number of parts is bounded, too."""
        if self._field not in (FILE, TOP_K):
            raise Problem(
                "no-photo",
                f"The form has a field {self._field[:100]!r}; "
                f"photos go into {FILE!r}, the number of guesses into {TOP_K!r}.",
            )
        if self._field == TOP_K and self._upload.top_k is not None:
            raise Problem("bad-form", f"The form has the field {TOP_K!r} twice.")
        if self._field == FILE and len(self._upload.photos) == self._settings.max_files:
            raise Problem("too-large", f"The form has more than {self._settings.max_files} photos.")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        photo = self._field == FILE
        most = self._settings.max_file_bytes if photo else _LONGEST_FIELD
        if self._data.tell() + end - start > most:
            raise _too_large("photo" if photo else f"field {TOP_K!r}", most)
        self._data.write(memoryview(data)[start:end])

    def _part_end(self) -> None:
        content = self._data.getvalue()
        self._data = io.BytesIO()
        if self._field == FILE:
            self._held.add(photos=1)  # only now: who sends slowly takes nobody's place
            self._upload.photos.append(Photo(self._name, content))
        else:
            self._upload.top_k = content.decode("utf-8", "replace")

    def _end(self) -> None:
        self._whole = True


def _too_large(what: str, most: int) -> Problem:
    return Problem("too-large", f"The {what} has more than {most:,} bytes.")


def _unsupported(detail: str) -> Problem:
    return Problem("unsupported-type", detail, {"Accept-Post": ACCEPTED})


def _bad_form(error: Exception) -> Problem:
    return Problem("bad-form", f"The form breaks off: {error}.")
