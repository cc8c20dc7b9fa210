"""Shards of a walk are the same each time, and a change of a photo is one of its shard alone."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tag_folder import sidecar

from landmarks.errors import LandmarksError
from landmarks.tagging import parts
from landmarks.tagging.parquet import COLUMNS
from landmarks.tagging.parts import Parts, Shard, shards
from landmarks.tagging.walk import Found, walk


def found(folder: Path) -> Iterator[Found]:
    return walk(folder, lambda path, reason: pytest.fail(reason))


def cut(folder: Path, asked: str = "") -> dict[str, list[str]]:
    """Return the names of photos by shard."""
    every = shards(found(folder), folder, asked)
    return {one.name: [photo.path.name for photo in one.photos] for one in every}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "photos"
    top.mkdir()
    for number in range(2000):
        (top / f"{number:04}.jpg").write_bytes(b"%d" % number)
    return top


def test_every_photo_is_in_one_shard_in_order(folder: Path) -> None:
    names = [name for photos in cut(folder).values() for name in photos]
    assert names == sorted(os.listdir(folder))
    sizes = [len(photos) for photos in cut(folder).values()]
    assert len(sizes) > 5 and max(sizes) <= 4 * parts.SIZE


@pytest.mark.parametrize("how", ["changed", "removed", "added", "sidecar"])
def test_what_changes_is_one_shard(folder: Path, how: str) -> None:
    before = cut(folder)
    photo = folder / "0700.jpg"
    if how == "changed":
        photo.write_bytes(b"something else")
    elif how == "removed":
        photo.unlink()
    elif how == "added":
        (folder / "0700b.jpg").write_bytes(b"new")
    else:
        (folder / "0700.jpg.xmp").write_bytes(sidecar(""))
    after = cut(folder)
    assert len(set(before) - set(after)) == 1 and len(set(after) - set(before)) == 1


def test_other_thresholds_or_models_are_other_shards(folder: Path) -> None:
    assert not set(cut(folder, "0.9")) & set(cut(folder, "0.8"))


def rows(shard: Shard) -> list[dict[str, object]]:
    empty: dict[str, object] = dict.fromkeys(COLUMNS)
    given = {"guesses": [], "time": "2026-01-02T03:04:05+00:00"}
    return [empty | given | {"path": one.path.name} for one in shard.photos]


def test_a_part_comes_back_as_it_was_and_old_ones_go(tmp_path: Path, folder: Path) -> None:
    strange = os.fsdecode(b"caf\xe9.jpg")
    (folder / strange).write_bytes(b"")
    every = list(shards(found(folder), folder, ""))
    place = tmp_path / "parts"
    there = Parts(place)
    assert there.names() == set()
    for shard in every:
        there.write(shard, rows(shard))
        assert list(there.rows(shard, folder)) == rows(shard)
        reasons = [{"reason": None} for _ in shard.photos]
        assert list(there.rows(shard, folder, ("reason",))) == reasons
    assert any(row["path"] == strange for row in there.rows(every[-1], folder))
    (place / "mine.parquet").write_bytes(b"")
    there.finish({every[0].file})
    kept = {every[0].file, "mine.parquet", "_SUCCESS"}
    assert {path.name for path in place.iterdir()} == kept
    with pytest.raises(LandmarksError, match="1 of 2 parts are not in .*: machines wrote them to"):
        there.finish({every[0].file, every[1].file})
    there.begin()
    assert not (place / "_SUCCESS").exists()


def test_a_part_that_is_damaged_or_gone_is_named(tmp_path: Path, folder: Path) -> None:
    shard = next(shards(found(folder), folder, ""))
    there = Parts(tmp_path / "parts")
    with pytest.raises(LandmarksError, match="cannot be read.*--state"):
        list(there.rows(shard, folder))
    there.write(shard, rows(shard)[1:])
    with pytest.raises(LandmarksError, match="cannot be read"):
        list(there.rows(shard, folder))
    (tmp_path / "parts" / shard.file).write_bytes(b"PAR1 cut off")
    with pytest.raises(LandmarksError, match="Remove the file"):
        list(there.rows(shard, folder))
