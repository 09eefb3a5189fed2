"""CIDEr-D without all n-grams of a split in memory.

Legend: N images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocoevalcap.cider.cider_scorer import CiderScorer, cook_refs, cook_test


class _Mapped(Sequence[Any]):
    """Another sequence, with a function applied to an item whenever it is read."""

    def __init__(self, items: Sequence[Any], function: Callable[[Any], Any]) -> None:
        self._items = items
        self._function = function

    def __getitem__(self, index: Any) -> Any:
        return self._function(self._items[index])

    def __len__(self) -> int:
        return len(self._items)


def cider_d(captions: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """COCO-caption's CIDEr-D (package pycocoevalcap) of every caption.

    Its scorer goes through the images twice, for the document frequencies and for the scores. It
    would hold the n-grams of them all; here it gets each image's when it comes to it.

    Args:
        captions: one an image, standardised.
        references: of each image, one or more, standardised.

    Returns:
        float [N].
    """
    scorer = CiderScorer()
    scorer.ctest = _Mapped(captions, cook_test)
    scorer.crefs = _Mapped(references, cook_refs)
    return np.asarray(scorer.compute_score()[1], np.float64)
