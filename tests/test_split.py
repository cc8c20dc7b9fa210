"""Who is learned from, who is chosen by, who is measured on: decided once, by content."""

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from landmarks.data import attribution
from landmarks.data.duplicates import detail, near_pairs
from landmarks.data.photos import COLUMNS
from landmarks.data.roles import class_names, labels, read_split, rows
from landmarks.data.split import assign_splits, describe
from landmarks.errors import LandmarksError
from landmarks.params import Split

SETTINGS = Split(
    seed=1,
    validation_share=0.15,
    test_share=0.2,
    near_duplicate_distance=3,
    exclude_licences=[],
)


def random_hashes(count: int, seed: int = 0) -> list[str]:
    random = np.random.default_rng(seed)
    return [f"{int(value):016x}" for value in random.integers(0, 1 << 63, count, np.uint64)]


def photos(*groups: dict[str, Any]) -> pd.DataFrame:
    """Make a table of photos that have nothing in common: groups of `count` rows that say more."""
    records: list[dict[str, Any]] = []
    for group in groups:
        for _ in range(group.get("count", 1)):
            number = len(records)
            record = {
                "source": "archive",
                "path": f"{number:05}.jpg",
                "class": "a",
                "official_split": "",
                "width": 64,
                "height": 48,
                "bytes": 1000,
                "sha1": f"{number * 2654435761 % (1 << 32):040x}",
                "verdict": "ok",
                "reason": "",
            }
            records.append(record | {k: v for k, v in group.items() if k != "count"})
    for number, (record, dhash) in enumerate(
        zip(records, random_hashes(len(records)), strict=True)
    ):
        record["id"] = number
        record.setdefault("dhash", dhash)
    return pd.DataFrame(records)[list(COLUMNS)]


def official(
    train: int = 40, test: int = 10, classes: Iterable[str] = "ab"
) -> list[dict[str, Any]]:
    return [
        {"class": name, "official_split": split, "count": count}
        for name in classes
        for split, count in (("test", test), ("train", train))
    ]


def count(split: pd.DataFrame, role: str) -> int:
    return int((split["role"] == role).sum())


def test_the_archives_own_test_folder_stays_the_test_set() -> None:
    table = photos(*official())
    split = assign_splits(table, SETTINGS)
    assert list(split["id"]) == list(table["id"]) and list(split["class"]) == list(table["class"])
    assert ((split["role"] == "test") == (table["official_split"] == "test")).all()
    assert set(split["role"]) == {"train", "val", "test"}
    assert (split["reason"] == "").all()


def test_every_class_gives_its_share_to_validation() -> None:
    sizes = {"a": 40, "b": 100, "c": 7, "d": 2, "e": 1}
    table = photos(
        *({"class": name, "official_split": "train", "count": n} for name, n in sizes.items()),
        *({"class": name, "official_split": "test"} for name in sizes),
    )
    split = assign_splits(table, SETTINGS)
    given = split[split["role"] == "val"].groupby("class").size().to_dict()
    assert given == {"a": 6, "b": 15, "c": 1, "d": 1}, "the only photo of e is learned from"


def test_an_archive_without_folders_is_divided_in_three() -> None:
    table = photos(
        {"class": "a", "count": 100}, {"class": "b", "count": 50}, {"class": "c", "count": 3}
    )
    split = assign_splits(table, SETTINGS)
    found = split.groupby(["class", "role"]).size().unstack(fill_value=0)
    assert found.loc["a"].to_dict() == {"test": 20, "train": 68, "val": 12}
    assert found.loc["b"].to_dict() == {"test": 10, "train": 34, "val": 6}
    assert found.loc["c"].to_dict() == {"test": 1, "train": 1, "val": 1}


