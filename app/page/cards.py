"""An answer as people see it: the photo, how sure the model is of what, where that is."""

from html import escape

from app.page.answers import Answer
from app.page.markup import DOUBTFUL, GOOD, coordinates, percent, picture
from landmarks.card import ModelCard
from landmarks.prediction import Guess
from landmarks.tagging import worldmap
from landmarks.tagging.deciding import INVENTED, Row
from landmarks.tagging.places import Position

REASONS = {
    "empty": "It is empty.",
    "not an image": "It is no picture, whatever its name says.",
    "damaged": "It is a picture, but damaged.",
    "truncated": "It is cut off: the end of it is missing.",
    "too many pixels": "It has more pixels than this page decodes.",
    "decompression bomb": "It would unpack to far more than a photo is.",
    "unsupported colours": "Its colours are stored in a way that few programs read.",
}
"""What is wrong with a file, for people, by `images.Reason`."""

BADGES = {GOOD: "Sure", DOUBTFUL: "Perhaps", "unknown": "None I know"}


def card(answer: Answer, row: Row, rules: ModelCard, threshold: float, guesses: int) -> str:
    """Return the HTML of one photo's answer.

    Args:
        answer: of the photo.
        row: what was decided.
        rules: the model's.
        threshold: the confidence that a sure name needs.
        guesses: how many are shown.
    """
    if answer.picture is None or answer.read.prediction is None:
        return _unreadable(answer)
    best = row.place or answer.read.prediction.best
    shown = answer.read.prediction.guesses[:guesses]
    known = row.decision in (GOOD, DOUBTFUL)
    parts = [
        f'<div class="head"><span class="badge">{BADGES[row.decision]}</span>'
        f'<span class="file">{escape(answer.name)}</span></div>',
        _title(row, best, len(rules.classes)),
        _place(best) if known else "",
        f'<p class="why">{_why(row, answer, rules, threshold)}</p>',
        '<p class="nearest">Nearest guesses</p>' if not known else "",
        _bars(shown, threshold if known else None),
        _tags(best) if known else "",
    ]
    tall = " tall" if answer.picture.height > answer.picture.width else ""
    return (
        f'<article class="photo {row.decision}{tall}" data-photo="{escape(answer.name)}">'
        f"{_photo(answer, row, best)}"
        f'<div class="said">{"".join(parts)}</div>'
        f"{_maps(best, answer.own) if known else ''}</article>"
    )


def _unreadable(answer: Answer) -> str:
    reason = answer.read.reason
    said = next((text for key, text in REASONS.items() if reason.startswith(key)), f"{reason}.")
    return (
        f'<article class="photo unreadable" data-photo="{escape(answer.name)}" role="alert">'
        f'<div class="said"><div class="head"><span class="badge">No photo</span>'
        f'<span class="file">{escape(answer.name)}</span></div>'
        f"<h2>This file cannot be read as a photo</h2>"
        f'<p class="why">{escape(said)} Copy it again, or save it anew as JPEG or PNG with a '
        "program that opens it.</p></div></article>"
    )


def _photo(answer: Answer, row: Row, best: Guess) -> str:
    assert answer.picture is not None
    what = {GOOD: f"shows {best.name}", DOUBTFUL: f"perhaps shows {best.name}"}
    alt = f"{answer.name}: {what.get(row.decision, 'shows none of the known landmarks')}"
    shown = answer.picture
    return (
        f'<figure class="shot"><img src="{shown.url}" width="{shown.width}" '
        f'height="{shown.height}" alt="{escape(alt)}"></figure>'
    )


def _title(row: Row, best: Guess, known: int) -> str:
    if row.decision == GOOD:
        return f"<h2>{escape(best.name)}</h2>"
    if row.decision == DOUBTFUL:
        return f"<h2><small>Perhaps</small> {escape(best.name)}</h2>"
    return f"<h2>None of the {known} landmarks that I know</h2>"


def _place(best: Guess) -> str:
    where = f"<b>{escape(best.place)}</b>" if best.place else ""
    if best.latitude is not None and best.longitude is not None:
        degrees = coordinates(best.latitude, best.longitude)
        where += f' <span class="degrees">{degrees}</span>'
    return f'<p class="place">{where or "Its place is not in the catalogue."}</p>'


def _why(row: Row, answer: Answer, rules: ModelCard, threshold: float) -> str:
    """Say what the decision rests on."""
    if row.reason == INVENTED:
        return (
            "This demonstration model knows invented places only, and this picture is none that "
            "the project drew: it is not placed."
        )
    if row.decision == "unknown":
        return "It fits none of them well enough. Most photos show nothing that I know."
    if row.distance_km is not None:
        own = f"The photo's own GPS lies {row.distance_km:,.0f} km from there"
        far = ": too far for a sure name." if "GPS" in row.reason else "."
        return own + far
    best = row.place
    assert best is not None
    if row.decision == DOUBTFUL:
        return (
            f"{percent(best.confidence)} sure; a name counts as sure from {percent(threshold)} on."
        )
    if threshold == rules.thresholds.confidence:
        right = percent(rules.thresholds.precision, 0)
        return f"Sure enough to write: of such names, {right} were right when this was tuned."
    return f"At least as sure as the {percent(threshold)} that you ask for."


def _bars(guesses: list[Guess], threshold: float | None) -> str:
    """Draw confidences as bars; a line marks what a sure name needs."""
    line = "" if threshold is None else f'<u style="left:{100 * threshold:.1f}%"></u>'
    rows = [
        f'<li><span class="name">{escape(one.name)}</span>'
        f'<span class="share">{escape(percent(one.confidence))}</span>'
        f'<span class="bar" aria-hidden="true"><i style="width:{100 * one.confidence:.1f}%"></i>'
        f"{line if not k else ''}</span></li>"
        for k, one in enumerate(guesses)
    ]
    return f'<ol class="guesses">{"".join(rows)}</ol>'


def _tags(best: Guess) -> str:
    """Return the words to tag a photo with, and a button that copies them."""
    words = list(dict.fromkeys(word for word in (best.name, best.locality, best.country) if word))
    chips = "".join(f"<li>{escape(word)}</li>" for word in words)
    text = escape(", ".join(words))
    return (
        f'<div class="tags"><ul aria-label="Tags">{chips}</ul>'
        f'<button type="button" data-copy="{text}" aria-label="Copy the tags {text}">'
        "Copy tags</button></div>"
    )


def _maps(best: Guess, own: Position | None) -> str:
    if best.latitude is None or best.longitude is None:
        return ""
    at = Position(best.latitude, best.longitude)
    where = f"{best.name}, {best.place}" if best.place else best.name
    alt = f"Map of the world with a pin at {where} ({coordinates(*at)})"
    drawn = picture(worldmap.world([at], own), alt, "world")
    if near := worldmap.surroundings(at, own):
        drawn += picture(near, f"Map of the land around {where}", "near")
    ring = "<figcaption>Ring: where the photo's own GPS says it was taken.</figcaption>"
    return f'<figure class="map"><div>{drawn}</div>{ring if own else ""}</figure>'
