"""Figures that people will quote agree with values worked out by hand or printed in papers."""

import math

import numpy as np
import pytest

from landmarks import metrics

CLASSES = ["00.Tower", "01.Bridge", "02.Falls"]

# Ten photos: of four towers three are right; of four bridges two are right, two are towers; of two
# falls none is right: a tower and a bridge.
ACTUAL = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 1, 0, 0, 0, 1])


def sure_of(predicted: np.ndarray, confidence: float, classes: int = 3) -> np.ndarray:
    rest = (1 - confidence) / (classes - 1)
    table = np.full((len(predicted), classes), rest, dtype=np.float32)
    table[np.arange(len(predicted)), predicted] = confidence
    return table


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_interval_is_the_one_in_newcombes_table(hits: int, n: int, low: float, high: float) -> None:
    assert metrics.wilson(hits, n) == pytest.approx((low, high), abs=5e-5)


def test_summary_of_ten_photos_worked_by_hand() -> None:
    figures = metrics.summary(sure_of(PREDICTED, 0.8), ACTUAL, bins=15)
    assert figures["accuracy"] == 0.5
    assert figures["n"] == 10
    # Tower: precision 3/6, recall 3/4 -> 0.6. Bridge: 2/4, 2/4 -> 0.5. Falls: 0.
    assert figures["macro_f1"] == pytest.approx((0.6 + 0.5 + 0) / 3, abs=1e-6)
    # Half of the photos have p = 0.8, half 0.1.
    assert figures["nll"] == pytest.approx(-(math.log(0.8) + math.log(0.1)) / 2, abs=1e-6)
    assert figures["ece"] == pytest.approx(0.3, abs=1e-6)
    assert figures["top5_accuracy"] == 1.0  # there are only three classes
    assert figures["accuracy_low"] < 0.5 < figures["accuracy_high"]
    assert all(value == round(value, 6) for value in figures.values())


def test_top5_counts_the_fifth_and_not_the_sixth() -> None:
    ranking = np.array([0.3, 0.2, 0.15, 0.12, 0.1, 0.08, 0.05])
    photos = np.tile(ranking, (7, 1))
    assert metrics.top_k_accuracy(photos, np.arange(7), 5) == pytest.approx(5 / 7)


def test_two_classes_are_enough() -> None:
    figures = metrics.summary(sure_of(np.array([0, 1]), 0.9, 2), np.array([0, 0]), bins=15)
    assert (figures["accuracy"], figures["top5_accuracy"]) == (0.5, 1.0)
    assert metrics.top_k_accuracy(sure_of(np.array([0, 1]), 0.9, 2), np.array([0, 0]), 1) == 0.5


def test_a_true_class_of_probability_zero_keeps_the_likelihood_finite() -> None:
    photos = np.array([[1.0, 0.0], [1.0, 0.0]], dtype=np.float32)
    nll = metrics.negative_log_likelihood(photos, np.array([0, 1]))
    assert nll == pytest.approx(-math.log(2.220446e-16) / 2, rel=1e-3)


def test_reliability_gathers_equal_confidences_and_skips_empty_bins() -> None:
    photos = np.vstack(
        [
            sure_of(np.array([0, 0, 0, 0]), 0.55, 2),
            sure_of(np.array([0, 0]), 0.95, 2),
        ]
    ).astype(np.float64)
    labels = np.array([0, 0, 0, 1, 0, 1])
    table = metrics.reliability(photos, labels, bins=10)
    assert table["low"].tolist() == pytest.approx([0.5, 0.9])
    assert table["n"].tolist() == [4, 2]
    assert table["confidence"].tolist() == pytest.approx([0.55, 0.95])
    assert table["accuracy"].tolist() == [0.75, 0.5]
    assert not table.isna().any(axis=None)
    # 4/6 of 0.20 and 2/6 of 0.45.
    assert metrics.expected_calibration_error(photos, labels, 10) == pytest.approx(0.85 / 3)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below() -> None:
    table = metrics.reliability(np.array([[0.75, 0.25], [1.0, 0.0]]), np.array([0, 0]), bins=4)
    assert table["high"].tolist() == [0.75, 1.0]


def test_confusion_pairs_name_who_is_taken_for_whom() -> None:
    pairs = metrics.confusion_pairs(ACTUAL, PREDICTED, CLASSES, most=3)
    assert pairs.to_numpy().tolist() == [
        ["01.Bridge", "00.Tower", 2, 0.5],
        ["00.Tower", "01.Bridge", 1, 0.25],
        ["02.Falls", "00.Tower", 1, 0.5],
    ]


def test_confusion_pairs_of_a_perfect_network_are_none() -> None:
    pairs = metrics.confusion_pairs(ACTUAL, ACTUAL, CLASSES, most=3)
    assert list(pairs.columns) == ["actual", "predicted", "n", "share"]
    assert pairs.empty


def test_per_class_says_what_each_landmark_is_good_for() -> None:
    table = metrics.per_class(ACTUAL, PREDICTED, CLASSES).set_index("class")
    assert table["n"].tolist() == [4, 4, 2]
    assert table["recall"].tolist() == [0.75, 0.5, 0.0]
    assert table["precision"].tolist()[:2] == [0.5, 0.5]
    assert table.loc["02.Falls", "taken_for"] == "00.Tower (1); 01.Bridge (1)"
    # Wilson for 3 of 4, by hand: (0.75 + 1.9208/4 -+ 1.96 sqrt(0.1875/4 + 0.9604/16)) / 1.9604
    assert table["recall_low"].iloc[0] == pytest.approx(0.3006, abs=1e-4)
    assert table["recall_high"].iloc[0] == pytest.approx(0.9544, abs=1e-4)


def test_a_class_without_test_photos_has_no_recall_instead_of_zero() -> None:
    table = metrics.per_class(np.array([0, 1]), np.array([0, 0]), CLASSES).set_index("class")
    assert table.loc["02.Falls", ["recall", "recall_low", "precision"]].isna().all()
    assert table.loc["01.Bridge", "recall"] == 0
