"""The searches of a captioner, made once for each graph."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from captioning.decoding.search import BeamSearch, DecodingSettings, Sampler, make_decoder
from captioning.model import CaptionDecoder

#: Number of searches that are kept; each holds a compiled graph.
MAX_SEARCHES = 32


class Searches:
    """Makes searches of a decoder and keeps those used last; several threads may share it.

    Args:
        decoder: caption decoder.
    """

    def __init__(self, decoder: CaptionDecoder) -> None:
        self._decoder = decoder
        self._made: OrderedDict[tuple[DecodingSettings, int], Sampler | BeamSearch] = OrderedDict()
        self._lock = Lock()

    def get(self, settings: DecodingSettings, captions: int) -> Sampler | BeamSearch:
        """The search for the graph of some settings and a number of captions for each image.

        Raises:
            InputError: see `make_decoder`.
        """
        key = (settings.graph, captions)
        with self._lock:
            if key not in self._made:
                self._made[key] = make_decoder(self._decoder, *key)
            self._made.move_to_end(key)
            while len(self._made) > MAX_SEARCHES:
                self._made.popitem(last=False)
            return self._made[key]
