"""Stage `tokens`: the captions of every split as token ids."""

from __future__ import annotations

from pathlib import Path

import _environment  # noqa: F401

from captioning.core.files import fresh_folder, write_json
from captioning.params.stages import Params
from captioning.stage.main import stage_main
from captioning.text import load_counts, load_vocabulary


def tokens(params: Params) -> None:
    """Write data/tokens and metrics/tokens.json."""
    # Imported here, so that wrong params are reported without waiting for TensorFlow.
    from captioning.tokens import write_tokens

    vocabulary = load_vocabulary("data/vocabulary")
    # A damaged file of the vocabulary would otherwise be noticed only by `train`.
    load_counts(Path("data/vocabulary"), vocabulary)
    with fresh_folder("data/tokens") as folder:
        summary = write_tokens("data/raw", folder, vocabulary, params.model.max_length)
    write_json("metrics/tokens.json", summary)


if __name__ == "__main__":
    stage_main(tokens, "data/tokens", "metrics/tokens.json")
