"""Damaged copies of a file, as bad disks, cut copies and hostile hands make them."""

from __future__ import annotations

import random
from collections.abc import Iterator

_NASTY = (b"\x00" * 8, b"\xff" * 8, b"NaN", b"-1", b"1e999", b"9" * 30, b"../../x", b"null", b"[[")


def mutations(data: bytes, number: int, seed: int = 1) -> Iterator[bytes]:
    """Copies of `data` that differ from it, each in one or a few places."""
    chance = random.Random(seed)
    made = 0
    while made < number:
        changed = _KINDS[made % len(_KINDS)](data, chance)
        if changed != data:
            made += 1
            yield changed


def _flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 4, 32))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.choice((0, 1, len(data) - 1, chance.randrange(len(data))))]


def _overwritten(data: bytes, chance: random.Random) -> bytes:
    place, part = chance.randrange(len(data)), chance.choice(_NASTY)
    return data[:place] + part + data[place + len(part) :]


def _inserted(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + chance.choice(_NASTY) + data[place:]


def _removed(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + data[place + chance.randrange(1, 64) :]


def _number_changed(data: bytes, chance: random.Random) -> bytes:
    """Another digit, so that what is text stays valid."""
    places = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
    if not places:
        return _flipped(data, chance)
    changed = bytearray(data)
    changed[chance.choice(places)] = 48 + chance.randrange(10)
    return bytes(changed)


_KINDS = (_flipped, _cut, _overwritten, _inserted, _removed, _number_changed)
