"""`landmarks tag --parquet`: the rows of the other tables, for databases and data frames."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from tag_folder import GREY, RED, Library, photo, write_model


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path, write_model(tmp_path / "model"))


def test_parquet_has_the_rows_of_the_json_table(library: Library) -> None:
    library.put("a.jpg", photo(RED))
    library.put("b.jpg", photo(GREY))
    library.put("c.jpg", b"no photo")
    (library.folder / os.fsdecode(b"d \xff.jpg")).write_bytes(photo(RED, 2))  # no text in UTF-8
    table, tree = library.top / "rows.parquet", library.top / "rows.json"
    assert library.tag("--parquet", table, "--json", tree).returncode == 1
    wanted = json.loads(tree.read_text(encoding="utf-8"))
    frame = pd.read_parquet(table)
    assert frame["path"].tolist() == ["a.jpg", "b.jpg", "c.jpg", "d \\udcff.jpg"]
    assert set(frame.columns) == set(wanted[0])
    for column in set(frame.columns) - {"guesses", "time", "path"}:
        expected = [row[column] for row in wanted]
        assert frame[column].astype(object).where(frame[column].notna(), None).tolist() == expected
    assert [list(guesses) for guesses in frame["guesses"]] == [row["guesses"] for row in wanted]
    assert frame["time"].dt.tz is not None and frame["latitude"].dtype == "float64"


def test_more_photos_than_a_group_are_all_there(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from landmarks.tagging import parquet

    monkeypatch.setattr(parquet, "GROUP", 2)
    with parquet.writing(library.top / "t.parquet") as writer:
        for number in range(5):
            writer.add({"path": f"{number}.jpg"})
    frame = pd.read_parquet(library.top / "t.parquet")
    assert frame["path"].tolist() == [f"{number}.jpg" for number in range(5)]


def test_without_pyarrow_it_is_said_before_anything_is_done(library: Library) -> None:
    library.put("a.jpg", photo(RED))
    script = "import sys; sys.modules['pyarrow'] = None; from landmarks.cli import main; main()"
    table = library.top / "rows.parquet"
    command = [sys.executable, "-c", script, "tag", str(library.folder), "--parquet", str(table)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and not table.exists()
    assert done.stderr == (
        "error: --parquet needs pyarrow, which is not installed. Type `pip install "
        '".[scale]"` in the project, or ask for --csv or --json.\n'
    )
