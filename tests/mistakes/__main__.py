"""Writes docs/errors.md from the table: `.venv/bin/python tests/mistakes`."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from conftest import ROOT  # noqa: E402
from mistakes.every import page  # noqa: E402

if __name__ == "__main__":
    (ROOT / "docs/errors.md").write_text(page(), encoding="utf-8")
