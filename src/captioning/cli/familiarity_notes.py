"""Says once what a model knows, and warns of pictures unlike those of its training."""

from __future__ import annotations

import sys

from captioning.known_data import model_note
from captioning.model.bundle import Bundle

_MAX_WARNINGS = 5


class FamiliarityNotes:
    """Prints the note on a model and the warnings of its pictures to standard error.

    Args:
        bundle: the model.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._unfamiliar = 0
        note = model_note(bundle)
        _print(f"note: {note[0].lower()}{note[1:]}")

    def see(self, name: str, unfamiliar: bool | None) -> None:
        """Warn of a picture if it is unfamiliar; of further ones only their number is told."""
        if not unfamiliar:
            return
        self._unfamiliar += 1
        if self._unfamiliar <= _MAX_WARNINGS:
            _print(f"warning: {name} is unlike the pictures of training: its caption may be wrong")

    def close(self) -> None:
        """Tell how many unfamiliar pictures there were beyond the warnings, if any."""
        more = self._unfamiliar - _MAX_WARNINGS
        if more > 0:
            pictures = "picture is" if more == 1 else "pictures are"
            _print(f"warning: {more:,} more {pictures} unlike those of training")


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
