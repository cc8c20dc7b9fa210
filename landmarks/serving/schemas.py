"""What the service answers, as OpenAPI describes it, with examples."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from landmarks.catalogue import Landmark
from landmarks.prediction import Prediction
from landmarks.serving.problems import ProblemBody

_PLACE: dict[str, Any] = {
    "class": "12.Old_Bridge",
    "name": "Old Bridge",
    "locality": "Quill",
    "country": "Vendria",
    "country_code": "XA",
    "latitude": -1.5,
    "longitude": 170.125,
    "kind": "bridge",
}
_ANSWER: dict[str, Any] = {
    "photo": "holiday.jpg",
    "guesses": [_PLACE | {"confidence": 0.971342}],
    "decision": "named",
    "known_score": 0.948113,
    "invented": True,
    "model": "0c1d2e3f4a5b",
}
_UNREADABLE: dict[str, Any] = {
    "photo": "notes.jpg",
    "problem": {
        "type": "/problems#unreadable-photo",
        "title": "No photo could be read",
        "status": 422,
        "detail": "It cannot be read as a photo: not an image.",
        "reason": "not an image",
    },
}


class Answer(Prediction):
    """What the model says of a photo. `photo` is the file name that the client gave, if any."""

    photo: str | None


class Refusal(BaseModel):
    """Why there is no answer for a photo."""

    photo: str | None
    problem: ProblemBody


class Answers(BaseModel):
    """One entry for each photo, in the order in which they were sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"photos": [_ANSWER, _UNREADABLE]}]})

    photos: list[Answer | Refusal] = Field(min_length=1)


class Landmarks(BaseModel):
    """The places that the model knows. `invented`: they do not exist, it is a demonstration."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"model": "0c1d2e3f4a5b", "invented": True, "landmarks": [_PLACE]}]
        }
    )

    model: str
    invented: bool
    landmarks: list[Landmark]


class Status(BaseModel):
    """`ok`, and which model answers."""

    status: str = Field(examples=["ok"])
    model: str | None = Field(default=None, examples=["0c1d2e3f4a5b"])


class ProblemKind(BaseModel):
    """A kind of error, and what to do about it."""

    status: int
    title: str
    advice: str


_BYTES = {"type": "string", "format": "binary"}
REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "additionalProperties": False,
                "properties": {
                    "file": {"type": "array", "items": _BYTES, "minItems": 1},
                    "top_k": {"type": "integer", "minimum": 1, "maximum": 1000},
                },
            }
        },
        "image/*": {"schema": _BYTES},
        "application/octet-stream": {"schema": _BYTES},
    },
}
