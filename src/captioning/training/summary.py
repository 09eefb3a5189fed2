"""The figures of a training run for metrics/train.json.

Legend: `V` vocabulary.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from captioning.model import CaptionDecoder
from captioning.text import marginal_entropy, uniform_entropy
from captioning.training.loop import FitResult

_DIGITS = 6


def training_summary(
    decoder: CaptionDecoder,
    counts: NDArray[np.int64],
    fitted: FitResult,
    refined: FitResult | None,
) -> dict[str, Any]:
    """Make the content of metrics/train.json.

    Args:
        decoder: the trained decoder.
        counts: occurrences of each token in the train captions, int64 `[V]`.
        fitted: outcome of training on captions.
        refined: outcome of self-critical training; None where there was none.

    Returns:
        `parameters`, `reports`, `best`; `untrained`, the loss before the first step and the
        entropies that it should be near, in nats; and `self_critical`, if there was such training
        (without `best` where its first report was not finite).
    """
    summary: dict[str, Any] = {
        "parameters": decoder.count_params(),
        "reports": fitted.reports,
        "best": fitted.best,
        "untrained": {
            "val_cross_entropy": round(fitted.untrained["val_cross_entropy"], _DIGITS),
            "uniform_entropy": round(uniform_entropy(len(counts)), _DIGITS),
            "marginal_entropy": round(marginal_entropy(counts), _DIGITS),
        },
    }
    if refined is not None:
        summary["self_critical"] = {"reports": refined.reports}
        if refined.best:
            summary["self_critical"]["best"] = refined.best
    return summary
