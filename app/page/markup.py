"""Small pieces of HTML that all parts of the page share; what people typed is always escaped."""

import base64
import re
from html import escape

import streamlit as st

GOOD, DOUBTFUL, NONE = "named", "unsure", "unknown"
_CODE = re.compile(r"`([^`]+)`")


def show(html: str) -> None:
    """Put HTML on the page; Streamlit takes out whatever could run."""
    st.html(html)


def percent(share: float, digits: int = 1) -> str:
    """Write a share as people read it: never 0 or 100 % where it is not."""
    text, least = f"{100 * share:.{digits}f}", 10**-digits
    if share < 1 and float(text) == 100:
        text = f"{100 - least:.{digits}f}"
    if share > 0 and float(text) == 0:
        text = f"<{least:.{digits}f}"
    return f"{text}\N{NARROW NO-BREAK SPACE}%"


def coordinates(latitude: float, longitude: float) -> str:
    """Write a position in degrees."""
    north, east = "N" if latitude >= 0 else "S", "E" if longitude >= 0 else "W"
    return f"{abs(latitude):.4f}° {north}, {abs(longitude):.4f}° {east}"


def many(number: int, one: str, more: str = "") -> str:
    """Write `1 photo`, `2 photos`."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def with_code(text: str) -> str:
    """Escape a text and set what stands between backticks as code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def picture(svg: str, alt: str, name: str = "") -> str:
    """Return an image that holds its own SVG file."""
    url = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    size = re.search(r'width="(\d+)" height="(\d+)"', svg)
    sides = f' width="{size[1]}" height="{size[2]}"' if size else ""
    return f'<img class="{name}" src="{url}" alt="{escape(alt)}"{sides}>'


def notice(title: str, text: str, kind: str = "note") -> str:
    """Return a box that says something beside the answers; `text` may have code in backticks."""
    return (
        f'<div class="notice {kind}" role="{"alert" if kind == "error" else "note"}">'
        f"<b>{escape(title)}</b> {with_code(text)}</div>"
    )
