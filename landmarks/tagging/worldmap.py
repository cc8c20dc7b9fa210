"""Maps that need no network: the world, and the surroundings of a place, drawn as SVG."""

import html
import math
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files as resources
from typing import NamedTuple

from landmarks.catalogue import Landmark
from landmarks.tagging.places import Position

SEA, LAND, LINES, MARK, OWN = "#dbe7ec", "#b9c1a4", "#c8d8df", "#b3261e", "#1d4f73"
SPAN = 36.0
"""Degrees of latitude that the surroundings show; the coasts are too coarse for less."""

ENOUGH, NEAR = 12, 0.6
"""Corners of coasts that must be near for the surroundings to say something: in that share of the
width and height."""

_WORLD = (0.0, 5.0, 360.0, 145.0)  # left, top, width, height: without most of the Antarctic
_PIN = "M0,0C-.35,-.75 -.9,-1.1 -.9,-1.75A.9,.9 0 1 1 .9,-1.75C.9,-1.1 .35,-.75 0,0Z"


class Window(NamedTuple):
    """A part of the map: x is longitude + 180, y is 90 - latitude, degrees."""

    left: float
    top: float
    width: float
    height: float


@cache
def land() -> str:
    """Return the coasts of the world as an SVG path: x is longitude + 180, y is 90 - latitude.

    They are those of Natural Earth at 1:110 million (naturalearthdata.com, public domain).
    """
    return resources("landmarks.tagging").joinpath("world.txt").read_text(encoding="ascii").strip()


def dots(places: Iterable[Landmark]) -> str:
    """Draw a map of the world (plate carrée), a dot for each place that has coordinates."""
    drawn = [
        f'<circle cx="{one.longitude + 180:.2f}" cy="{90 - one.latitude:.2f}" r="1.6">'
        f"<title>{html.escape(one.name)}</title></circle>"
        for one in places
        if one.latitude is not None and one.longitude is not None
    ]
    if not drawn:
        return ""
    return (
        '<svg viewBox="0 5 360 145" role="img" aria-label="Map of the places">'
        f'<path d="{land()}" fill="#cfd8c8"/><g fill="#c0392b">{"".join(drawn)}</g></svg>'
    )


def world(marks: Sequence[Position], own: Position | None = None) -> str:
    """Return an SVG file of the world with a pin at each place.

    Args:
        marks: of one a pin is drawn, of more a dot each.
        own: where the photo itself says that it was taken: a ring.
    """
    window = Window(*_WORLD)
    return _file(window, 1.0, marks, own, 6.0)


def surroundings(place: Position, own: Position | None = None) -> str:
    """Return an SVG file of the land around a place; empty where there is hardly any in sight."""
    window = _around(place)
    near = _around(place, NEAR)
    if sum(_within(near, x, y) for x, y in _corners()) < ENOUGH:
        return ""
    stretch = math.cos(math.radians(place.latitude))
    return _file(window, max(stretch, 0.2), [place], own, window.height / 22)


def _around(place: Position, share: float = 1.0) -> Window:
    """Return what is shown of the surroundings, or the middle of it: 5 to 4 on the ground."""
    height = SPAN * share
    width = height / max(math.cos(math.radians(place.latitude)), 0.2) * 1.25
    left, top = place.longitude + 180 - width / 2, 90 - place.latitude - height / 2
    return Window(left, top, width, height)


def _seen(window: Window) -> str:
    """Return the coasts that reach into a window."""
    right, bottom = window.left + window.width, window.top + window.height
    return "".join(
        path
        for path, (left, top, width, height) in _boxes()
        if left < right
        and left + width > window.left
        and top < bottom
        and top + height > window.top
    )


@cache
def _boxes() -> tuple[tuple[str, Window], ...]:
    """Return each coast with the box around it."""
    found = []
    for path in land().splitlines():
        points = [pair.split(",") for pair in path.strip("MZ").split()]
        across, down = ([float(point[axis]) for point in points] for axis in (0, 1))
        box = (min(across), min(down), max(across) - min(across), max(down) - min(down))
        found.append((path, Window(*box)))
    return tuple(found)


def _within(window: Window, x: float, y: float) -> bool:
    """Tell whether a point is seen; the world goes round."""
    across = (x - window.left) % 360
    return across <= window.width and window.top <= y <= window.top + window.height


@cache
def _corners() -> tuple[tuple[float, float], ...]:
    """Return the corners of all coasts."""
    pairs = land().replace("M", "").replace("Z", "").split()
    return tuple((float(x), float(y)) for x, y in (pair.split(",") for pair in pairs))


def _file(
    window: Window, stretch: float, marks: Sequence[Position], own: Position | None, size: float
) -> str:
    """Draw a window of the map; `stretch` narrows degrees of longitude, `size` is a pin's."""
    left, top, width, height = window
    coasts = "".join(
        f'<path d="{seen}" transform="translate({turn})"/>'
        for turn in (-360, 0, 360)
        if (seen := _seen(Window(left - turn, top, width, height)))
    )
    box = f"0 0 {width * stretch:.2f} {height:.2f}"
    pins = [_pin(_at(window, stretch, mark), size) for mark in marks]
    if len(marks) > 1:
        pins = [_dot(_at(window, stretch, mark), size) for mark in marks]
    ring = _ring(_at(window, stretch, own), size) if own else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" '
        f'width="{width * stretch * 4:.0f}" height="{height * 4:.0f}">'
        f'<rect width="100%" height="100%" fill="{SEA}"/>'
        f'<g transform="scale({stretch:.5f} 1) translate({-left:.2f} {-top:.2f})">'
        f'<path d="{_grid(window)}" fill="none" stroke="{LINES}" stroke-width="1" '
        f'vector-effect="non-scaling-stroke"/><g fill="{LAND}">{coasts}</g></g>'
        f"{ring}{''.join(pins)}</svg>"
    )


def _at(window: Window, stretch: float, where: Position) -> tuple[float, float]:
    across = (where.longitude + 180 - window.left) % 360
    return across * stretch, 90 - where.latitude - window.top


def _grid(window: Window) -> str:
    """Return lines at every tenth degree, or every thirtieth on a large map."""
    left, top, width, height = window
    step = 30 if width > 120 else 10
    first_x, first_y = math.ceil(left / step) * step, math.ceil(top / step) * step
    across = range(first_x, math.floor(left + width) + 1, step)
    down = range(first_y, math.floor(top + height) + 1, step)
    lines = [f"M{x},{top:.1f}v{height:.1f}" for x in across]
    return "".join(lines + [f"M{left:.1f},{y}h{width:.1f}" for y in down])


def _pin(at: tuple[float, float], size: float) -> str:
    x, y = at
    return (
        f'<g transform="translate({x:.2f} {y:.2f}) scale({size:.2f})"><path d="{_PIN}" '
        f'fill="{MARK}" stroke="#fff" stroke-width=".16"/>'
        '<circle cy="-1.75" r=".33" fill="#fff"/></g>'
    )


def _dot(at: tuple[float, float], size: float) -> str:
    x, y = at
    return (
        f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{size * 0.42:.2f}" fill="{MARK}" stroke="#fff" '
        f'stroke-width="{size * 0.1:.2f}"/>'
    )


def _ring(at: tuple[float, float], size: float) -> str:
    x, y = at
    return (
        f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{size * 0.55:.2f}" fill="none" stroke="{OWN}" '
        f'stroke-width="{size * 0.25:.2f}"/>'
    )
