"""Draw the picture at the top of the README from what `make repro` wrote.

    python docs/images/attention.py

It shows one test image, the caption that beam search chooses for it, and the attention maps of some
of its words.
"""

from __future__ import annotations

from pathlib import Path

from captioning.captioner import Captioner
from captioning.data.images.decode import decode_image, resize
from captioning.data.raw_table import read_raw
from captioning.decoding.search import make_decoder
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
    features = captioner.features(resize(image, captioner.source["image_size"])[None])
    captions, _, tokens = captioner.caption(features, make_decoder(captioner.decoder, "beam"))
    words = captions[0].split()
    shown = [place for place, word in enumerate(words) if word not in SKIPPED]
    plot_attention(
        Path(__file__).with_name("attention.png"),
        image,
        captions[0],
        captioner.attention(features, tokens)[0, shown],
        pieces=[words[place] for place in shown],
    )


if __name__ == "__main__":
    main()
