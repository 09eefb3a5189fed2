"""Importing Keras in less time."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Keras imports these where they are installed, to accept their types or to offer plots, which
# nothing here uses.
_OPTIONAL = ("matplotlib", "pandas", "sklearn")


@contextmanager
def quick_imports() -> Iterator[None]:
    """In the block, Keras finds its optional companions not installed.

    After it they can be imported as ever. What is there already stays. The garbage collector
    pauses: modules are no garbage.
    """
    hidden = [name for name in _OPTIONAL if name not in sys.modules]
    enabled = gc.isenabled()
    gc.disable()
    for name in hidden:
        # Python's own mark of a module that can't be imported.
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
        gc.freeze()
        if enabled:
            gc.enable()
