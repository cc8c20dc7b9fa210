"""A browser and two servers of the page for the tests of a module.

No longer: a browser leaves an event loop running, and other tests have loops of their own.
"""

from collections.abc import Iterator
from pathlib import Path

import page_visit as visit
import pytest
from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with visit.browsing() as browser:
        yield browser


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of real places."""
    folder = tmp_path_factory.mktemp("real")
    visit.write_model(folder / "model", invented=False)
    return folder


@pytest.fixture(scope="module")
def served(real: Path) -> Iterator[str]:
    with visit.serving(real / "run", LANDMARKS_MODEL=str(real / "model")) as address:
        yield address


@pytest.fixture
def page(chromium: Browser, served: str) -> Iterator[Page]:
    with visit.visiting(chromium, served) as page:
        yield page


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page with a model of invented places."""
    folder = tmp_path_factory.mktemp("invented")
    visit.write_model(folder / "model", invented=True)
    with visit.serving(folder / "run", LANDMARKS_MODEL=str(folder / "model")) as address:
        yield address
