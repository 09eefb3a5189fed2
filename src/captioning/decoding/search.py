"""The search methods by their names in params.yaml."""

from __future__ import annotations

from captioning.decoding.beam_search import BeamSearch
from captioning.decoding.sampler import Sampler
from captioning.model import CaptionDecoder

__all__ = ["BeamSearch", "Sampler", "make_decoder"]


def make_decoder(
    model: CaptionDecoder,
    decoder: str,
    beam_width: int = 3,
    length_penalty: float = 1.0,
    temperature: float = 1.0,
    seed: int = 0,
) -> Sampler | BeamSearch:
    """Make a search method.

    Args:
        model: caption decoder.
        decoder: value of `evaluate.decoder` in params.yaml: `greedy`, `sample` or `beam`.
        beam_width: number of beams, for `beam`.
        length_penalty: exponent of the length by which beams are ranked, for `beam`.
        temperature: temperature of `sample`.
        seed: random seed of `sample`.
    """
    if decoder == "beam":
        return BeamSearch(model, beam_width, length_penalty)
    return Sampler(model, temperature if decoder == "sample" else 0.0, seed)
