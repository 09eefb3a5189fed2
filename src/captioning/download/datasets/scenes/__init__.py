"""The built-in dataset: coloured shapes on varied backgrounds, drawn and captioned from a seed.

Every object's looks and box are kept, so one can measure whether a caption is true of its picture
and whether the attention lies on the object named.
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
    """Seeded scenes; see `params.yaml` for what can be set."""

    extras = (
        pa.field("background", pa.string()),
        pa.field("held_out", pa.bool_()),
        pa.field("objects", pa.list_(_OBJECT)),
    )

    def __init__(self, params: ScenesParams) -> None:
        self.params = params

    def examples(self, rejections: Rejections) -> Iterator[Example]:
        """Yield the scenes of every split; none is ever rejected."""
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
