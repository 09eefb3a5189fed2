"""Count the scans of a JPEG file.

A progressive JPEG is decoded scan by scan, each over the whole image. A small file with thousands
of scans over a large image would take minutes to decode.
"""

from __future__ import annotations

import re

#: Encoders write at most a few dozen scans.
MAX_SCANS = 100

_START, _SCAN, _END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
# In the data of a scan, other bytes than these follow 0xff only where the next segment begins.
_NEXT_SEGMENT = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


def has_too_many_scans(data: bytes) -> bool:
    """Whether a file is a JPEG whose first picture has more than `MAX_SCANS` scans."""
    if not data.startswith(_START) or data.count(_SCAN) <= MAX_SCANS:
        return False
    scans, place = 0, len(_START)
    while scans <= MAX_SCANS:
        segment = _NEXT_SEGMENT.search(data, place)
        if segment is None or segment[0] == _END:
            return False
        # The length of the segment, which counts itself; the data of a scan come after it.
        length = int.from_bytes(data[segment.end() : segment.end() + 2], "big")
        place = segment.end() + length
        scans += segment[0] == _SCAN
    return True