def test_only_content_decides_not_order_or_names() -> None:
    twins = [{"official_split": "train", "dhash": h} for h in random_hashes(20, seed=6) * 2]
    table = photos(*official(), {"source": "negatives", "class": "home", "count": 30}, *twins)
    split = assign_splits(table, SETTINGS)
    mixed = table.sample(frac=1, random_state=7).reset_index(drop=True)
    mixed["id"], mixed["path"] = mixed.index, [f"{i}.png" for i in mixed.index[::-1]]
    again = assign_splits(mixed, SETTINGS)
    by_content = dict(zip(table["sha1"], split["role"], strict=True))
    assert by_content == dict(zip(mixed["sha1"], again["role"], strict=True))


def test_the_seed_draws_other_validation_photos_and_the_same_test_set() -> None:
    table = photos(*official())
    one, other = (
        assign_splits(table, SETTINGS.model_copy(update={"seed": seed})) for seed in (1, 2)
    )
    assert count(one, "val") == count(other, "val")
    assert not one.equals(other)
    assert ((one["role"] == "test") == (other["role"] == "test")).all()


def flipped(dhash: str, *bits: int) -> str:
    value = int(dhash, 16)
    for bit in bits:
        value ^= 1 << bit
    return f"{value:016x}"


def test_near_duplicates_stay_on_one_side() -> None:
    """Bursts of four, each shot two bits from the last: the ends are six bits apart."""
    bursts = []
    for dhash in random_hashes(30, seed=4):
        for step in range(4):
            bits = [bit for i in range(step) for bit in (2 * i, 2 * i + 1)]
            bursts.append({"official_split": "train", "dhash": flipped(dhash, *bits)})
    table = photos(*bursts, *official(classes="b"), {"official_split": "test"})
    split = assign_splits(table, SETTINGS)
    sides = split["role"].to_numpy()[:120].reshape(30, 4)
    assert all(len(set(burst)) == 1 for burst in sides)
    assert (sides[:, 0] == "val").sum() == 4, "16 of 18 photos; a burst is never cut"

    strict = assign_splits(table, SETTINGS.model_copy(update={"near_duplicate_distance": 1}))
    assert count(strict[:120], "val") == 18


def test_the_same_file_twice_stays_on_one_side() -> None:
    pairs = [{"official_split": "train", "sha1": f"{n % 20:040x}"} for n in range(40)]
    table = photos(*pairs, {"official_split": "test"}, *official(classes="b"))
    split = assign_splits(table, SETTINGS)
    roles = split["role"].to_numpy()
    assert (roles[:20] == roles[20:40]).all() and count(split[:40], "val") == 6


def test_train_photos_that_duplicate_a_test_photo_are_dropped() -> None:
    seen, other = random_hashes(2, seed=9)
    table = photos(
        {"class": "a", "official_split": "test", "dhash": seen},
        {"class": "a", "official_split": "train", "dhash": flipped(seen, 1, 20, 40)},
        {"class": "b", "official_split": "train", "dhash": flipped(seen, 5)},
        {"class": "a", "official_split": "train", "dhash": flipped(seen, 1, 20, 40, 41)},
        {"class": "b", "official_split": "test", "dhash": other, "sha1": "f" * 40},
        {"class": "b", "official_split": "train", "sha1": "f" * 40},
        *official(),
    )
    split = assign_splits(table, SETTINGS)
    assert list(split["role"][:3]) == ["test", "dropped", "dropped"]
    assert list(split["reason"][1:3]) == ["near-duplicate of test photo 0"] * 2
    assert split["role"][3] != "dropped", "four bits apart is another photo"
    assert split["reason"][5] == "near-duplicate of test photo 4"
    assert describe(split).endswith("3 dropped (3 near-duplicate of test photo)")


def test_hashes_of_plain_pictures_prove_nothing() -> None:
    """A tower on an even sky: eight equal rows of bits, whatever tower it is."""
    plain = "0c0c0c0c0c0c0c0c"
    table = photos(
        {"class": "a", "official_split": "test", "dhash": plain},
        {"class": "b", "official_split": "train", "dhash": "0c0c0c0c0c0c0c0d"},
        {"class": "b", "official_split": "train", "dhash": "0000000000000000", "count": 30},
        *official(),
    )
    split = assign_splits(table, SETTINGS)
    assert count(split, "dropped") == 0
    assert 0 < count(split[2:32], "val") < 30, "they do not stick together"


