"""Leave out what a PNG file has besides its pixels."""

from __future__ import annotations

import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Kind, length and checksum of a chunk.
_FRAME_BYTES = 12
# Of the chunks that decoders may ignore, those that change how the image looks here: transparency,
# which is kept even if damaged, so that its damage is noticed, and orientation.
_TRANSPARENCY, _EXIF = b"tRNS", b"eXIf"


def without_metadata(data: bytes) -> bytes:
    """A PNG file without texts, color profiles, animation and other metadata.

    Tools store whole programs and long texts in such chunks, and some write wrong checksums. A
    decoder that refuses them would refuse good pixels. Pixels, palette, transparency and an intact
    EXIF chunk remain. Data that are no chunks are kept, so that the decoder finds what is wrong.
    """
    kept = [SIGNATURE]
    place = len(SIGNATURE)
    while place < len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        chunk = data[place : place + length + _FRAME_BYTES]
        if _is_needed(chunk):
            kept.append(chunk)
        place += length + _FRAME_BYTES
    return b"".join(kept)


def _is_needed(chunk: bytes) -> bool:
    kind = chunk[4:8]
    if kind == _EXIF:
        return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
    # The first letter of chunks that decoders must understand is a capital.
    return kind == _TRANSPARENCY or not kind[:1].islower()
