"""Figures of drawn scenes, computed from the file of predictions alone.

So whoever has the predictions can compute these figures again, as the metrics of text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captioning.core.errors import InputError
from captioning.evaluation.predictions import Prediction, Scene, SceneObject
from captioning.evaluation.scene_attention import AttentionPeaks, object_peaks
from captioning.evaluation.scene_truth import CaptionTruth

_DIGITS = 2  # As in the raw table, where 32-bit floats blur them.


def observed_scene(
    row: Mapping[str, Any], caption: str, word_attention: NDArray[np.float32]
) -> Scene:
    """What the figures need to know of one image.

    Args:
        row: row of the raw table of dataset `scenes`.
        caption: caption by the model.
        word_attention: float32 `[words, height, width]`, one map for each word of the caption.
    """
    objects = tuple(
        SceneObject(
            colour=item["colour"],
            shape=item["shape"],
            size=item["size"],
            box=tuple(round(edge, _DIGITS) for edge in item["box"]),
        )
        for item in row["objects"]
    )
    peaks = object_peaks(word_attention, caption, row)
    return Scene(held_out=row["held_out"], objects=objects, peaks=peaks)


def grounding(predictions: Sequence[Prediction]) -> dict[str, float | int | None] | None:
    """The figures of `CaptionTruth` and `AttentionPeaks`; None if an image is no drawn scene.

    Raises:
        InputError: peaks of attention do not belong to their caption; names the image.
    """
    truth, peaks = CaptionTruth(), AttentionPeaks()
    for prediction in predictions:
        if prediction.scene is None:
            return None
        objects = [item.model_dump() for item in prediction.scene.objects]
        truth.add(prediction.caption, objects, prediction.scene.held_out)
        try:
            peaks.add(prediction.scene.peaks, prediction.caption, objects)
        except InputError as error:
            raise InputError(f"image {prediction.image_id!r}: {error}") from None
    return truth.metrics() | peaks.metrics()
