"""The decision "none of the known landmarks": scores, the choice among them, and safe names."""

import math
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from landmarks import known, metrics, params, thresholds, unknown
from landmarks.errors import LandmarksError

CLASSES, PER_CLASS, SIZE = 4, 60, 12
SETTINGS = params.Calibrate(
    mirror=False,
    temperature=True,
    known="best",
    keep=0.95,
    precision=0.97,
    untuned_kinds=["other_place"],
)
NOTHING = np.empty(0, dtype=str)


def features_of(labels: np.ndarray, seed: int, sure: float = 6.0) -> np.ndarray:
    """Features that point along one axis for each class, under noise."""
    noise = np.random.default_rng(seed).normal(0, 1, (len(labels), SIZE))
    noise[np.arange(len(labels)), labels] += sure
    return noise.astype(np.float32)


def classifier() -> nn.Linear:
    linear = nn.Linear(SIZE, CLASSES)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(CLASSES, SIZE) * 1.5)
        linear.bias.zero_()
    return linear


def fitted(kinds: np.ndarray, negatives: np.ndarray, **changes: object) -> unknown.Fitted:
    labels = np.arange(CLASSES * PER_CLASS) % CLASSES
    features = [features_of(labels, 1), negatives, features_of(labels, 2)]
    return unknown.fit(
        np.concatenate(features).astype(np.float32),
        classifier(),
        unknown.Photos(labels, kinds, labels),
        SETTINGS.model_copy(update=changes),
        keep_photos=False,
        bins=15,
    )


def elsewhere(n: int, axis: int = 8) -> np.ndarray:
    """Features that are as long as those of known photos, and point where no class lies."""
    random = np.random.default_rng(9)
    strange = random.normal(0, 1, (n, SIZE))
    strange[:, axis] += 6
    return strange.astype(np.float32)


def test_each_score_is_what_its_paper_says() -> None:
    features = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.4, 0.3]])
    stats = {
        "means": torch.tensor([[6.0, 8.0], [1.0, 0.0]]),
        "axes": torch.tensor([[1.0], [0.0]]),
        "gains": torch.tensor([1 / 4 - 1 / 2]),  # 4 along the first axis, 2 along the second
        "spread": torch.tensor(2.0),
    }
    p = torch.softmax(logits, 1).max(1).values.numpy()
    expected = {
        "max_probability": np.log(p / (1 - p)),
        "max_logit": [2.0, 0.5],
        "energy": np.log(np.exp(logits.numpy()).sum(1)),
        # Worked out with 20 decimals.
        "generalized_entropy": [-2.33703313, -2.58001825],
        "cosine": [1.0, 0.8],
        "mahalanobis": [
            -math.sqrt(((2 / 4) ** 2 + (4 / 2) ** 2) / 2),
            -math.sqrt(((1 / 4) ** 2 + (2 / 2) ** 2) / 2),
        ],
    }
    scales = {name: 2.0 + number for number, name in enumerate(expected)}
    for name, values in expected.items():
        found = known.score(name, stats, {})(features, logits)
        assert found.numpy() == pytest.approx(np.array(values), rel=1e-5), name
    both = known.score("max_probability+cosine", stats, scales)(features, logits)
    parts = np.array(expected["max_probability"]) / 2 + np.array(expected["cosine"]) / 6
    assert both.numpy() == pytest.approx(parts, rel=1e-5)
    with pytest.raises(LandmarksError, match="no method 'odin'.*calibrate.known to best.*energy"):
        known.score("odin", stats, {})


def test_generalized_entropy_tells_sure_photos_apart_beyond_rounding() -> None:
    """Where one minus the probability is less than float32 can say, and 0 would be a jump."""
    logits = torch.tensor([[40.0, 0, 0], [60.0, 0, 0]])
    found = known.score("generalized_entropy", {}, {})(logits, logits).tolist()
    # (2 exp(-x))^0.1 of the likeliest class, exp(-x)^0.1 of both others.
    assert found == pytest.approx([-0.019630 - 2 * 0.018316, -0.002657 - 2 * 0.002479], rel=1e-3)


