"""The first page: photos in, by drop, paste, camera or example; what each shows, and where."""

from collections import Counter
from collections.abc import Iterable

import streamlit as st

from app.page import answers, atlas, cards, downloads, examples, markup, model
from app.page.answers import Answer
from landmarks.card import ModelCard
from landmarks.errors import LandmarksError
from landmarks.prediction import DEMONSTRATION
from landmarks.predictor import Predictor
from landmarks.tagging.deciding import Row, Rules

MOST_PHOTOS = 200
"""Photos that are kept; a whole collection is for `landmarks tag`."""

A_TIME = 12
"""Photos that are shown before one asks for more."""

_FILE = tuple[str, bytes]


def page() -> None:
    """Draw the page."""
    state = st.session_state
    state.setdefault("answers", [])
    state.setdefault("asked", 0)
    state.setdefault("drop", 0)
    state.setdefault("shown", A_TIME)
    _head(small=bool(state["answers"]))
    try:
        predictor = model.load()
    except LandmarksError as error:
        model.say_missing(error)
        return
    _forget_other_models(predictor)
    if predictor.card.invented:
        said = "" if state["answers"] else _demonstration()
        markup.show(markup.notice("Demonstration model: invented places.", said))
    _ask_for_photos(predictor)
    if state["answers"]:
        _results(predictor)
    if predictor.card.invented:
        _examples(predictor)
    atlas.show(predictor.card, opened=not state["answers"] and not predictor.card.invented)


def _head(small: bool) -> None:
    """Say what this is for; in few words once it is known."""
    title = "<h1>Where was this photo taken?</h1>"
    if small:
        markup.show(f'<header class="hero small">{title}</header>')
        return
    markup.show(
        f'<header class="hero">{title}<p>Drop a holiday photo. If it shows a landmark that I know, '
        "I tell you which, how sure I am, and where it stands.</p></header>"
    )


def _demonstration() -> str:
    """Return what else is said of a model of invented places."""
    hint = DEMONSTRATION.partition(". ")[2]
    return f"It knows pictures that this project drew, and places no real photo. {hint}."


def _forget_other_models(predictor: Predictor) -> None:
    """Drop the answers of a model that has been replaced; photos are not kept to ask again."""
    kept = [one for one in st.session_state["answers"] if one.model == predictor.card.version]
    if len(kept) < len(st.session_state["answers"]):
        st.toast("The model was replaced: please drop your photos again.")
    st.session_state["answers"] = kept


def _ask_for_photos(predictor: Predictor) -> None:
    """Take photos from the person, ask the model, and make room for the next ones."""
    state = st.session_state
    with st.container(key="drop-again" if state["answers"] else "drop"):
        dropped = st.file_uploader(
            "Drop photos, paste, or choose files",
            accept_multiple_files=True,
            key=f"files-{state['drop']}",
        )
        taken = None
        with st.container(horizontal=True, vertical_alignment="center"):
            camera = st.toggle("Use the camera", key="camera")
            markup.show('<p class="private">Photos stay on this machine; none is kept.</p>')
        if camera:
            taken = st.camera_input("Take a photo", key=f"shot-{state['drop']}")
    files = [(one.name, one.getvalue()) for one in dropped or []]
    files += [("camera.jpg", taken.getvalue())] if taken else []
    if files:
        with st.container(key="working"), st.spinner(_looking(len(files)), show_time=False):
            _ask(predictor, files)
        state["drop"] += 1
        st.rerun()


def _looking(photos: int) -> str:
    return f"Looking at {markup.many(photos, 'photo')} …"


def _ask(predictor: Predictor, files: Iterable[_FILE]) -> None:
    """Put the answers to a few files before those that are there."""
    state = st.session_state
    new: list[Answer] = []
    for name, content in files:
        state["asked"] += 1
        new.append(answers.ask(predictor, name, content, state["asked"]))
    state["answers"] = (new + state["answers"])[:MOST_PHOTOS]
    if state["asked"] > MOST_PHOTOS and len(state["answers"]) == MOST_PHOTOS:
        st.toast(f"Only the last {MOST_PHOTOS} photos are kept. `landmarks tag` takes folders.")


