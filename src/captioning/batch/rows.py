"""What is found out about a picture, and the columns of the files that hold it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from captioning.batch.pictures import Picture, readable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

_DECIMALS = 5


def column_types(number: int) -> dict[str, str]:
    """Types of the columns by their names, in the order of the columns.

    Args:
        number: captions for each picture. Several are lists, and their columns in the plural.
    """
    captions = {"caption": "string", "log_probability": "number"}
    if number > 1:
        captions = {"captions": "strings", "log_probabilities": "numbers"}
    return {"index": "integer", "path": "string", **captions, "error": "string"}


@dataclass(frozen=True, eq=False)
class Row:
    """The captions of a picture, or the reason why it has none.

    Attributes:
        picture: the picture.
        captions: its captions, the best first; empty if it failed.
        log_probabilities: of each caption, in nats, with 5 decimals.
        error: why it has no captions, in one line; empty if it has.
        image: the picture itself, if it was asked for.
        words: words or subwords of the best caption, if attention was asked for.
        attention: float32 `[words, height, width]`, where the decoder looked for each of them.
        unfamiliar: whether it is unlike the pictures of training; None if that is unknown.
    """

    picture: Picture
    captions: tuple[str, ...] = ()
    log_probabilities: tuple[float, ...] = ()
    error: str = ""
    image: Image | None = None
    words: tuple[str, ...] = ()
    attention: NDArray[np.float32] | None = None
    unfamiliar: bool | None = None

    def columns(self, number: int) -> dict[str, Any]:
        """The values of the row, by the names of their columns; None where there is no value.

        Args:
            number: see `column_types`.
        """
        row: dict[str, Any] = {"index": self.picture.index, "path": readable(self.picture.path)}
        if number == 1:
            row["caption"] = self.captions[0] if self.captions else None
            row["log_probability"] = self.log_probabilities[0] if self.log_probabilities else None
        else:
            row["captions"] = list(self.captions) or None
            row["log_probabilities"] = list(self.log_probabilities) or None
        return {**row, "error": self.error or None}


def rounded(log_probability: float) -> float:
    """A log-probability as it is shown and written."""
    return round(float(log_probability), _DECIMALS)