def test_every_method_can_be_asked_for_in_params_yaml() -> None:
    allowed = get_args(params.Calibrate.model_fields["known"].annotation)
    assert allowed == ("best", *known.METHODS)


def test_statistics_are_those_of_the_classes_even_of_a_single_photo() -> None:
    labels = torch.tensor([0, 0, 0, 1])
    features = torch.tensor([[1.0, 0, 0], [3, 0, 0], [2, 3, 0], [9, 9, 9]])
    stats = known.statistics(features, labels, 2)
    assert stats["means"].tolist() == [[2, 1, 0], [9, 9, 9]]
    for method in known.METHODS:
        score = known.score(method, stats, dict.fromkeys(known.METHODS, 1.0))
        found = score(features, torch.zeros(4, 2))
        assert torch.isfinite(found).all(), method
    one = known.statistics(torch.zeros(2, 3), torch.tensor([0, 1]), 2)
    assert all(torch.isfinite(part).all() for part in one.values())


def test_the_classifier_of_the_features_is_the_network() -> None:
    network = nn.Sequential(
        nn.Linear(5, 7), nn.ReLU(), nn.Sequential(nn.Dropout(), nn.Linear(7, 3))
    )
    body, head = known.split_head(network.eval())
    photos = torch.randn(4, 5)
    assert torch.equal(head(body(photos)), network(photos)) and body(photos).shape == (4, 7)


def test_the_method_is_chosen_by_kinds_that_it_was_not_chosen_on() -> None:
    known_scores = np.linspace(0, 1, 101)
    kinds = np.array(["a"] * 10 + ["b"] * 10)
    ours = {"first": known_scores, "second": known_scores}
    theirs = {"first": np.full(20, 0.2), "second": np.repeat([0.0, 0.3], 10)}
    # Second is best on a, first on b: each is chosen for the kind that it fails on.
    name, unseen = thresholds.choose_method(ours, theirs, kinds)
    assert name == "second"
    assert unseen == pytest.approx((0.8 + 0.7) / 2, abs=0.01)
    same, _ = thresholds.choose_method(ours, {"first": theirs["first"]} | theirs, kinds[:])
    assert same == "second"
    alike = {"first": theirs["first"], "second": theirs["first"]}
    assert thresholds.choose_method(ours, alike, kinds)[0] == "first"
    assert thresholds.choose_method(ours, theirs, np.full(20, "a"))[0] in ours


@pytest.mark.parametrize("negatives", [0, 40])
def test_what_rounding_decides_is_not_chosen(negatives: int) -> None:
    """A network that is unsure of everything: all its probabilities are nearly the same."""
    labels = np.arange(CLASSES * PER_CLASS) % CLASSES
    features = np.concatenate([features_of(labels, 1), elsewhere(negatives)])
    unsure = classifier()
    with torch.no_grad():
        unsure.weight.mul_(1e-5)
    photos = unknown.Photos(labels, np.full(negatives, "scene"), labels)
    settings = SETTINGS.model_copy(update={"temperature": False})
    every = np.concatenate([features, features_of(labels, 2)]).astype(np.float32)
    found = unknown.fit(every, unsure, photos, settings, keep_photos=False, bins=15)
    chosen = found.calibration["known"]
    seen = torch.from_numpy(features[: len(labels)])
    logits = unsure(seen).detach()
    score = known.score(chosen["method"], found.statistics, chosen["scales"])
    exact = score.double()(seen.double(), logits.double())
    rounded = known.score(chosen["method"], found.statistics, chosen["scales"])(seen, logits)
    assert (exact - rounded).abs().max() < 1e-3 * chosen["scale"]