def _results(predictor: Predictor) -> None:
    state, card = st.session_state, predictor.card
    with st.container(key="bar", horizontal=True, vertical_alignment="center"):
        summary = st.container(key="summary", width="stretch")
        guesses, threshold = _settings(card)
        exact = card.thresholds.confidence if threshold is None else threshold
        rules = Rules(card, threshold, per_class=False, verdicts={})
        decided = [(one, one.decided(rules)) for one in state["answers"]]
        _downloads(decided, card.version, guesses)
        st.button("Clear", icon=":material/delete_sweep:", on_click=_start_over)
    with summary:
        markup.show(f'<p class="summary" role="status">{_summary(row for _, row in decided)}</p>')
    for answer, row in decided[: state["shown"]]:
        with st.container(key=f"photo-{answer.number}"):
            markup.show(cards.card(answer, row, card, exact, guesses))
            st.button(
                f"Remove {answer.name}",
                key=f"remove-{answer.number}",
                icon=":material/close:",
                help="Remove",
                on_click=_remove,
                args=[answer.number],
            )
    if len(decided) > state["shown"]:
        st.button(f"Show more of {len(decided)} photos", on_click=_show_more, key="more")


def _settings(card: ModelCard) -> tuple[int, float | None]:
    """Return how many guesses are shown, and the threshold that was set; None: the model's."""
    most = min(answers.MOST_GUESSES, len(card.classes))
    own = round(100 * card.thresholds.confidence, 1)
    with st.popover("Adjust", icon=":material/tune:"):
        guesses = st.slider("Guesses for each photo", 1, most, min(5, most), key="guesses")
        percent = st.slider(
            "Count a name as sure from this confidence on",
            0.0,
            100.0,
            own,
            0.1,
            format="%.1f %%",
            key="threshold",
            help=f"The model's own is {own} %: it was chosen so that "
            f"{card.thresholds.precision:.0%} of the sure names are right.",
        )
    return int(guesses), None if percent == own else percent / 100


def _downloads(decided: list[tuple[Answer, Row]], version: str, guesses: int) -> None:
    rows = downloads.rows([row for _, row in decided], guesses)
    with st.popover("Download", icon=":material/download:"):
        files = {
            "CSV table": downloads.as_csv(rows, version, guesses),
            "JSON": downloads.as_json(rows, version),
            "XMP sidecars": downloads.as_xmp(decided, version),
        }
        for title, file in files.items():
            st.download_button(
                title,
                file.content if file else b"",
                file.name if file else None,
                file.kind if file else None,
                disabled=file is None,
                on_click="ignore",
                width="stretch",
                help=None if file else "Only sure names are written, and there is none.",
            )


def _summary(rows: Iterable[Row]) -> str:
    """Count what was decided, e.g. `3 photos: 1 sure, 2 none I know`."""
    counts = Counter(row.decision for row in rows)
    words = {
        "named": "sure",
        "unsure": "perhaps",
        "unknown": "of nothing I know",
        "unreadable": "unreadable",
    }
    said = ", ".join(f"{counts[key]} {word}" for key, word in words.items() if counts[key])  # type: ignore[index]
    return f"<b>{markup.many(counts.total(), 'photo')}</b> {said}"


def _examples(predictor: Predictor) -> None:
    """Offer pictures to try; each button shows its own."""
    first = "Or another" if st.session_state["answers"] else "No photo at hand? Try a"
    markup.show(f'<div class="section"><h3>{first} picture that the project drew</h3></div>')
    # Before the buttons, which so come all at once, with their pictures.
    markup.show(f"<style>{_backgrounds()}</style>")
    with st.container(key="examples", horizontal=True):
        for number, example in enumerate(examples.EXAMPLES):
            st.button(
                example.title,
                key=f"example-{number}",
                on_click=_ask,
                args=[predictor, [(examples.file_name(example), examples.draw(example))]],
            )


def _backgrounds() -> str:
    """Put each example's picture behind its button."""
    rules = []
    for number, example in enumerate(examples.EXAMPLES):
        url = answers.data_url("image/jpeg", examples.draw(example))
        rules.append(f".st-key-example-{number} button{{background-image:url({url})}}")
    return "".join(rules)


def _remove(number: int) -> None:
    state = st.session_state
    state["answers"] = [one for one in state["answers"] if one.number != number]


def _start_over() -> None:
    st.session_state.update(answers=[], shown=A_TIME)


def _show_more() -> None:
    st.session_state["shown"] += A_TIME
