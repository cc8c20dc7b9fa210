"""The service against its own OpenAPI, by programs that try what the schema allows and forbids."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from served import PATIENCE, Served, service
from tag_folder import RED, photo

# It keeps tables of characters there, and would make a folder in the project.
os.environ.setdefault(
    "HYPOTHESIS_STORAGE_DIRECTORY", str(Path(tempfile.gettempdir()) / "landmarks-hypothesis")
)
TRIES = int(os.environ.get("LANDMARKS_SCHEMA_TRIES", "60"))


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with service(max_file_bytes=50_000, max_request_bytes=100_000, max_files=4) as running:
        yield running


@pytest.fixture
def described(served: Served) -> schemathesis.BaseSchema:
    config = schemathesis.Config.from_dict(
        {"generation": {"max-examples": TRIES, "deterministic": True, "database": "none"}}
    )
    return schemathesis.openapi.from_url(f"{served.url}/openapi.json", config=config)


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
def test_every_answer_is_one_that_the_schema_knows(case: schemathesis.Case) -> None:
    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    case.call_and_validate(checks=checks, timeout=PATIENCE)


def test_a_real_answer_is_one_that_the_schema_knows(
    served: Served, described: schemathesis.BaseSchema
) -> None:
    operation = described["/v1/predict"]["POST"]
    for photos, status in (([photo(RED), b"no photo"], 200), ([b"no photo"], 422)):
        got = served.predict(*photos)
        assert got.status_code == status
        got.request.read()
        operation.validate_response(got)
