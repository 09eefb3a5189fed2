"""Parse a caption of a drawn scene: which objects it mentions, and how they are related."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from captioning.scenes.words import COLOURS, SHAPE_WORDS, SIZE_WORDS, plural


@dataclass(frozen=True)
class Mention:
    """A group of equal objects that a caption mentions.

    Attributes:
        place: position of the shape's word in the caption, counted from 0.
        shape, colour, size, count: properties of the group; None if the caption does not state it.
    """

    place: int
    shape: str
    colour: str | None = None
    size: str | None = None
    count: int | None = None


@dataclass(frozen=True)
class Claim:
    """What a caption claims about its image.

    Attributes:
        mentions: groups of objects, in the order of the caption.
        relation: position of the first group relative to the second; None if there is no relation.
    """

    mentions: tuple[Mention, ...]
    relation: str | None


def _names_by_word(table: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Invert a table: from every word to the name that it stands for."""
    return {word: name for name, words in table.items() for word in words}


_SHAPE_OF = _names_by_word(SHAPE_WORDS) | {
    plural(word): name for word, name in _names_by_word(SHAPE_WORDS).items()
}
_SIZE_OF = _names_by_word(SIZE_WORDS)
_COUNT_OF = {"a": 1, "an": 1, "one": 1, "two": 2, "pair": 2, "three": 3}
_RELATION_OF = {
    "left": "left", "right": "right", "above": "above", "over": "above",
    "below": "below", "under": "below",
}  # fmt: skip


def parse_caption(caption: str) -> Claim:
    """Parse a caption word by word; unknown words are skipped.

    A color, size or count belongs to the next shape. "a pair of" counts two; the "a" in "a picture
    of" is overwritten by the next count.
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
    # Only a relation between the first two mentions counts.
    between = [name for before, name in relations if before == 1]
    relation = between[0] if between and len(mentions) > 1 else None
    return Claim(tuple(mentions), relation)
