"""Which names are safe to write: the model decides, the photo's own GPS, and last a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from landmarks.card import ModelCard
from landmarks.prediction import DEMONSTRATION, Guess, Prediction
from landmarks.tagging.places import Position, distance_km
from landmarks.tagging.reading import Read

FARTHEST_KM = 100.0
"""A landmark farther than this from the photo's own GPS is not the one shown: mountains are seen
from far, and cameras keep an old position for a while."""

REFUSED, ACCEPTED = "refused by a person", "accepted by a person"
INVENTED = "the model knows invented places only"

Decision = Literal["named", "unsure", "unknown", "unreadable"]


@dataclass(frozen=True)
class Verdict:
    """What a person said of one photo.

    Attributes:
        accepted: the class that it shows, empty if none was named.
        refused: classes that it does not show.
    """

    accepted: str = ""
    refused: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Rules:
    """What a name needs to be written.

    Attributes:
        card: of the model.
        min_confidence: for every class alike; None takes the card's.
        per_class: whether each class has its own threshold, the card's.
        verdicts: what a person said, by SHA-256; accepted classes are those of the model.
    """

    card: ModelCard
    min_confidence: float | None
    per_class: bool
    verdicts: Mapping[str, Verdict]


@dataclass(frozen=True)
class Row:
    """What was found out about one photo.

    Attributes:
        decision: `named` is written, the others are not.
        reason: why it is not, or that a person said so; empty where the model is simply sure.
        place: the landmark that is named or the likeliest; None of an unreadable photo.
        distance_km: from the photo's own GPS to `place`.
        own: where the photo or its sidecar says that it was taken.
    """

    read: Read
    decision: Decision
    reason: str = ""
    place: Guess | None = None
    distance_km: float | None = None
    own: Position | None = None

    @property
    def judged(self) -> bool:
        """Whether the model had a say: one of invented places has none in real photos."""
        return self.decision != "unreadable" and self.reason != INVENTED


def decide(read: Read, rules: Rules, own: Position | None) -> Row:
    """Decide on a photo; `own` is where it or its sidecar says that it was taken."""
    prediction = read.prediction
    if prediction is None:
        return Row(read, "unreadable", read.reason, own=own)
    verdict = rules.verdicts.get(read.sha256, Verdict())
    place = _place(prediction, verdict.accepted, rules.card)
    far = _distance(place, own)

    def row(decision: Decision, reason: str = "") -> Row:
        return Row(read, decision, reason, place, far, own)

    if rules.card.invented and not read.header.drawn:
        return row("unknown", INVENTED)
    if verdict.accepted:
        return row("named", ACCEPTED)
    if place.class_name in verdict.refused:
        return row("unknown", REFUSED)
    if prediction.unknown:
        return row("unknown", "shows none of the known landmarks")
    if far is not None and far > FARTHEST_KM:
        return row("unsure", f"its own GPS is {far:,.0f} km from there")
    least = _threshold(place, rules)
    if place.confidence < least:
        return row("unsure", f"confidence below {least:.4g}")
    return row("named")


def demonstration(refused: int) -> str:
    """Return what is said when a model of invented places met real photos."""
    return (
        f"photos left without a place, as the sample did not draw them: {refused}; {DEMONSTRATION}"
    )


def _place(prediction: Prediction, accepted: str, card: ModelCard) -> Guess:
    """Return what is named: the likeliest, or the class that a person accepted."""
    if not accepted:
        return prediction.best
    known = {guess.class_name: guess for guess in prediction.guesses}
    landmark = next(one for one in card.classes if one.class_name == accepted)
    # A person is sure, but the record says how sure the model was.
    return known.get(accepted) or Guess(**landmark.model_dump(), confidence=0.0)


def _distance(place: Guess, own: Position | None) -> float | None:
    if own is None or place.latitude is None or place.longitude is None:
        return None
    return distance_km(own, Position(place.latitude, place.longitude))


def _threshold(place: Guess, rules: Rules) -> float:
    if rules.min_confidence is not None:
        return rules.min_confidence
    thresholds = rules.card.thresholds
    if rules.per_class:
        names = [one.class_name for one in rules.card.classes]
        return thresholds.classes[names.index(place.class_name)]
    return thresholds.confidence
