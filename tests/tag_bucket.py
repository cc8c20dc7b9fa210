"""An S3 bucket on the loopback for `landmarks tag`, reached as users reach theirs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest
from stories.storages import s3

BUCKET = "photos"


@contextmanager
def bucket(top: Path) -> Iterator[Any]:
    """Run a server with an empty bucket; yield the store. Environment variables lead there."""
    stores = fsspec.get_filesystem_class("s3")
    with s3(top) as storage, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", storage.shared["endpointurl"])
        patch.setenv("AWS_DEFAULT_REGION", storage.shared["region"])
        patch.setenv("AWS_ACCESS_KEY_ID", storage.private["access_key_id"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", storage.private["secret_access_key"])
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("NO_PROXY", "127.0.0.1")
        stores.clear_instance_cache()  # of a server before this one
        yield fsspec.filesystem("s3", use_listings_cache=False)
        stores.clear_instance_cache()


def upload(store: Any, folder: Path, name: str) -> str:
    """Copy a folder into the bucket; return its URL."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            key = path.relative_to(folder).as_posix()
            store.pipe_file(f"{BUCKET}/{name}/{key}", path.read_bytes())
    return f"s3://{BUCKET}/{name}"
