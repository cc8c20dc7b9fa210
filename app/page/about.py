"""The third page: what this can do and what not, data, licences, and where photos go."""

from html import escape

from app.page import markup, model
from app.page.markup import percent
from landmarks.card import LearnedFrom, ModelCard
from landmarks.errors import LandmarksError

MOST_LICENCES = 8


def page() -> None:
    """Draw the page."""
    markup.show(
        '<header class="hero"><h1>About</h1><p>A page that says where a photo was taken, from the '
        "landmark that it shows, and how sure that is.</p></header>"
    )
    try:
        card = model.load().card
    except LandmarksError as error:
        card = None
        markup.show(markup.notice("There is no model here.", str(error)))
    sections = []
    for title, texts in (
        ("What it can do", _can(card)),
        ("What it cannot do", _cannot()),
        ("Your photos stay yours", _privacy()),
        ("Data and licences", _licences(card)),
    ):
        paragraphs = "".join(f"<p>{markup.with_code(text)}</p>" for text in texts)
        sections.append(f'<section class="panel"><h2>{title}</h2>{paragraphs}</section>')
    if card:
        sections.append(_model(card))
    markup.show(f'<div class="about">{"".join(sections)}</div>')


def _can(card: ModelCard | None) -> list[str]:
    known = (
        f"the {len(card.classes)} landmarks of its model" if card else "the landmarks of a model"
    )
    return [
        f"It tells {known} apart, gives each guess a confidence that is calibrated (of the answers "
        "that are 80 % sure, about 80 % are right), and says where the landmark stands.",
        "It says so when a photo shows nothing that it knows: nearly all photos do. What counts as "
        "sure is a threshold that was chosen before the test photos were opened.",
        "It reads JPEG, PNG, WebP, AVIF, HEIC, TIFF, GIF, BMP and JPEG 2000, turned as the camera "
        "held it. For whole folders there is the command `landmarks tag`, which writes the same "
        "tables and sidecars.",
    ]


def _cannot() -> list[str]:
    return [
        "It knows no landmark that it was not taught, and reads neither signs nor shop windows. A "
        "building that looks like a known one can fool it: the page “The two CNNs” says how often.",
        "The place is that of the landmark, not of the camera: a mountain is seen from far. It is "
        "no evidence of where somebody was.",
        "Copies, paintings and models of a landmark look like the landmark.",
    ]


def _privacy() -> list[str]:
    return [
        "Nothing leaves this machine: the model runs here, maps and letters are part of the page, "
        "and no statistics are sent. The page is served to this machine alone unless whoever "
        "started it said otherwise.",
        "Nothing is stored: a photo is held in memory while it is looked at. A small picture of it "
        "and the answer stay until you press Clear or close the page; no file is written.",
    ]


def _licences(card: ModelCard | None) -> list[str]:
    texts = [
        "Maps: coasts of Natural Earth (naturalearthdata.com), public domain. The example pictures "
        "are drawn by this project and show places that do not exist.",
        "Photos of real landmarks have authors, and licences that differ from photo to photo; none "
        "is part of this project or of a model. See `data/LICENSES.md`.",
    ]
    if card:
        photos = card.licences.get("photos", "not stated")
        weights = card.licences.get("initial_weights", "")
        began = f"; {weights}" if weights else ""
        texts.append(f"The model that answers here: photos {photos}{began}.")
        if card.learned_from:
            texts.append(_learned_from(card.learned_from))
    return texts


def _learned_from(known: LearnedFrom) -> str:
    """Say under which licences the photos are, the commonest first."""
    order = sorted(known.licences, key=lambda name: (-known.licences[name], name))
    told = [
        f"{known.licences[name]:,} of unknown licence"
        if name == "unknown"
        else f"{known.licences[name]:,} under {name if name != 'others' else 'other licences'}"
        for name in order[:MOST_LICENCES]
    ]
    if rest := sum(known.licences[name] for name in order[MOST_LICENCES:]):
        told.append(f"{rest:,} under further ones")
    return (
        f"It learned from {markup.many(known.photos, 'photo')} by "
        f"{markup.many(known.authors, 'known author')}: {'; '.join(told)}."
    )


def _model(card: ModelCard) -> str:
    rows = {
        "Version": f"<code>{escape(card.version)}</code>",
        "Network": f"{escape(card.architecture)} ({escape(card.cnn)}), "
        f"{card.parameters / 1e6:.2f} million weights",
        "Landmarks": f"{len(card.classes)}{', all invented' if card.invented else ''}",
        "Sure from": f"{percent(card.thresholds.confidence)}, so that "
        f"{percent(card.thresholds.precision, 0)} of such names are right",
        "Known from": f"a score of {card.known.threshold:g} ({escape(card.known.method)}), which "
        f"{percent(card.known.kept, 0)} of the known photos reach",
        "Folder": f"<code>{escape(str(model.folder()))}</code>",
    }
    lines = "".join(f"<dt>{title}</dt><dd>{text}</dd>" for title, text in rows.items())
    return f'<section class="panel all"><h2>The model that answers</h2><dl>{lines}</dl></section>'
