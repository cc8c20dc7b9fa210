"""All that a model knows: its landmarks by country, and a map of them."""

from collections import defaultdict
from html import escape

import streamlit as st

from app.page import markup
from landmarks.card import ModelCard
from landmarks.catalogue import Landmark
from landmarks.tagging import worldmap
from landmarks.tagging.albums import NOWHERE
from landmarks.tagging.places import Position


def show(card: ModelCard, opened: bool) -> None:
    """Offer the list of the landmarks, closed at first unless `opened`."""
    title = f"The {markup.many(len(card.classes), 'landmark')} that I know"
    with st.expander(title, expanded=opened, key="atlas"):
        markup.show(content(card))


def content(card: ModelCard) -> str:
    """Return the map and the list."""
    marks = [
        Position(one.latitude, one.longitude)
        for one in card.classes
        if one.latitude is not None and one.longitude is not None
    ]
    drawn = ""
    if marks:
        alt = f"Map of the world with a dot at each of {markup.many(len(marks), 'place')}"
        image = markup.picture(worldmap.world(marks), alt, "world")
        drawn = f'<figure class="map atlas-map">{image}</figure>'
    countries: dict[str, list[Landmark]] = defaultdict(list)
    for one in sorted(card.classes, key=lambda one: one.name):
        countries[one.country or NOWHERE].append(one)
    blocks = [
        f"<div><h4>{escape(country)}</h4><ul>{''.join(map(_line, countries[country]))}</ul></div>"
        for country in sorted(countries)
    ]
    return f'{drawn}<div class="atlas">{"".join(blocks)}</div>'


def _line(one: Landmark) -> str:
    where = f" <span>{escape(one.locality)}</span>" if one.locality else ""
    return f"<li>{escape(one.name)}{where}</li>"
