"""All that an operator may set, from the environment: `LANDMARKS_SERVE_MAX_FILES=4`."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from landmarks import environment
from landmarks.errors import LandmarksError

PREFIX = "LANDMARKS_SERVE_"
LEAST_KEY = 16
"""Characters of an API key at least: it is told apart by its hash, which must not be guessable."""

Seconds = Annotated[float, Field(gt=0, le=3600)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """What the service may use and must refuse. Descriptions and defaults are in docs/serving.md.

    Bytes are counted as they arrive, whatever a client announces.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    model: Path = Path("models/landmarks")
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    root_path: str = Field("", pattern=r"^(/[\w.~-]+)*$")
    trusted_proxies: str = "127.0.0.1"

    max_file_bytes: Count = 25_000_000
    max_request_bytes: Count = 100_000_000
    max_files: Count = 16
    max_pixels: Count = 200_000_000
    decode_memory_bytes: int = Field(900_000_000, ge=50_000_000)

    header_seconds: Seconds = 10
    idle_seconds: Seconds = 10
    upload_seconds: Seconds = 60
    answer_seconds: Seconds = 30
    stop_seconds: Seconds = 60
    drain_seconds: float = Field(0, ge=0, le=3600)

    queue_photos: Count = 256
    queue_bytes: Count = 256_000_000
    max_connections: Count = 512

    decode_threads: int = Field(0, ge=0, le=256)
    model_workers: int = Field(0, ge=0, le=256)
    model_threads: int = Field(1, ge=1, le=256)
    batch: int = Field(4, ge=1, le=256)

    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    rate_per_minute: float | None = Field(None, gt=0)
    rate_burst: Count = 60

    reload_seconds: float = Field(5, ge=0, le=3600)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split(cls, given: Any) -> Any:
        return given.replace(",", " ").split() if isinstance(given, str) else given

    @field_validator("api_keys")
    @classmethod
    def _long(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < LEAST_KEY for key in keys):
            raise ValueError(f"a key has fewer than {LEAST_KEY} characters")
        return keys

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.max_file_bytes > self.max_request_bytes:
            raise ValueError("max_file_bytes is larger than max_request_bytes")
        if self.max_request_bytes > self.queue_bytes:
            raise ValueError("max_request_bytes is larger than queue_bytes")
        if self.max_files > self.queue_photos:
            raise ValueError("max_files is larger than queue_photos")
        return self

    @property
    def decoders(self) -> int:
        """Threads that decode: as set, or one a core."""
        return self.decode_threads or environment.cores()

    @property
    def runners(self) -> int:
        """Forward passes at a time: as set, or one a core."""
        return self.model_workers or max(1, environment.cores() // self.model_threads)


def load(**given: Any) -> Settings:
    """Read the settings from the environment; what is given and not None goes before it.

    Raises:
        LandmarksError: a variable that does not exist, or a value that makes no sense.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    strange = [name for name in os.environ if name.upper().startswith(PREFIX)]
    for name in strange:
        if name.upper() not in known:
            raise LandmarksError(
                f"there is no setting {name}", hint="docs/serving.md lists all of them."
            )
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        said = first["msg"].removeprefix("Value error, ")
        where = (
            f"{PREFIX}{first['loc'][0]!s}".upper() if first["loc"] else "settings of the service"
        )
        raise LandmarksError(
            f"{where}: {said}", hint="docs/serving.md says what each may be."
        ) from None
