"""Stage `check`: refuse a wrong params.yaml before DVC deletes the results of any other stage."""

from __future__ import annotations

import _environment  # noqa: F401

from captioning.core.files import atomic_path
from captioning.params.stages import Params
from captioning.stage.main import stage_main

CHECKED = "data/checked.txt"


def check(params: Params) -> None:
    """Write data/checked.txt, always with the same content. The params are checked before."""
    with atomic_path(CHECKED) as path:
        path.write_text("params.yaml is valid.\n", encoding="utf-8")


if __name__ == "__main__":
    stage_main(check)