def test_a_distance_is_chosen_where_negatives_are_confident_and_far_from_every_class() -> None:
    strange = elsewhere(40)
    strange[:, 0] += 5.5  # looks a little like the first class, which the softmax is sure of
    kinds = np.array(["everyday", "scene"] * 20)
    found = fitted(kinds, strange)
    chosen = found.calibration["known"]
    assert "cosine" in chosen["method"] or "mahalanobis" in chosen["method"]
    assert chosen["tuned_on"] == ["everyday", "scene"]
    assert found.figures["known_auroc_max_probability"] < 0.9
    assert found.figures["known_auroc_held_out"] > 0.95
    assert found.figures["negatives_named"] < 0.2
    assert 0.95 <= found.figures["known_kept"] < 0.97
    assert fitted(kinds, strange, known="energy").calibration["known"]["method"] == "energy"


def test_kinds_that_no_choice_may_see_change_nothing() -> None:
    strange, kinds = elsewhere(40), np.array(["everyday", "scene"] * 20)
    hidden = np.concatenate([strange, features_of(np.zeros(9, dtype=int), 5)])
    other = fitted(np.append(kinds, ["other_place"] * 9), hidden)
    alone = fitted(kinds, strange)
    assert other.calibration == alone.calibration and other.figures == alone.figures


@pytest.mark.parametrize("kind", [None, "other_place"])
def test_without_negatives_to_tune_on_validation_photos_decide_alone(kind: str | None) -> None:
    kinds = np.array([kind] * 5) if kind else NOTHING
    found = fitted(kinds, elsewhere(len(kinds)))
    chosen = found.calibration["known"]
    assert chosen["method"] == unknown.DEFAULT_METHOD and chosen["tuned_on"] == []
    assert 0.95 <= found.figures["known_kept"] < 0.97
    assert "negatives_named" not in found.figures
    assert "without negatives" in unknown.describe(found)


def test_the_same_photos_give_the_same_decision() -> None:
    strange, kinds = elsewhere(40), np.array(["everyday", "scene"] * 20)
    one, two = fitted(kinds, strange), fitted(kinds, strange)
    assert one.calibration == two.calibration and one.figures == two.figures
    assert all(torch.equal(one.statistics[name], two.statistics[name]) for name in one.statistics)


def test_the_threshold_keeps_what_it_promises() -> None:
    scores = np.arange(1000.0)
    assert (scores >= thresholds.keep_threshold(scores, 0.95)).mean() >= 0.95
    assert (scores >= thresholds.keep_threshold(scores, 0.95) + 1).mean() < 0.951
    assert thresholds.keep_threshold(np.array([3.0]), 0.95) == 3.0


def test_every_kind_of_negatives_weighs_alike() -> None:
    weights = thresholds.kind_weights(np.array(["a", "b", "b", "b"]), 6)
    assert weights.tolist() == [3, 1, 1, 1]
    assert thresholds.kind_weights(NOTHING, 6).tolist() == []


def photos_named(n: int = 20_000, classes: int = 2) -> thresholds.Named:
    """Photos that are surer than they say; class 1 is wrong four times as often."""
    random = np.random.default_rng(4)
    confidence = random.uniform(0.5, 1, n)
    predicted = np.arange(n) % classes
    wrong = (1 - confidence) * np.where(predicted == 1, 0.8, 0.2)
    return thresholds.Named(confidence, predicted, random.random(n) > wrong, np.ones(n))


def test_names_above_the_line_are_right_as_often_as_asked() -> None:
    named = photos_named()
    line = thresholds.precise_threshold(named.confidence, named, 0.97)
    sure = named.take(named.confidence >= line)
    assert sure.right.mean() > 0.97 and len(sure.right) > 200
    lower = named.take(named.confidence >= line - 0.05)
    bound = thresholds.lower_bound(np.array([lower.right.sum()]), np.array([len(lower.right)]))
    assert bound < 0.97  # it is the lowest line that is certain
    assert thresholds.precise_threshold(named.confidence, named, 0.9) < line


