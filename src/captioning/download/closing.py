"""Context managers that close what they hold."""

from __future__ import annotations

from typing import TypeVar

SelfT = TypeVar("SelfT", bound="Closing")


class Closing:
    """Base of classes that hold files open; calls `close` at the end of a `with` block."""

    def close(self, complete: bool = True) -> None:
        """Release what is held; `complete` is False where the block raised."""

    def __enter__(self: SelfT) -> SelfT:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(complete=kind is None)
