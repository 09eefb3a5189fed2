"""A base class for objects that hold files open and are used in a `with` statement."""

from __future__ import annotations

from typing import TypeVar

SelfT = TypeVar("SelfT", bound="Closing")


class Closing:
    """Context manager that calls `close` when its `with` block ends."""

    def close(self, complete: bool = True) -> None:
        """Release the files.

        Args:
            complete: False if the `with` block raised an exception.
        """

    def __enter__(self: SelfT) -> SelfT:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(complete=kind is None)
