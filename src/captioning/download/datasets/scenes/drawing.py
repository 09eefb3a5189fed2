"""Draw a scene as an image.

Objects are drawn enlarged and then scaled down, so that their edges are smooth.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from captioning.download.datasets.scenes.layout import Scene, SceneObject

#: Red, green and blue of each color, before the random variation.
RGB = {
    "red": (214, 32, 36),
    "blue": (30, 78, 205),
    "green": (30, 150, 58),
    "yellow": (245, 212, 20),
    "orange": (245, 130, 20),
    "purple": (128, 44, 160),
    "pink": (245, 128, 180),
    "black": (24, 24, 26),
}
# Objects are drawn this many times larger than they appear.
_SCALE = 4
_JPEG_QUALITY = 92
# Largest random change of a color channel.
_COLOUR_JITTER = 14

Point = tuple[float, float]
Colour = tuple[int, int, int]


def draw_scene(scene: Scene, side: int, random: np.random.Generator) -> bytes:
    """Draw a scene as a square JPEG image.

    Args:
        scene: the scene to draw.
        side: side of the image, in pixels.
        random: generator for the colors' variation and the background.

    Returns:
        The bytes of the JPEG file.
    """
    tint = random.integers(205, 246, size=3)
    image = _background(scene.background, side, tint, random)
    colours: dict[int, Colour] = {}
    for item in scene.objects:
        if item.group not in colours:
            colours[item.group] = _jittered(RGB[item.colour], random)
        left, top = math.floor(item.box[0]), math.floor(item.box[1])
        image.paste(colours[item.group], (left, top), _mask(item, left, top))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()


def _jittered(colour: Colour, random: np.random.Generator) -> Colour:
    varied = np.array(colour) + random.integers(-_COLOUR_JITTER, _COLOUR_JITTER + 1, size=3)
    r, g, b = np.clip(varied, 0, 255).tolist()
    return (r, g, b)


def _background(
    kind: str,
    side: int,
    tint: np.ndarray[tuple[int], np.dtype[np.int64]],
    random: np.random.Generator,
) -> Image.Image:
    """A pale background, with a pattern of the tint and a darker tint."""
    light = tint.astype(np.float32)
    dark = light - 34
    # A row and a column instead of whole grids: most patterns vary along one of them only.
    y, x = np.ogrid[0:side, 0:side]
    share: NDArray[Any]
    period = side / float(random.uniform(7, 11))
    if kind == "striped":
        along = x if random.random() < 0.5 else y
        share = (along / period) % 1 < 0.5
    elif kind == "checkered":
        share = (x // period) % 2 != (y // period) % 2
    elif kind == "dotted":
        dx, dy = x % period - period / 2, y % period - period / 2
        share = dx * dx + dy * dy < (0.24 * period) ** 2
    elif kind == "gradient":
        share = (x if random.random() < 0.5 else y).astype(np.float32) / side * 1.8
    else:
        share = np.zeros((1, 1), bool)
    if share.dtype == bool:
        image = Image.new("RGB", (side, side), _colour(light))
        mask = np.broadcast_to(share, (side, side)).astype(np.uint8) * 255
        image.paste(_colour(dark), None, Image.fromarray(mask))
        return image
    pixels = (light + share[:, :, None] * (dark - light)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(pixels, (side, side, 3))))


def _colour(values: NDArray[np.float32]) -> Colour:
    r, g, b = (int(value) for value in values)
    return (r, g, b)


def _mask(item: SceneObject, left: int, top: int) -> Image.Image:
    """How much of each pixel the object covers, 0 to 255; the mask starts at (left, top)."""
    x0, x1 = ((value - left) * _SCALE for value in (item.box[0], item.box[2]))
    y0, y1 = ((value - top) * _SCALE for value in (item.box[1], item.box[3]))
    extent = math.ceil(max(x1, y1) / _SCALE)
    mask = Image.new("L", (extent * _SCALE, extent * _SCALE))
    pen = ImageDraw.Draw(mask)
    cx, cy, radius = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2
    if item.shape == "circle":
        pen.ellipse((x0, y0, x1, y1), fill=255)
    elif item.shape == "ring":
        pen.ellipse((x0, y0, x1, y1), outline=255, width=round(radius * 0.42))
    else:
        turn = math.radians(item.angle)
        cos, sin = math.cos(turn), math.sin(turn)
        pen.polygon(
            [
                (cx + radius * (px * cos - py * sin), cy + radius * (px * sin + py * cos))
                for px, py in _OUTLINES[item.shape]
            ],
            fill=255,
        )
    return mask.reduce(_SCALE)


def _star() -> list[Point]:
    spikes = []
    for k in range(10):
        length = 1.0 if k % 2 == 0 else 0.42
        turn = math.pi * (k / 5 - 0.5)
        spikes.append((length * math.cos(turn), length * math.sin(turn)))
    return spikes


def _heart() -> list[Point]:
    turns = [2 * math.pi * k / 48 for k in range(48)]
    return [
        (
            math.sin(t) ** 3,
            -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) / 16,
        )
        for t in turns
    ]


# Half the width of a cross's arms.
_ARM = 0.33
# Corners, relative to the center of the box and half its side. The outlines stay within a radius of
# about 1, so that objects that are rotated by a few degrees stay in their boxes.
_OUTLINES: dict[str, list[Point]] = {
    "square": [(-0.82, -0.82), (0.82, -0.82), (0.82, 0.82), (-0.82, 0.82)],
    "triangle": [(0, -0.95), (0.9, 0.75), (-0.9, 0.75)],
    "star": _star(),
    "heart": _heart(),
    "cross": [
        (-_ARM, -0.95), (_ARM, -0.95), (_ARM, -_ARM), (0.95, -_ARM), (0.95, _ARM), (_ARM, _ARM),
        (_ARM, 0.95), (-_ARM, 0.95), (-_ARM, _ARM), (-0.95, _ARM), (-0.95, -_ARM), (-_ARM, -_ARM),
    ],
}  # fmt: skip
