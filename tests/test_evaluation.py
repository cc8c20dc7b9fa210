"""Figures are measured on the exported files themselves, and a wrong file is never measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from small_export import CLASSES, Reddest, photos, write_card, write_export
from torch import nn

from landmarks import card, environment, inference
from landmarks.errors import LandmarksError
from landmarks.evaluation import Unseen, check_agreement, evaluate, run_export
from landmarks.files import write_json
from landmarks.plots import write_scores, write_tables
from landmarks.prediction import Outputs


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return write_export(tmp_path / "scratch")


def test_an_engineer_reads_how_good_the_exported_files_are(export: Path, tmp_path: Path) -> None:
    pixels, labels = photos()
    grey = np.full((20, 8, 8, 3), 90, np.uint8)
    kinds = np.array(["grey"] * 12 + ["other_place"] * 8)
    grey[15:, ..., 2] = 250  # of the other places five look as a known one
    unseen = Unseen(np.arange(100), labels, CLASSES, np.arange(100, 120), kinds)
    figures, ours, theirs = evaluate(
        export, np.concatenate([pixels, grey]), unseen, bins=15, label="scratch"
    )
    write_tables(tmp_path / "metrics", ours.probabilities, labels, CLASSES, bins=15, pairs=20)
    write_scores(tmp_path / "metrics", ours.known_score, theirs.known_score)

    assert figures["accuracy"] == 0.9
    assert figures["n"] == 100
    assert figures["parameters"] == 3
    assert figures["onnx_bytes"] == (export / "landmarks.onnx").stat().st_size
    assert figures["torchscript_bytes"] == (export / "landmarks.pt").stat().st_size
    tables = {path.stem: pd.read_csv(path) for path in (tmp_path / "metrics").iterdir()}
    assert set(tables) == {
        "confusion",
        "confusion_pairs",
        "known_scores",
        "per_class",
        "reliability",
    }
    assert tables["known_scores"][["known", "negatives"]].sum().tolist() == pytest.approx([1, 1])
    assert figures["known_kept"] == (ours.known_score >= 0.5).mean() > 0.9
    assert (figures["negatives_n"], figures["negatives_named"]) == (20, 0.25)
    assert (figures["negatives_named_grey"], figures["negatives_named_other_place"]) == (0, 0.625)
    assert figures["auroc_grey"] == 1 > figures["auroc"] > figures["auroc_other_place"]
    # Above the line are nearly all photos, a tenth of them mislabelled, and the five blue ones.
    named = (ours.probabilities.max(axis=1) >= 0.55) & ours.known
    right = ours.probabilities.argmax(axis=1) == labels
    assert figures["precise_recall"] == (named & right).sum() / 100
    assert figures["precise_precision"] == pytest.approx(
        (named & right).sum() / (named.sum() + 5), abs=1e-6
    )
    assert figures["precise_precision_low"] < figures["precise_precision"]
    assert figures["precise_by_class_recall"] != figures["precise_recall"]
    assert (tables["confusion"]["actual"] == tables["confusion"]["predicted"]).sum() == 90
    assert tables["per_class"]["class"].tolist() == CLASSES
    assert tables["confusion_pairs"]["n"].sum() == 10
    assert tables["reliability"]["n"].sum() == 100


def test_what_a_photo_costs_is_told_where_the_card_knows_it(export: Path) -> None:
    pixels, labels = photos()
    unseen = Unseen(np.arange(9), labels[:9], CLASSES, np.arange(0), np.array([], str))

    def figures() -> dict[str, float]:
        return evaluate(export, pixels, unseen, bins=15, label="scratch")[0]

    assert "gflops" not in figures()  # a card of an earlier version
    described = card.read(export).model_copy(update={"flops": 1_234_567_000})
    write_json(export / card.CARD, described.to_json())
    assert figures()["gflops"] == 1.234567


def test_only_the_rows_asked_for_are_measured_in_their_order(export: Path) -> None:
    pixels, _ = photos()
    rows = np.array([98, 1, 3, 50])
    named = run_export(export, "onnx", pixels, rows, "some").probabilities.argmax(axis=1)
    assert named.tolist() == [98 % 3, 1, 0, 50 % 3]


def test_the_number_of_cores_changes_no_bit(
    export: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pixels, labels = photos(500)
    written = []
    for cores in (1, 3, 8):
        monkeypatch.setattr(environment, "cores", lambda cores=cores: cores)
        unseen = Unseen(
            np.arange(400), labels[:400], CLASSES, np.arange(400, 500), np.full(100, "a")
        )
        _, ours, theirs = evaluate(export, pixels, unseen, bins=15, label="scratch")
        probabilities = ours.probabilities
        write_tables(tmp_path / str(cores), probabilities, labels[:400], CLASSES, bins=15, pairs=20)
        write_scores(tmp_path / str(cores), ours.known_score, theirs.known_score)
        texts = [path.read_bytes() for path in sorted((tmp_path / str(cores)).iterdir())]
        written.append((probabilities.tobytes(), texts))
    assert written[0] == written[1] == written[2]


def test_both_exports_answer_alike(export: Path) -> None:
    pixels, _ = photos(40)
    rows = np.arange(40)
    one = run_export(export, "torchscript", pixels, rows, "both")
    other = run_export(export, "onnx", pixels, rows, "both")
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)
    np.testing.assert_allclose(one.known_score, other.known_score, atol=1e-6)
    assert (one.known == other.known).all() and one.known.any()


@pytest.mark.parametrize("name", ["landmarks.onnx", "landmarks.pt"])
def test_a_file_that_was_changed_after_export_is_refused(export: Path, name: str) -> None:
    data = bytearray((export / name).read_bytes())
    data[-1] ^= 1
    (export / name).write_bytes(data)
    with pytest.raises(LandmarksError, match=rf"{name} is not the file.*SHA-256") as caught:
        evaluate(export, *measured_on(), bins=15, label="scratch")
    assert "dvc pull" in caught.value.hint


def test_a_model_card_that_is_none_is_refused(export: Path) -> None:
    (export / card.CARD).write_text("{}")
    with pytest.raises(LandmarksError, match=r"model\.json"):
        evaluate(export, *measured_on(), bins=15, label="scratch")


def test_a_missing_file_is_named(export: Path) -> None:
    (export / "landmarks.pt").unlink()
    with pytest.raises(LandmarksError, match=r"landmarks\.pt is missing"):
        evaluate(export, *measured_on(), bins=15, label="scratch")


def test_exports_that_disagree_are_not_measured(export: Path) -> None:
    torch.jit.script(Reddest([1, 0, 2])).save(export / "landmarks.pt")
    write_card(export)
    with pytest.raises(LandmarksError, match="different landmarks on 2 of 3 photos.* id 0"):
        evaluate(export, *measured_on(), bins=15, label="scratch")


def test_an_export_of_other_landmarks_is_not_measured(export: Path) -> None:
    pixels, unseen = measured_on()
    with pytest.raises(LandmarksError, match="other classes"):
        evaluate(export, pixels, replace(unseen, classes=CLASSES[::-1]), bins=15, label="scratch")


def test_a_tie_that_rounding_turns_is_no_disagreement() -> None:
    def answer(*row: float, score: float = 0.9) -> Outputs:
        scores = np.array([score], np.float32)
        return Outputs(np.array([row], np.float32), scores, scores >= 0.5)

    one = answer(0.50001, 0.49999, score=0.4999)
    check_agreement(one, answer(0.49999, 0.50001, score=0.5001), np.array([7]))
    with pytest.raises(LandmarksError, match="different landmarks.* id 7"):
        check_agreement(answer(0.6, 0.4), answer(0.4, 0.6), np.array([7]))
    with pytest.raises(LandmarksError, match="disagree whether any landmark is known.* id 7"):
        check_agreement(answer(0.6, 0.4), answer(0.6, 0.4, score=0.2), np.array([7]))


def test_a_split_without_photos_says_so(export: Path) -> None:
    none = np.array([], dtype=np.int64)
    unseen = Unseen(none, none, CLASSES, none, none.astype(str))
    with pytest.raises(LandmarksError, match="no photos"):
        evaluate(export, photos(3)[0], unseen, bins=15, label="scratch")


def test_preprocessing_is_that_of_pillow_and_numpy() -> None:
    from PIL import Image

    photo = np.random.default_rng(5).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
    bare = inference.Normalized(nn.Identity(), 16, mean, std)
    got = inference.run_module(bare, photo[None], np.array([0]), "one")[0].transpose(1, 2, 0)
    resized = np.asarray(Image.fromarray(photo).resize((16, 16), Image.Resampling.BILINEAR))
    expected = (resized / 255 - mean) / std
    # Pillow rounds to whole levels between and after its two passes.
    assert np.abs(got - expected).max() < 1.1 / 255 / min(std)


def test_running_a_network_leaves_pytorchs_threads_as_they_were() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        bare = inference.Normalized(nn.Identity(), 4, [0.5] * 3, [0.5] * 3)
        inference.run_module(bare, photos(3)[0], np.arange(3), "bare")
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def measured_on() -> tuple[np.ndarray, Unseen]:
    pixels, labels = photos(3)
    none = np.array([], dtype=np.int64)
    return pixels, Unseen(np.arange(3), labels, CLASSES, none, none.astype(str))
