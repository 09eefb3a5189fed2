"""The pictures that `captioning caption --attention` draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from captioning.batch.pictures import is_url
from captioning.core.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image


class AttentionPictures:
    """Draws a picture for each caption, until one cannot be written.

    Args:
        out: path of the picture; for several images, `OUT-1.png`, `OUT-2.png` and so on.
        names: the images that are captioned: files, which are not replaced, and URLs.
        report: called with what went wrong.
    """

    def __init__(self, out: Path, names: Sequence[str], report: Callable[[object], None]) -> None:
        self._out: Path | None = out
        self._single = len(names) == 1
        self._images = {Path(name).resolve() for name in names if not is_url(name)}
        self._report = report
        self._number = 0

    def draw(
        self, image: Image, caption: str, pieces: Sequence[str], maps: NDArray[np.float32]
    ) -> dict[str, str]:
        """Draw an image's attention, see `plot_attention`.

        Returns:
            The picture's path as `attention`; empty if it or an earlier one cannot be written.
        """
        if self._out is None:
            return {}
        from captioning.evaluation.plots import plot_attention

        self._number += 1
        path = self._out
        if not self._single:
            path = path.with_name(f"{path.stem}-{self._number}{path.suffix}")
        try:
            if path.resolve() in self._images:
                raise InputError(f"{path} is an image to caption: choose another name")
            plot_attention(path, image, caption, maps, pieces=pieces)
        except InputError as error:
            self._report(error)
        except OSError as error:
            reason = error.strerror or error
            self._report(f"{path}: the attention can't be drawn there ({reason})")
        else:
            return {"attention": str(path)}
        self._out = None
        return {}
