"""The numbers and choices of decoding: a part of `evaluate`, and what every other caller checks."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from captioning.params.choices import Decoder
from captioning.params.schema import Section, Seed

#: Beams of an image are decoded together; each takes memory.
BeamWidth = Annotated[int, Field(ge=1, le=64)]
#: Nearer to 0, logits divided by it would overflow; greedy decoding is the limit.
Temperature = Annotated[float, Field(ge=0.001, le=1000)]


class DecodingParams(Section):
    """How captions are decoded."""

    decoder: Decoder
    beam_width: BeamWidth
    length_penalty: Annotated[float, Field(ge=0, le=10)]
    beam_groups: BeamWidth
    diversity: Annotated[float, Field(ge=0, le=100)]
    temperature: Temperature
    top_k: Annotated[int, Field(ge=1, le=1_000_000)] | None
    top_p: Annotated[float, Field(gt=0, le=1)] | None
    minimum_length: Annotated[int, Field(ge=0, le=1022)]
    no_repeat_ngram: Annotated[int, Field(ge=1, le=1024)] | None
    seed: Seed

    @model_validator(mode="after")
    def _groups_are_equal(self) -> DecodingParams:
        if self.beam_width % self.beam_groups:
            raise ValueError(
                f"a beam width of {self.beam_width} does not make {self.beam_groups} equal groups: "
                "make beam_width a multiple of beam_groups"
            )
        return self

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> DecodingParams:
        for name in ("top_k", "top_p"):
            if getattr(self, name) is not None and self.decoder != "sample":
                raise ValueError(
                    f"{name} has an effect only on sampling: set it to null, or decoder to sample "
                    f"instead of {self.decoder}"
                )
        if self.beam_groups > 1 and self.decoder != "beam":
            raise ValueError(
                "beam_groups has an effect only on beam search: set it to 1, or decoder to beam "
                f"instead of {self.decoder}"
            )
        if self.diversity and self.beam_groups == 1:
            raise ValueError(
                "diversity has an effect only between groups of beams: set it to 0, or "
                "beam_groups to 2 or more"
            )
        return self
