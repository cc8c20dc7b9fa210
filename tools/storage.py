"""Points the default storage of data and models at a cloud, a server or another folder."""

import argparse
import importlib.util
import re
from pathlib import Path

from landmarks.errors import LandmarksError, run
from tools import dvc_cli as dvc

# Scheme -> the extra of DVC that speaks it; None where DVC itself does.
EXTRAS: dict[str, str | None] = {
    "http": None,
    "https": None,
    "s3": "s3",
    "gs": "gs",
    "azure": "azure",
    "ssh": "ssh",
    "webdav": "webdav",
    "webdavs": "webdav",
}
_EXAMPLES = (
    "s3://bucket/path, gs://bucket/path, azure://container/path, ssh://user@host/path, "
    "webdavs://host/path, https://host/path or a folder"
)


def extra_for(url: str) -> str | None:
    """Return the extra of DVC that `url` needs; None for a folder.

    Raises:
        LandmarksError: the URL is empty or its scheme is none of `EXTRAS`.
    """
    if not url:
        raise LandmarksError("no storage is named", hint=f"make storage URL=... with {_EXAMPLES}.")
    found = re.match(r"^(\w[\w+.-]*)://", url)
    if not found:
        return None
    if found[1] not in EXTRAS:
        raise LandmarksError(
            f"{found[1]}:// is no storage that this project documents", hint=f"Use {_EXAMPLES}."
        )
    return EXTRAS[found[1]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="make storage", description=__doc__)
    parser.add_argument("url", nargs="?", default="")
    url = parser.parse_args().url
    extra = extra_for(url)
    if "://" not in url and not url.startswith("~"):
        url = str(Path(url).resolve())
    dvc.run("remote", "add", "--quiet", "--default", "--force", "storage", url)
    # Without it DVC lets a damaged object through, silently and with exit code 0.
    dvc.run("remote", "modify", "--quiet", "storage", "verify", "true")
    print(f"The default storage is now {url} (.dvc/config); commit that file to share it.")
    if extra and importlib.util.find_spec(f"dvc_{extra}") is None:
        print("First install what speaks it:")
        print(f"  .venv/bin/pip install -c constraints.txt 'dvc[{extra}]'")
    if "://" in url:
        print("Keys and passwords belong in .dvc/config.local, which Git ignores:")
        print("  .venv/bin/dvc remote modify --local storage <option> <value>")
    if url.startswith("http"):
        print("A plain web site can only be read; one that takes uploads needs, committed:")
        print("  .venv/bin/dvc remote modify storage method PUT")
        print("Next: .venv/bin/dvc pull")
        return
    print("Next: .venv/bin/dvc push")


if __name__ == "__main__":
    run(main)
