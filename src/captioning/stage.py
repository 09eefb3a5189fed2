"""What every stage script does around its work."""

from __future__ import annotations

import sys
from collections.abc import Callable

from captioning.errors import InputError
from captioning.params import Params, load_params


def stage_main(stage: Callable[[Params], None]) -> None:
    """Run `stage` with the params of the current folder; print an `InputError` as one message."""
    try:
        stage(load_params())
    except InputError as error:
        sys.exit(f"error: {error}")
