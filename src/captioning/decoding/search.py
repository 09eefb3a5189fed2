"""Make the search method that settings describe."""

from __future__ import annotations

from captioning.core.errors import InputError
from captioning.decoding.beam_search import BeamSearch
from captioning.decoding.sampler import Sampler
from captioning.decoding.settings import DecodingSettings
from captioning.model import CaptionDecoder

__all__ = ["BeamSearch", "DecodingSettings", "Sampler", "make_decoder"]


def make_decoder(
    model: CaptionDecoder, settings: DecodingSettings | None = None, captions: int = 1
) -> Sampler | BeamSearch:
    """Make a search method.

    Args:
        model: caption decoder.
        settings: how captions are searched for; None means the defaults.
        captions: number of captions for each image.

    Raises:
        InputError: the method cannot find so many captions, or the model's captions are shorter
            than the settings require.
    """
    settings = settings or DecodingSettings()
    if captions < 1:
        raise InputError(f"the number of captions must be 1 or more, not {captions}")
    longest = model.max_length - 2
    if settings.minimum_length > longest:
        raise InputError(
            f"minimum_length ({settings.minimum_length}) is larger than {longest}, the longest "
            "caption of this model: lower it"
        )
    if settings.decoder == "beam":
        if captions > settings.beam_width:
            raise InputError(
                f"{captions} captions need a beam width of at least {captions}, not "
                f"{settings.beam_width}"
            )
        return BeamSearch(model, settings, captions)
    if settings.decoder == "greedy" and captions > 1:
        raise InputError("greedy decoding finds one caption only: choose beam or sample for more")
    return Sampler(model, settings, captions)
