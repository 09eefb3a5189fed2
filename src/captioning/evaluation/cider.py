"""CIDEr-D of a whole split, as the literature reports it, in little memory.

Training has a CIDEr-D of its own (`training.rewards`). It works on token ids, one batch at a time,
takes document frequencies from the train split and counts `[END]` as a word. Figures here must be
COCO-caption's instead: its code, on words, with document frequencies of the split scored.

Legend: N images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocoevalcap.cider.cider_scorer import CiderScorer, cook_refs, cook_test


class _LazyMap(Sequence[Any]):
    """A view of a sequence that applies a function to an item whenever it is read."""

    def __init__(self, items: Sequence[Any], function: Callable[[Any], Any]) -> None:
        self._items = items
        self._function = function

    def __getitem__(self, index: Any) -> Any:
        return self._function(self._items[index])

    def __len__(self) -> int:
        return len(self._items)


def cider_d(captions: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """CIDEr-D of every caption (Vedantam et al. 2015), by COCO-caption's scorer (pycocoevalcap).

    The scorer reads the images twice, for the document frequencies and for the scores. By itself
    it would hold the n-grams of all images; here they are computed whenever it reads an image.

    Args:
        captions: one caption an image, words joined by spaces.
        references: one or more references of each image, likewise.

    Returns:
        float64 [N]; NaN if CIDEr-D is not defined for these references, because every n-gram of
        theirs is in the references of every image: then all weights are 0, whatever the captions.
    """
    scorer = CiderScorer()
    scorer.ctest = _LazyMap(captions, cook_test)
    scorer.crefs = _LazyMap(references, cook_refs)
    scores = np.asarray(scorer.compute_score()[1], np.float64)
    # The scorer also stores 0 for the n-grams of captions that are in no reference.
    if all(count in (0, len(captions)) for count in scorer.document_frequency.values()):
        return np.full_like(scores, np.nan)
    return scores
