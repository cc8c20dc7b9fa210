"""The built-in sample: photos of invented landmarks, drawn by code, the same bytes anywhere."""

from landmarks.data.sample.archive import (
    COMMENT,
    TEST_NUMBERS,
    class_name,
    draw_negative,
    draw_photo,
    encode,
    is_drawn,
    write_sample,
)
from landmarks.data.sample.catalogue import LANDMARKS

__all__ = [
    "COMMENT",
    "LANDMARKS",
    "TEST_NUMBERS",
    "class_name",
    "draw_negative",
    "draw_photo",
    "encode",
    "is_drawn",
    "write_sample",
]
