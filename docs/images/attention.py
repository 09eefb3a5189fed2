"""Draw the picture at the top of the README from what `make repro` wrote.

    python docs/images/attention.py

It shows one test image, the caption that beam search chooses for it, and the attention maps of some
of its words.
"""

from __future__ import annotations

from pathlib import Path

from captioning.captioner import Captioner
from captioning.data.images.decode import decode_image
from captioning.data.raw_table import read_raw
from captioning.evaluation.plots import plot_attention

IMAGE = "scene-test-000444"
# Left out, so that the maps of the other words fit in one row.
SKIPPED = {"a", "the", "to", "of", "on", "left", "right", "above", "below", "large", "small"}


def main() -> None:
    """Caption the image and draw it."""
    rows = read_raw(Path("data/raw"), "test", columns=["image_id", "image"])
    encoded = next(row["image"] for row in rows if row["image_id"] == IMAGE)
    image = decode_image(encoded, IMAGE)
    captioner = Captioner.load("data/model")
    caption = captioner(image)
    shown = [place for place, word in enumerate(caption.words) if word not in SKIPPED]
    plot_attention(
        Path(__file__).with_name("attention.png"),
        image,
        caption.text,
        caption.attention[shown],
        pieces=[caption.words[place] for place in shown],
    )


if __name__ == "__main__":
    main()
