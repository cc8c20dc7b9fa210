"""The same story with each storage: push, clone elsewhere, pull the model alone, ask it."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from stories import quick, storages
from stories.clone import Clone
from stories.storages import SECRET, Storage

pytestmark = pytest.mark.usefixtures("warm")

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs/storage.md"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The quick project. Nobody changes it: a story takes a copy."""
    return quick.make(tmp_path_factory.mktemp("remotes"))


@pytest.fixture(params=storages.KINDS)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    """A storage of every kind."""
    with storages.KINDS[request.param](tmp_path / "server") as opened:
        yield opened


def point(clone: Clone, storage: Storage) -> None:
    """Do what docs/storage.md says: the URL and shared options committed, private ones local."""
    clone.python("tools.storage", storage.url)
    for name, value in storage.shared.items():
        clone.run("dvc", "remote", "modify", "storage", name, value)
    tell(clone, storage)
    clone.commit()


def tell(clone: Clone, storage: Storage) -> None:
    """Type in the credentials, which a clone does not bring."""
    for name, value in storage.private.items():
        clone.run("dvc", "remote", "modify", "--local", "storage", name, value)


def committed(clone: Clone, text: str) -> str:
    """Return where a text stands in any commit, on any branch, or among the messages."""
    return clone.run("git", "log", "--all", "-p", "-S", text).stdout


def test_a_model_is_pushed_and_pulled_elsewhere(
    project: Clone, storage: Storage, tmp_path: Path
) -> None:
    author = project.copy(tmp_path / "author")
    point(author, storage)
    author.run("dvc", "push")
    assert "up to date" in author.run("dvc", "push").stdout
    clone = quick.elsewhere(author, tmp_path / "some where else")
    tell(clone, storage)
    clone.run("dvc", "pull", "models/landmarks")
    assert not (clone.folder / "data/landmark_images.zip").exists()
    assert not list((clone.folder / "models").glob("*/weights.safetensors"))
    photo = quick.photo(tmp_path / "photo.png")
    assert quick.answer(clone, photo) == quick.answer(author, photo)
    assert clone.dirt() == "" and author.dirt() == ""
    assert SECRET not in committed(author, SECRET)
    if storage.private:
        local = (author.folder / ".dvc/config.local").read_text()
        assert all(value in local for value in storage.private.values())


def test_the_search_for_secrets_would_find_one(project: Clone, tmp_path: Path) -> None:
    author = project.copy(tmp_path / "author")
    config = author.folder / ".dvc/config"
    before = config.read_text()
    config.write_text(f"{before}    password = {SECRET}\n")
    author.commit()
    config.write_text(before)
    author.commit()
    assert SECRET in committed(author, SECRET)


def test_a_web_site_is_a_public_storage_to_read(project: Clone, tmp_path: Path) -> None:
    author = project.copy(tmp_path / "author")
    with storages.local(tmp_path) as folder:
        point(author, folder)
        author.run("dvc", "push")
        assert folder.folder is not None
        with storages.public(folder.folder) as url:
            author.python("tools.storage", url)
            author.commit()
            clone = quick.elsewhere(author, tmp_path / "clone")
            clone.run("dvc", "pull", "models/landmarks")
            photo = quick.photo(tmp_path / "photo.png")
            assert quick.answer(clone, photo) == quick.answer(author, photo)
            shutil.rmtree(folder.folder / "files")
            refused = author.run("dvc", "push", check=False)
            assert refused.returncode != 0
            assert not (folder.folder / "files").exists()


def test_no_credential_is_in_the_repository() -> None:
    """Only what Git ignores may hold them: no option of .dvc/config is one."""
    config = (ROOT / ".dvc/config").read_text(encoding="utf-8").lower()
    words = ("password", "secret", "token", "access_key", "keyfile", "account_key", "credential")
    assert not [word for word in words if word in config]
    assert "/config.local" in (ROOT / ".dvc/.gitignore").read_text().splitlines()


def test_docs_name_options_that_dvc_knows_and_keep_secrets_local() -> None:
    from dvc.config_schema import REMOTE_SCHEMAS

    public = {"endpointurl", "region", "account_name", "method", "auth"}
    modified = r"^dvc remote modify( --local)? storage (\w+)"
    kinds = set()
    for block in re.findall(r"```sh\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S):
        [kind] = re.findall(r"^make storage URL=(\w+)://", block, re.M) or [""]
        kinds.add(kind)
        for local, option in re.findall(modified, block, re.M):
            assert option in REMOTE_SCHEMAS[kind], f"{kind}:// has no option {option}"
            assert (option in public) != bool(local), f"{option} is in the wrong file"
    assert kinds >= {"", "s3", "ssh", "webdavs", "https", "gs", "azure"}


def test_docs_have_the_lines_of_nginx_that_the_story_runs() -> None:
    lines = [line.strip() for line in DOCS.read_text(encoding="utf-8").splitlines()]
    used = [
        line.strip() for line in storages.NGINX.replace("{{", "{").replace("}}", "}").splitlines()
    ]
    said = [line for line in used if line.startswith(("dav_", "create_", "if "))]
    assert len(said) == 4 and not set(said) - set(lines)
