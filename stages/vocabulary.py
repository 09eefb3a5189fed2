"""Stage `vocabulary`: choose the tokens of the train captions and count them."""

from __future__ import annotations

from pathlib import Path

import _environment  # noqa: F401

from captioning.core.files import write_json
from captioning.params.stages import Params
from captioning.stage.main import stage_main
from captioning.vocabulary import write_vocabulary


def vocabulary(params: Params) -> None:
    """Write data/vocabulary and metrics/vocabulary.json."""
    summary = write_vocabulary("data/raw", Path("data/vocabulary"), params.vocabulary)
    write_json("metrics/vocabulary.json", summary)


if __name__ == "__main__":
    stage_main(vocabulary, "data/vocabulary", "metrics/vocabulary.json")
