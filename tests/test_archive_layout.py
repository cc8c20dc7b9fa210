"""Which class and split a photo has by its place, and which archives cannot be learned from."""

from pathlib import Path

import pytest

from landmarks.data.archive import Member, kinds, layout, open_archive
from landmarks.errors import LandmarksError


def members(*names: str) -> list[Member]:
    return [Member(name, 1) for name in names]


def tree(*folders: str, photos: int = 3) -> list[Member]:
    return members(*(f"{folder}/{n}.jpg" for folder in folders for n in range(photos)))


@pytest.mark.parametrize("top", ["", "landmark_images/", "./", "./x/"])
@pytest.mark.parametrize(
    ("train", "test"), [("train/", "test/"), ("Training/", "TESTING/"), ("val/", "test/")]
)
def test_train_and_test_folders(top: str, train: str, test: str) -> None:
    found = layout(tree(*(top + split + name for split in (train, test) for name in "ab")))
    assert {(p.class_name, p.official_split) for p in found} == {
        ("a", "train"),
        ("b", "train"),
        ("a", "test"),
        ("b", "test"),
    }
    assert len(found) == 12 and found == sorted(found)


@pytest.mark.parametrize("top", ["", "photos/"])
@pytest.mark.parametrize("train", ["", "train/", "train/"])
def test_without_a_test_folder_no_split_is_official(top: str, train: str) -> None:
    found = layout(tree(f"{top}{train}00.Old_Tower", f"{top}{train}01.New Tower"))
    assert {(p.class_name, p.official_split) for p in found} == {
        ("00.Old_Tower", ""),
        ("01.New Tower", ""),
    }


def test_validation_photos_are_train_photos() -> None:
    found = layout(tree("train/a", "train/b", "valid/a", "test/a", "test/b"))
    assert sum(p.official_split == "train" for p in found) == 9


def test_photos_outside_class_folders_are_left_out() -> None:
    extra = members("cover.jpg", "top/cover.jpg", "top/train/cover.jpg", "top/docs/figure.png")
    found = layout(tree("top/train/a", "top/train/b", "top/test/a", "top/test/b") + extra)
    assert len(found) == 12


def test_folders_inside_a_class_belong_to_it() -> None:
    found = layout(tree("a/summer", "a/winter", "b"))
    assert [p.class_name for p in found] == ["a"] * 6 + ["b"] * 3


def test_a_class_called_test_is_a_class() -> None:
    assert {p.class_name for p in layout(tree("test", "tower"))} == {"test", "tower"}


def test_accents_are_compared_as_text_not_as_bytes() -> None:
    """macOS writes é as two characters, others as one."""
    found = layout(tree("train/Cafe\u0301", "train/b", "test/Caf\u00e9", "test/b"))
    assert {p.class_name for p in found} == {"Caf\u00e9", "b"}


@pytest.mark.parametrize(
    ("photos", "folders", "said"),
    [
        ([], [], "no photo in a class folder"),
        (members("1.jpg", "2.jpg"), [], "no photo in a class folder"),
        (tree("a"), [], "one class only, `a`"),
        (tree("train/a", "test/a"), [], "one class only, `a`"),
        (tree("train/a", "train/b", "test/a", "test/c"), [], "only its test folder has `c`"),
        (tree("train/a", "train/b", "test/a"), [], "only its train folder has `b`"),
        (tree("test/a", "test/b"), [], "only its test folder has `a`, `b`"),
        (tree("a", "b") + members("c/1.jpg"), [], "fewer than 3 photos to divide in `c`"),
        (
            tree("train/a", "test/a", "test/b") + members("train/b/1.jpg"),
            [],
            "fewer than 2 photos to divide in `b`",
        ),
        (tree("a", "b"), ["a", "b", "c"], "no photo in `c`"),
        (tree("t/train/a", "t/train/b"), ["t", "t/train", "t/train/c"], "no photo in `t/train/c`"),
        (tree("train/a", "train/b"), ["test/a"], "no photo in `test/a`"),
    ],
)
def test_classes_that_cannot_be_learned_or_measured_are_named(
    photos: list[Member], folders: list[str], said: str
) -> None:
    with pytest.raises(LandmarksError, match=f"my.zip.*{said}") as caught:
        layout(photos, folders, archive="my.zip")
    assert caught.value.hint


def test_folders_beside_train_and_test_may_be_empty() -> None:
    assert layout(tree("train/a", "train/b"), ["train", "train/a", "train/b", "docs", "docs/x"])


def test_many_bad_classes_give_one_short_line() -> None:
    with pytest.raises(LandmarksError, match="`c00`, .* and 45 more") as caught:
        layout(tree("a", "b") + members(*(f"c{n:02d}/1.jpg" for n in range(50))))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("top", ["", "negatives/"])
def test_negatives_have_a_kind(top: str) -> None:
    found = kinds(tree(top + "everyday", top + "scene"))
    assert {(p.class_name, p.official_split) for p in found} == {("everyday", ""), ("scene", "")}


def test_negatives_of_one_kind_and_none_at_all() -> None:
    assert {p.class_name for p in kinds(tree("negatives"))} == {"negatives"}
    assert kinds([]) == []
    with pytest.raises(LandmarksError, match="none in a folder"):
        kinds(members("1.jpg"))


def test_the_shared_negatives(shared: Path) -> None:
    with open_archive(shared / "negatives" / "negatives.zip") as archive:
        found = kinds(archive.members)
    assert {p.class_name for p in found} == {"everyday", "home", "scene", "other_place"}
    assert len(found) == 300
