"""Whether a HEIC or AVIF is all there, by the boxes that it is made of."""

import io
from typing import BinaryIO

_MOST_BOXES = 1000


def whole(file: BinaryIO) -> bool:
    """Tell whether the outer boxes of a HEIC or AVIF are all there (ISO 14496-12, 4.2)."""
    end = file.seek(0, io.SEEK_END)
    at = 0
    for _ in range(_MOST_BOXES):
        if end - at < 8:
            break
        file.seek(at)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        elif length == 0:  # to the end of the file
            length = end - at
        at += max(length, 8)
    file.seek(0)
    return at <= end
