"""All settings of decoding in one object, checked as those in params.yaml are."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from captioning.core.errors import InputError
from captioning.params.decoding import DecodingParams
from captioning.params.schema import check_values


@dataclass(frozen=True)
class DecodingSettings:
    """How captions are searched for. The defaults are those of params.yaml.

    `search.make_decoder` makes the search. Its graph depends on some of the settings only, see
    `graph`; the others are numbers of each image, see `CaptionSearch.make_inputs`.

    Args:
        decoder: `greedy` takes the most probable token, `sample` draws one, and `beam` extends
            several captions at a time.
        beam_width: number of beams, 1 to 64.
        length_penalty: a beam's log-probability is divided by its length to this power, 0 to 10.
        beam_groups: number of equal groups of beams, a divisor of `beam_width`.
        diversity: what a token loses in log-probability for each beam of an earlier group that has
            chosen it, 0 to 100.
        temperature: divides the logits before a token is drawn, 0.001 to 1000.
        top_k: number of the most probable tokens from which one is drawn; None means all.
        top_p: tokens are drawn from the fewest that have this probability together, greater than 0
            and at most 1; None means all.
        minimum_length: smallest number of tokens of a caption, without `[START]` and `[END]`.
        no_repeat_ngram: number of tokens of which no sequence occurs twice in a caption; None
            allows repetitions.
        seed: seed of the random numbers, 0 to 2^31 - 1.

    Raises:
        InputError: a value is out of bounds, values do not fit together, or `top_k`, `top_p`,
            `beam_groups` or `diversity` would have no effect.
    """

    decoder: str = "beam"
    beam_width: int = 3
    length_penalty: float = 1.0
    beam_groups: int = 1
    diversity: float = 0.0
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    minimum_length: int = 0
    no_repeat_ngram: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_values(asdict(self), DecodingParams)

    @classmethod
    def of(cls, params: DecodingParams) -> DecodingSettings:
        """The settings in a section of params.yaml, such as `evaluate`."""
        return cls(**{field.name: getattr(params, field.name) for field in fields(cls)})

    @property
    def graph(self) -> DecodingSettings:
        """These settings without what does not change the graph of the search.

        Images whose settings have the same `graph` can be decoded in one batch. The temperature,
        `length_penalty`, `diversity` and `seed` have their defaults here. `top_p` is 1 or None,
        because sorting the vocabulary takes time, which is spared if no image needs it. Settings of
        other decoders than this one have their defaults, too.
        """
        kept: dict[str, Any] = {"decoder": self.decoder, "minimum_length": self.minimum_length}
        kept["no_repeat_ngram"] = self.no_repeat_ngram
        if self.decoder == "beam":
            kept |= {"beam_width": self.beam_width, "beam_groups": self.beam_groups}
        if self.decoder == "sample":
            kept |= {"top_k": self.top_k, "top_p": None if self.top_p is None else 1.0}
        return DecodingSettings(**kept)

    def with_changes(self, **changes: Any) -> DecodingSettings:
        """A copy with other values.

        Raises:
            InputError: as the constructor; or there is no setting of that name.
        """
        names = [field.name for field in fields(self)]
        for name in changes:
            if name not in names:
                raise InputError(f"{name!r} is no setting of decoding: use {', '.join(names)}")
        return replace(self, **changes)