def test_one_file_under_two_classes_is_dropped_everywhere() -> None:
    table = photos(
        {"class": "a", "official_split": "train", "sha1": "e" * 40},
        {"class": "b", "official_split": "train", "sha1": "e" * 40},
        *official(),
    )
    for archive in (table, table.assign(official_split="")):
        split = assign_splits(archive, SETTINGS)
        assert list(split["role"][:2]) == ["dropped"] * 2
        assert set(split["reason"][:2]) == {"the same file stands in several classes"}
        assert count(split, "dropped") == 2


def test_refused_photos_are_dropped_with_their_reason() -> None:
    bad = {"verdict": "refused", "reason": "truncated", "dhash": "", "sha1": "", "count": 3}
    split = assign_splits(photos(*official(), {**bad, "official_split": "test"}), SETTINGS)
    assert list(split["role"][-3:]) == ["dropped"] * 3
    assert set(split["reason"][-3:]) == {"refused: truncated"}


def licensed(table: pd.DataFrame, licences: list[str]) -> pd.DataFrame:
    """Return an attribution in which the photos have these licences in turn; "" is no entry."""
    known = attribution.EMPTY.reindex(table["id"], fill_value="")
    known["license"] = [licences[number % len(licences)] for number in range(len(table))]
    return known[known["license"] != ""]


@pytest.mark.parametrize(
    ("side", "said"),
    [
        ("test", "no photo of the archive's test folder is left"),
        ("train", "no photo is left to train on in 2 of 2 classes"),
    ],
)
def test_a_side_without_photos_is_not_filled_from_the_other(side: str, said: str) -> None:
    table = photos(*official())
    licences = ["CC BY-NC 4.0" if split == side else "" for split in table["official_split"]]
    settings = SETTINGS.model_copy(update={"exclude_licences": ["CC BY-NC*"]})
    with pytest.raises(LandmarksError, match=f"{said}.*licence excluded"):
        assign_splits(table, settings, licensed(table, licences))


def test_excluded_licences_play_no_role_and_the_others_play_theirs() -> None:
    table = photos(
        *official(), {"source": "negatives", "class": "home", "count": 30}, {"verdict": "refused"}
    )
    known = licensed(table, ["CC BY 2.0", "CC BY-NC 2.0", ""])
    settings = SETTINGS.model_copy(update={"exclude_licences": ["*NC*", "unknown"]})
    split = assign_splits(table, settings, known)
    kept = table["id"] % 3 == 0
    assert set(split.loc[~kept, "role"]) == {"dropped"}
    assert list(split["reason"][:3]) == [
        "",
        "licence excluded: `*NC*`",
        "licence excluded: `unknown`",
    ]
    assert split["reason"].iloc[-1].startswith("refused: ")
    alone = table[kept].assign(id=range(int(kept.sum())))
    assert list(split.loc[kept, "role"]) == list(assign_splits(alone, SETTINGS)["role"])
    assert {"train", "val", "test", "negative_tuning"} <= set(split["role"])
    assert "43 licence excluded: `*NC*`, 43 licence excluded: `unknown`" in describe(split)
    assert assign_splits(table, SETTINGS, known).equals(assign_splits(table, SETTINGS))


def test_a_class_whose_licences_are_all_excluded_is_named() -> None:
    table = photos(*official(classes="abc"))
    known = licensed(table, ["MIT"]).drop(table.index[table["class"] == "b"])
    settings = SETTINGS.model_copy(update={"exclude_licences": ["unknown"]})
    with pytest.raises(
        LandmarksError, match=r"in 1 of 3 .*: b \(most: licence excluded: `unkn"
    ) as e:
        assign_splits(table, settings, known)
    assert "split.exclude_licences" in e.value.hint


