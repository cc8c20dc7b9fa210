"""Every error body of the service, as RFC 9457 says: application/problem+json."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE = "application/problem+json"
CLIENT_GONE = 499
"""What logs and metrics say when nobody waits for the answer any more (nginx's number)."""


@dataclass(frozen=True)
class Kind:
    """A kind of problem: its status, its title, and what to do about it."""

    status: int
    title: str
    advice: str


KINDS = {
    "bad-request": Kind(400, "The request is not valid HTTP", "Use an HTTP client."),
    "bad-form": Kind(
        400, "The form cannot be read", "Send multipart/form-data as RFC 7578 describes it."
    ),
    "no-key": Kind(
        401, "An API key is needed", "Send `Authorization: Bearer <key>` with a key that is valid."
    ),
    "not-found": Kind(404, "There is nothing here", "`/openapi.json` lists what there is."),
    "method-not-allowed": Kind(
        405, "This method is not allowed here", "The header Allow lists those that are."
    ),
    "slow-upload": Kind(
        408, "The photo did not arrive in time", "Send it again, smaller or over a faster line."
    ),
    "too-large": Kind(
        413, "The request is too large", "Send smaller or fewer photos a request."
    ),
    "unsupported-type": Kind(
        415,
        "The body is of no type that is read here",
        "Send multipart/form-data with a field `file`, or the bytes of a photo as image/* or "
        "application/octet-stream.",
    ),
    "bad-parameter": Kind(422, "A parameter is wrong", "The detail says which it is."),
    "no-photo": Kind(422, "There is no photo in the form", "Put each photo into a field `file`."),
    "unreadable-photo": Kind(
        422, "No photo could be read", "The reason is given for each; send files that open."
    ),
    "rate-limit": Kind(
        429, "Too many photos from this client", "Wait as the header Retry-After says."
    ),
    "client-gone": Kind(CLIENT_GONE, "Nobody waits for the answer", "Nobody reads this."),
    "defect": Kind(500, "The service made a mistake", "Report it with the number in `instance`."),
    "overloaded": Kind(
        503, "The service is busy", "Try again after the seconds that Retry-After says."
    ),
    "not-ready": Kind(503, "The service is not ready", "Try again, or ask another instance."),
}  # fmt: skip


class Problem(Exception):
    """A request that cannot be answered.

    Args:
        kind: a name in `KINDS`.
        detail: what is wrong with this very request, as a sentence.
        headers: further ones of the answer.
        more: further members of the body.
    """

    def __init__(
        self, kind: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.name = kind
        self.kind = KINDS[kind]
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more

    def body(self, root_path: str = "", instance: str | None = None) -> dict[str, Any]:
        """Return the members of the problem; `instance` names this occurrence."""
        tree: dict[str, Any] = {
            "type": f"{root_path}/problems#{self.name}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
        }
        return tree | ({"instance": instance} if instance else {}) | self.more

    def to_bytes(self, root_path: str = "", instance: str | None = None) -> bytes:
        """Return the body as it is sent."""
        return json.dumps(self.body(root_path, instance), ensure_ascii=False).encode()


class ProblemBody(BaseModel):
    """An error (RFC 9457). `type` names its kind; `/problems` says what to do about each."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["/problems#too-large"])
    title: str = Field(examples=["The request is too large"])
    status: int = Field(examples=[413])
    detail: str = Field(examples=["The photo has more than 25,000,000 bytes."])
    instance: str | None = Field(None, examples=["urn:uuid:6f1c0c4e-6a5e-4c5b-9d6e-0d5f3b9b1a11"])


def responses(*names: str) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of these problems, by status, with an example of each."""
    found: dict[int | str, dict[str, Any]] = {}
    for name in names:
        kind = KINDS[name]
        example = {"summary": kind.title, "value": Problem(name, kind.advice).body()}
        entry = found.setdefault(kind.status, {"description": HTTPStatus(kind.status).phrase})
        content = entry.setdefault("content", {}).setdefault(
            MEDIA_TYPE, {"schema": {"$ref": "#/components/schemas/ProblemBody"}, "examples": {}}
        )
        content["examples"][name] = example
    return found
