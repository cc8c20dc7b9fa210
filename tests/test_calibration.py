"""A network that is too sure of itself learns to say so, and nothing breaks on few photos."""

import math

import numpy as np
import pytest

from landmarks.calibration import HIGHEST, LOWEST, calibrate, fit_temperature


def pairs(margin: float, right: int, wrong: int) -> tuple[np.ndarray, np.ndarray]:
    """Photos of two classes with one margin between the logits, some of them wrong."""
    logits = np.tile(np.array([margin, 0.0], dtype=np.float32), (right + wrong, 1))
    return logits, np.array([0] * right + [1] * wrong)


def test_temperature_makes_confidence_the_share_that_is_right() -> None:
    # sigmoid(4 / T) = 3/4 means T = 4 / ln 3.
    logits, labels = pairs(4.0, right=7500, wrong=2500)
    assert fit_temperature(logits, labels) == pytest.approx(4 / math.log(3), abs=0.01)


def test_a_network_that_is_not_sure_enough_is_made_surer() -> None:
    logits, labels = pairs(0.5, right=7500, wrong=2500)
    assert fit_temperature(logits, labels) == pytest.approx(0.5 / math.log(3), abs=0.005)


@pytest.mark.parametrize("n", [1, 3, 20])
def test_few_photos_that_are_all_right_do_not_make_a_network_certain(n: int) -> None:
    temperature = fit_temperature(*pairs(5.0, right=n, wrong=0))
    assert 0.5 < temperature < 1


def test_photos_that_are_all_wrong_stay_within_bounds() -> None:
    assert 1 < fit_temperature(*pairs(50.0, right=0, wrong=200)) <= HIGHEST
    assert fit_temperature(*pairs(1e-3, right=100_000, wrong=0)) >= LOWEST


def test_logits_that_say_nothing_change_nothing() -> None:
    assert fit_temperature(np.zeros((50, 4)), np.zeros(50, dtype=int)) == 1.0


def test_huge_logits_do_not_overflow() -> None:
    logits, labels = pairs(1e4, right=90, wrong=10)
    assert math.isfinite(fit_temperature(logits, labels))


def test_same_logits_in_either_precision_give_the_same_temperature() -> None:
    logits, labels = pairs(3.0, right=80, wrong=20)
    assert fit_temperature(logits, labels) == fit_temperature(logits.astype(np.float64), labels)


def test_calibration_improves_what_it_promises_and_nothing_else() -> None:
    logits, labels = pairs(4.0, right=750, wrong=250)
    calibration, figures = calibrate(logits, labels, temperature=True, bins=15)
    assert calibration == {"temperature": figures["temperature"]}
    assert figures["accuracy"] == 0.75
    assert figures["n"] == 1000
    assert figures["ece_uncalibrated"] == pytest.approx(1 / (1 + math.exp(-4)) - 0.75, abs=1e-6)
    assert figures["ece"] < 0.01 < figures["ece_uncalibrated"]
    assert figures["nll"] < figures["nll_uncalibrated"]


def test_calibration_can_be_switched_off() -> None:
    calibration, figures = calibrate(*pairs(4.0, 75, 25), temperature=False, bins=15)
    assert calibration["temperature"] == 1.0
    assert figures["ece"] == figures["ece_uncalibrated"]