def test_negatives_are_halved_by_hash_and_stay_where_they_are() -> None:
    negatives = {"source": "negatives", "class": "street", "count": 400}
    few, many = photos(negatives, *official()), photos(negatives, *official(train=60), negatives)
    half, more = assign_splits(few, SETTINGS), assign_splits(many, SETTINGS)
    assert 160 < count(half, "negative_tuning") < 240
    assert count(half, "negative_tuning") + count(half, "negative_testing") == 400
    assert list(half["role"][:400]) == list(more["role"][:400])
    other_seed = assign_splits(few, SETTINGS.model_copy(update={"seed": 5}))
    assert list(half["role"][:400]) == list(other_seed["role"][:400])


def test_a_negative_that_shows_an_archive_photo_is_dropped() -> None:
    dhash = random_hashes(1, seed=3)[0]
    table = photos(
        {"official_split": "train", "dhash": dhash},
        {"source": "negatives", "class": "home", "dhash": flipped(dhash, 3)},
        {"source": "negatives", "class": "home", "count": 5},
        *official(),
    )
    split = assign_splits(table, SETTINGS)
    assert split["reason"][1] == "near-duplicate of archive photo 0"
    assert split["role"][1] == "dropped"
    assert not set(split["role"][2:7]) & {"dropped", "train", "val", "test"}


@pytest.mark.parametrize("refused", [True, False])
def test_a_class_without_train_photos_is_named(refused: bool) -> None:
    dhash = random_hashes(1, seed=8)[0]
    poor = {"class": "poor", "official_split": "train", "dhash": dhash}
    if refused:
        poor |= {"verdict": "refused", "reason": "truncated"}
    table = photos({"class": "a", "official_split": "test", "dhash": dhash}, poor, *official())
    with pytest.raises(LandmarksError, match="no photo is left to train on in 1 of 3 .*: poor"):
        assign_splits(table, SETTINGS)


def test_one_class_is_not_enough() -> None:
    with pytest.raises(LandmarksError, match="only one class, a"):
        assign_splits(photos(*official(classes="a")), SETTINGS)


def test_readers_get_what_was_written(tmp_path: Any) -> None:
    table = photos(*official(classes=["b", "nan", "1.50"]), {"source": "negatives", "count": 4})
    split = assign_splits(table, SETTINGS)
    file = tmp_path / "split.csv"
    split.to_csv(file, index=False)
    again = read_split(file, photos=len(table))
    assert again.equals(split.astype(again.dtypes.to_dict()))
    assert class_names(again) == ["1.50", "b", "nan"]
    train = rows(again, "train")
    assert train.dtype == np.int64 and (np.diff(train) > 0).all() and len(train) == 102
    names = np.array(class_names(again))[labels(again, train)]
    assert list(names) == list(table["class"][train])
    with pytest.raises(LandmarksError, match="154 rows for 7 decoded photos"):
        read_split(file, photos=7)
    file.write_text(file.read_text().replace(",val,", ",vla,"))
    with pytest.raises(LandmarksError, match="role 'vla'"):
        read_split(file)
    with pytest.raises(LandmarksError, match="dvc repro split"):
        read_split(tmp_path / "missing.csv")


def test_near_pairs_agree_with_comparing_all() -> None:
    random = np.random.default_rng(1)
    base = random.integers(0, 1 << 63, 300, np.uint64)
    hashes = np.concatenate([base, base ^ np.uint64(0b1011), base ^ np.uint64(0xFF00)])
    expected = {
        (i, j)
        for i, a in enumerate(hashes)
        for j, b in enumerate(base)
        if (int(a) ^ int(b)).bit_count() <= 3 and min(detail(hashes[[i, j]])) >= 8
    }
    assert set(zip(*near_pairs(hashes, base, 3), strict=True)) == expected
    assert len(expected) >= 600


def test_large_tables_take_seconds() -> None:
    names = [f"{n:02}" for n in range(50)]
    table = photos(*official(train=80, test=20, classes=names))
    start = time.process_time()
    assign_splits(table, SETTINGS)
    assert time.process_time() - start < 3, "a fifth of a second here; loaded machines are slower"
