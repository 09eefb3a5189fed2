"""The search methods by their names in params.yaml."""

from __future__ import annotations

from captioning.core.errors import InputError
from captioning.decoding.beam_search import BeamSearch
from captioning.decoding.constraints import Constraints
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
    *,
    beam_groups: int = 1,
    diversity: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    minimum_length: int = 0,
    no_repeat_ngram: int | None = None,
    captions: int = 1,
) -> Sampler | BeamSearch:
    """Make a search method.

    Args:
        model: caption decoder.
        decoder: value of `evaluate.decoder` in params.yaml: `greedy`, `sample` or `beam`.
        beam_width, length_penalty, beam_groups, diversity: see `BeamSearch`.
        temperature, seed, top_k, top_p: of `sample`, see `Sampler`.
        minimum_length, no_repeat_ngram: see `Constraints`.
        captions: number of captions for each image.

    Raises:
        InputError: the method cannot find so many captions, or the beams do not make equal groups.
    """
    constraints = Constraints(minimum_length, no_repeat_ngram)
    if decoder == "beam":
        _check_beams(beam_width, beam_groups, captions)
        return BeamSearch(
            model,
            beam_width,
            length_penalty,
            groups=beam_groups,
            diversity=diversity,
            captions=captions,
            constraints=constraints,
        )
    if decoder == "greedy" and captions > 1:
        raise InputError("greedy decoding finds one caption only: choose beam or sample for more")
    return Sampler(
        model,
        temperature if decoder == "sample" else 0.0,
        seed,
        top_k=top_k,
        top_p=top_p,
        captions=captions,
        constraints=constraints,
    )


def _check_beams(beam_width: int, beam_groups: int, captions: int) -> None:
    """Check numbers that must fit together.

    Raises:
        InputError: there are fewer beams than captions, or the beams do not make equal groups.
    """
    if captions > beam_width:
        raise InputError(
            f"{captions} captions need a beam width of at least {captions}, not {beam_width}"
        )
    if beam_width % beam_groups:
        raise InputError(f"a beam width of {beam_width} does not make {beam_groups} equal groups")
