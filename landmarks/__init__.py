"""Recognise landmarks in photos: a reproducible pipeline, and the tools that use its models.

`Predictor` is what users of a released model import; it is loaded on first use, so that importing
any part of the package stays cheap and needs no more than that part does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landmarks.predictor import Predictor

__all__ = ["Predictor"]


def __getattr__(name: str) -> Any:
    if name == "Predictor":
        return import_module("landmarks.predictor").Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