def test_a_negative_with_a_name_raises_the_line() -> None:
    named = photos_named()
    before = thresholds.precise_threshold(named.confidence, named, 0.97)
    none = thresholds.Named(np.array([0.97]), np.array([0]), np.array([False]), np.array([100.0]))
    pairs = zip(
        (named.confidence, named.predicted, named.right, named.weights),
        (none.confidence, none.predicted, none.right, none.weights),
        strict=True,
    )
    both = thresholds.Named(*(np.concatenate(pair) for pair in pairs))
    assert thresholds.precise_threshold(both.confidence, both, 0.97) > max(before, 0.97)


def test_few_photos_get_the_surest_line_there_is() -> None:
    two = thresholds.Named(
        np.array([0.9, 0.6]), np.zeros(2, int), np.array([1, 0]) == 1, np.ones(2)
    )
    assert thresholds.precise_threshold(two.confidence, two, 0.97) == 0.9


def test_a_class_that_attracts_wrong_photos_asks_for_more_confidence() -> None:
    good, bad, rare = thresholds.class_thresholds(photos_named(), 3, 0.95)
    assert 0 < good < bad < 1
    assert good < rare < bad  # nothing is known of it: in between
    named = photos_named()
    sure = named.confidence >= np.array([good, bad])[named.predicted]
    assert named.right[sure].mean() > 0.95


def test_the_lower_bound_is_wilsons() -> None:
    from scipy.stats import binomtest

    interval = binomtest(180, 200).proportion_ci(confidence_level=0.9, method="wilson")
    bound = thresholds.lower_bound(np.array([180.0]), np.array([200.0]))[0]
    assert bound == pytest.approx(interval.low, abs=1e-4)


def test_auroc_counts_pairs_and_halves_ties() -> None:
    assert metrics.auroc(np.array([0.9, 0.5]), np.array([0.5, 0.1])) == 3.5 / 4


def test_what_of_the_unknown_gets_a_name_is_told_by_kind() -> None:
    kinds = np.array(["home", "home", "scene", "scene"])
    figures = metrics.unknown_summary(
        np.array([0.9, 0.8, 0.4]), np.array([0.1, 0.6, 0.2, 0.3]), kinds, 0.5
    )
    assert figures["known_kept"] == pytest.approx(2 / 3, abs=1e-6)
    assert (figures["negatives_named"], figures["negatives_n"]) == (0.25, 4)
    assert (figures["negatives_named_home"], figures["negatives_named_scene"]) == (0.5, 0)
    assert figures["auroc"] == pytest.approx(11 / 12, abs=1e-6) and figures["auroc_scene"] == 1
    assert set(metrics.unknown_summary(np.ones(3), np.empty(0), NOTHING, 0.5)) == {"known_kept"}


def test_precision_is_of_the_names_and_recall_of_the_known() -> None:
    named, right = np.array([1, 1, 1, 0, 0]) == 1, np.array([1, 1, 0, 1, 0]) == 1
    figures = metrics.naming_summary(named, right, 4, "precise")
    assert figures["precise_precision"] == pytest.approx(2 / 3, abs=1e-6)
    assert figures["precise_recall"] == 0.5
    assert figures["precise_recall_low"] < 0.5 < figures["precise_recall_high"]
    assert "precise_precision" not in metrics.naming_summary(named & False, right, 4, "precise")


def test_a_perfectly_calibrated_network_stays_below_its_resamples_19_times_in_20() -> None:
    random = np.random.default_rng(2)
    below = []
    for _ in range(60):
        confidence = random.uniform(0.4, 1, 300)
        table = np.column_stack([confidence, 1 - confidence])
        table.sort(axis=1)
        labels = np.where(random.random(300) < table[:, 1], 1, 0)
        ece = metrics.expected_calibration_error(table, labels, 15)
        below.append(ece <= metrics.perfect_ece(table, 15))
    assert 0.85 < np.mean(below) <= 1
    assert metrics.perfect_ece(np.tile([0.0, 1.0], (50, 1)), 15) == 0
