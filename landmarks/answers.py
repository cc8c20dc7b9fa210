"""A prediction as JSON: the same for the command and the service."""

from typing import Any

from landmarks.prediction import Prediction

DIGITS = 6
"""Decimals of a probability; what is beyond hangs on the processor."""


def as_json(prediction: Prediction) -> dict[str, Any]:
    """Return what JSON is told of a prediction, probabilities rounded."""
    tree = prediction.model_dump(by_alias=True)
    tree["known_score"] = round(prediction.known_score, DIGITS)
    for guess in tree["guesses"]:
        guess["confidence"] = round(guess["confidence"], DIGITS)
    return tree
