"""What a model answers: raw outputs for programs, and predictions for people."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from landmarks.catalogue import Landmark

DEMONSTRATION = (
    "demonstration model: invented places. Train on real photos (`make preset NAME=landmarks50`, "
    "`dvc repro`) or `dvc pull` a real model into models/landmarks"
)
"""What every consumer says of a model whose `invented` is true."""

Decision = Literal["named", "unsure", "unknown"]


class Outputs(NamedTuple):
    """What a model file answers for N photos.

    Attributes:
        probabilities: float32 (N, C), each row sums to 1; columns as in `card.classes`.
        known_score: float32 (N,), 0 to 1: how well the photo fits the known landmarks.
        known: bool (N,), whether it shows one of them.
    """

    probabilities: NDArray[np.float32]
    known_score: NDArray[np.float32]
    known: NDArray[np.bool_]

    def take(self, rows: slice) -> "Outputs":
        """Return those of some photos."""
        return Outputs(self.probabilities[rows], self.known_score[rows], self.known[rows])


class Guess(Landmark):
    """A landmark that the photo may show; `confidence` is its calibrated probability, 0 to 1."""

    confidence: float


class Prediction(BaseModel):
    """The answer for one photo.

    Attributes:
        guesses: the likeliest first; of an unknown photo, what it resembles most.
        decision: `unknown` where the photo shows none of the known landmarks; `named` where the
            best guess is safe to write, as sure as `card.thresholds` asks; `unsure` in between.
        known_score: how well it fits the known landmarks, 0 to 1; unknown below
            `card.known.threshold`. It orders photos and is no probability.
        invented: whether the model knows invented places only; see `DEMONSTRATION`.
        model: which model answered (`ModelCard.version`).
    """

    model_config = ConfigDict(frozen=True)

    guesses: list[Guess]
    decision: Decision
    known_score: float
    invented: bool
    model: str

    @property
    def best(self) -> Guess:
        """The likeliest guess."""
        return self.guesses[0]

    @property
    def unknown(self) -> bool:
        """Whether the photo shows none of the known landmarks."""
        return self.decision == "unknown"
