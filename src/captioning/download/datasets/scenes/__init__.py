"""The built-in dataset: scenes of colored shapes, drawn and captioned from a random seed.

Every object's color, shape, size and bounding box is stored. So the evaluation can measure whether
a caption is true of its image, and whether the attention is on the object that a word names.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from captioning.core.splits import SPLITS
from captioning.download.datasets.base import Example, Rejections
from captioning.download.datasets.scenes.captions import captions
from captioning.download.datasets.scenes.drawing import draw_scene
from captioning.download.datasets.scenes.layout import sample_scene
from captioning.params.datasets import ScenesParams

_OBJECT = pa.struct(
    [
        ("group", pa.int32()),
        ("colour", pa.string()),
        ("shape", pa.string()),
        ("size", pa.string()),
        ("box", pa.list_(pa.float32(), 4)),
    ]
)


class Scenes:
    """Scenes drawn from a random seed; `datasets.scenes` in params.yaml has the settings.

    Extra columns: `background` (its pattern), `held_out` (whether all combinations of color and
    shape occur in the test split only) and `objects` (a list of structs; `box` is x0, y0, x1, y1 in
    pixels).
    """

    extras = (
        pa.field("background", pa.string()),
        pa.field("held_out", pa.bool_()),
        pa.field("objects", pa.list_(_OBJECT)),
    )

    def __init__(self, params: ScenesParams) -> None:
        self.params = params

    def examples(self, rejections: Rejections) -> Iterator[Example]:
        """Yield the scenes of every split; `rejections` stays empty."""
        for split in SPLITS:
            for index in range(getattr(self.params, f"{split}_images")):
                yield self._example(split, index)

    def _example(self, split: str, index: int) -> Example:
        scene, random = sample_scene(self.params, split, index)
        objects = [
            {
                "group": item.group,
                "colour": item.colour,
                "shape": item.shape,
                "size": item.size,
                "box": [round(value, 2) for value in item.box],
            }
            for item in scene.objects
        ]
        return Example(
            image_id=f"scene-{split}-{index:06d}",
            split=split,
            image=draw_scene(scene, self.params.image_size, random),
            captions=captions(scene, random),
            extras={
                "background": scene.background,
                "held_out": scene.held_out,
                "objects": objects,
            },
        )
