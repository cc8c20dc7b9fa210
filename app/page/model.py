"""Which model answers: loaded once, and again as soon as another one lies in its folder."""

import os
from pathlib import Path

import streamlit as st

from app.page import markup
from landmarks import card
from landmarks.errors import LandmarksError
from landmarks.predictor import DEFAULT_FOLDER, Predictor

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "LANDMARKS_MODEL"


def folder() -> Path:
    """Return the folder of the model: that of LANDMARKS_MODEL, or the project's own."""
    named = os.environ.get(VARIABLE, "")
    path = Path(named) if named else ROOT / DEFAULT_FOLDER
    # Commands in messages are shorter, and can be typed as they are.
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def load() -> Predictor:
    """Return the model, loaded anew only when its card has changed.

    Raises:
        LandmarksError: there is none, or it is damaged.
    """
    where = folder()
    try:
        changed = (where / card.CARD).stat().st_mtime_ns
    except OSError:
        changed = 0
    return _loaded(str(where), changed)


@st.cache_resource(max_entries=1, show_spinner=False)
def _loaded(where: str, changed: int) -> Predictor:
    return Predictor.load(where)


def say_missing(error: LandmarksError) -> None:
    """Say that there is no model to ask, and which command makes or pulls one."""
    markup.show(
        '<section class="missing" role="alert"><h2>No model can answer yet</h2>'
        f"<p>{markup.with_code(error.message[:1].upper() + error.message[1:])}.</p>"
        f"<p>{markup.with_code(error.hint)}</p>"
        "<p>Type the command in a terminal, in the folder of the project. Then press the button: "
        "nothing needs to be restarted.</p></section>"
    )
    st.button("Look again", icon=":material/refresh:", type="primary")
