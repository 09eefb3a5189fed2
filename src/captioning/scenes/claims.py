"""What a caption claims about its picture: the objects it mentions and how they are related."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from captioning.scenes.words import COLOURS, SHAPE_WORDS, SIZE_WORDS, plural


@dataclass(frozen=True)
class Mention:
    """What a caption says of one group; None where it says nothing.

    `place` is the position of the shape's word in the caption, from 0.
    """

    place: int
    shape: str
    colour: str | None = None
    size: str | None = None
    count: int | None = None


@dataclass(frozen=True)
class Claim:
    """What a caption claims: its mentions, and the relation of the first to the second."""

    mentions: tuple[Mention, ...]
    relation: str | None


def _lookup(table: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {form: name for name, forms in table.items() for form in forms}


_SHAPE_OF = _lookup(SHAPE_WORDS) | {
    plural(form): name for form, name in _lookup(SHAPE_WORDS).items()
}
_SIZE_OF = _lookup(SIZE_WORDS)
_COUNT_OF = {"a": 1, "an": 1, "one": 1, "two": 2, "pair": 2, "three": 3}
_RELATION_OF = {
    "left": "left", "right": "right", "above": "above", "over": "above",
    "below": "below", "under": "below",
}  # fmt: skip


def parse_caption(caption: str) -> Claim:
    """Read a caption word by word; words that mean nothing here are passed over.

    Attributes belong to the next shape word; `a pair of` is two, `a picture of` no count.
    """
    mentions: list[Mention] = []
    relations: list[tuple[int, str]] = []
    colour: str | None = None
    size: str | None = None
    count: int | None = None
    for place, word in enumerate(caption.lower().split()):
        if word in COLOURS:
            colour = word
        elif word in _SIZE_OF:
            size = _SIZE_OF[word]
        elif word in _COUNT_OF:
            count = _COUNT_OF[word]
        elif word in _RELATION_OF:
            relations.append((len(mentions), _RELATION_OF[word]))
        elif word in _SHAPE_OF:
            mentions.append(Mention(place, _SHAPE_OF[word], colour, size, count))
            colour = size = count = None
    between = [name for before, name in relations if before == 1]
    relation = between[0] if between and len(mentions) > 1 else None
    return Claim(tuple(mentions), relation)
