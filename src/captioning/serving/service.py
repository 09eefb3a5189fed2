"""From the pictures of a request to their captions, in order."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from captioning.captioner import Caption
from captioning.core.errors import InputError
from captioning.serving.batcher import Batcher, Job
from captioning.serving.errors import RequestError
from captioning.serving.metrics import Metrics
from captioning.serving.model import ServedModel
from captioning.serving.parsing import Asked
from captioning.serving.pictures import Pictures

# Attention maps are told with so many digits behind the point.
_DIGITS = 5


class CaptionService:
    """Captions the pictures of requests.

    Args:
        model: the model.
        batcher: its queue.
        pictures: fetches and decodes.
        metrics: where refused pictures are counted.
    """

    def __init__(
        self, model: ServedModel, batcher: Batcher, pictures: Pictures, metrics: Metrics
    ) -> None:
        self._model = model
        self._batcher = batcher
        self._pictures = pictures
        self._metrics = metrics

    async def answer(self, asked: Asked) -> dict[str, Any]:
        """The answer to a request, see `schema.CaptionsAnswer`.

        Raises:
            RequestError: the queue is full, or the model cannot search as the request asks for.
        """
        with self._batcher.room(len(asked.pictures)):
            await self._check(asked)
            tasks = [
                asyncio.create_task(self._result(asked, place, picture))
                for place, picture in enumerate(asked.pictures)
            ]
            try:
                results = await asyncio.gather(*tasks)
            finally:
                for task in tasks:  # If one failed, or the client left.
                    task.cancel()
        return {"model": self._model.name, "results": results}

    async def _check(self, asked: Asked) -> None:
        try:
            await self._pictures.run(self._model.check, asked.decoding, asked.settings.n)
        except InputError as error:
            raise RequestError("invalid_request", str(error), 422) from None

    async def _result(
        self, asked: Asked, place: int, picture: bytes | Mapping[str, str | None]
    ) -> dict[str, Any]:
        """Captions of one picture, or what is wrong with it."""
        try:
            data = picture if isinstance(picture, bytes) else picture["base64"]
            if data is None:
                assert not isinstance(picture, bytes)
                data = await self._pictures.fetched(str(picture["url"]))
            with self._batcher.coming():
                decoded = await self._pictures.decoded(data)
        except RequestError as error:
            self._metrics.rejected.labels(error.code).inc()
            return error.content
        settings = asked.settings
        job = Job(decoded.pixels, asked.decoding, settings.n, settings.attention, place)
        captions = await self._batcher.captions(job)
        return {
            "captions": [_as_json(caption) for caption in captions],
            "unfamiliar": captions[0].unfamiliar,
            "width": decoded.width,
            "height": decoded.height,
        }


def _as_json(caption: Caption) -> dict[str, Any]:
    """A caption as in `schema.CaptionAnswer`."""
    maps: Sequence[NDArray[Any] | None]
    maps = [None] * len(caption.words) if caption.attention is None else list(caption.attention)
    return {
        "text": caption.text,
        "log_probability": round(caption.log_probability, 5),
        "probability": float(f"{math.exp(min(caption.log_probability, 0.0)):.4g}"),
        "words": [_word(word, of_word) for word, of_word in zip(caption.words, maps, strict=True)],
    }


def _word(text: str, attention: NDArray[Any] | None) -> dict[str, Any]:
    if attention is None:
        return {"text": text}
    return {"text": text, "attention": attention.astype("float64").round(_DIGITS).tolist()}
