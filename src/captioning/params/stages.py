"""The typed schema of params.yaml: one class for each section."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from captioning.params.choices import (
    Activation,
    DatasetName,
    ExtractorName,
    FeatureDtype,
    Monitor,
    Norm,
    Normalization,
    Precision,
    Punctuation,
    Schedule,
    Tokenizer,
    VocabularyKind,
)
from captioning.params.datasets import DatasetsParams
from captioning.params.decoding import DecodingParams
from captioning.params.schema import BatchSize, Count, Section, Seed, load_section

#: Number of epochs, or of reports.
Rounds = Annotated[int, Field(ge=1, le=100_000)]
#: Dropout and label smoothing: nearer to 1, nothing would be left to learn from.
Rate = Annotated[float, Field(ge=0, le=0.99)]
#: A larger rate has never trained a decoder; 1e39 is infinite in float32.
LearningRate = Annotated[float, Field(gt=0, le=10)]
#: With the optimizer's state, so many float32 weights need 64 GB.
MAX_WEIGHTS = 4 * 10**9


class DownloadParams(Section):
    """`download`: how the raw table is divided into files."""

    shards: Annotated[int, Field(ge=1, le=99999)]


class FeaturesParams(Section):
    """`features`: the frozen backbone."""

    extractor: ExtractorName
    image_size: Annotated[int, Field(ge=32, le=1024, multiple_of=32)]
    dtype: FeatureDtype


class VocabularyParams(Section):
    """`vocabulary`: the words, or pieces of words, that the model can produce."""

    kind: VocabularyKind
    max_size: Annotated[int, Field(ge=5, le=1_000_000)]
    min_count: Count
    character_coverage: Annotated[float, Field(ge=0.98, le=1)]
    normalization: Normalization
    lowercase: bool
    punctuation: Punctuation


class ModelParams(Section):
    """`model`: the decoder."""

    layers: Annotated[int, Field(ge=1, le=256)]
    units: Annotated[int, Field(ge=1, le=16384)]
    heads: Annotated[int, Field(ge=1, le=256)]
    key_size: Annotated[int, Field(ge=1, le=4096)] | None
    feed_forward_units: Annotated[int, Field(ge=1, le=65536)]
    activation: Activation
    dropout: Rate
    residual_dropout: Rate
    max_length: Annotated[int, Field(ge=3, le=1024)]
    norm: Norm
    tie_embeddings: bool
    image_projection: bool
    image_positions: bool

    @model_validator(mode="after")
    def _units_divisible(self) -> ModelParams:
        if self.key_size is None and self.units % self.heads:
            raise ValueError(
                f"units ({self.units}) is not divisible by heads ({self.heads}): "
                "change one of them, or set key_size"
            )
        return self

    @model_validator(mode="after")
    def _weights_bounded(self) -> ModelParams:
        attention = self.heads * (self.key_size or self.units // self.heads)
        # Two attentions with four kernels each, and the feed-forward block's two kernels.
        weights = self.layers * self.units * (8 * attention + 2 * self.feed_forward_units)
        if weights > MAX_WEIGHTS:
            raise ValueError(
                f"the layers would have {weights:.1e} weights, more than {MAX_WEIGHTS:.0e}: "
                "lower layers, units, heads, key_size or feed_forward_units"
            )
        return self


class SelfCriticalParams(Section):
    """`train.self_critical`: training on rewards, after training on the captions."""

    epochs: Annotated[int, Field(ge=0, le=100_000)]
    learning_rate: LearningRate
    captions: Annotated[int, Field(ge=2, le=64)]
    bleu_weight: Annotated[float, Field(ge=0, le=1000)]


class TrainParams(Section):
    """`train`: how the decoder is trained."""

    batch_images: BatchSize
    captions_per_image: Annotated[int, Field(ge=1, le=1000)] | None
    epochs: Rounds
    report_every: Count | None
    patience: Rounds | None
    monitor: Monitor
    learning_rate: LearningRate
    schedule: Schedule
    warmup_epochs: Annotated[float, Field(ge=0, le=100_000)]
    weight_decay: Annotated[float, Field(ge=0, le=100)]
    clip_norm: Annotated[float, Field(gt=0, le=1e6)] | None
    label_smoothing: Rate
    average_weights: Annotated[float, Field(ge=0, le=0.999999)] | None
    precision: Precision
    threads: Annotated[int, Field(ge=1, le=1024)] | None
    parts: Annotated[int, Field(ge=1, le=1024)]
    seed: Seed
    sample_images: Annotated[int, Field(ge=0, le=64)]
    self_critical: SelfCriticalParams

    @model_validator(mode="after")
    def _parts_have_images(self) -> TrainParams:
        if self.parts > self.batch_images:
            raise ValueError(
                f"parts ({self.parts}) is larger than batch_images ({self.batch_images}): "
                "every part needs at least one image"
            )
        return self


class EvaluateParams(DecodingParams):
    """`evaluate`: how captions are decoded and scored."""

    tokenizer: Tokenizer
    batch_images: BatchSize
    bootstrap_samples: Annotated[int, Field(ge=100, le=100_000)]
    sample_images: Annotated[int, Field(ge=0, le=64)]


class Params(Section):
    """All sections of params.yaml."""

    dataset: DatasetName
    datasets: DatasetsParams
    download: DownloadParams
    features: FeaturesParams
    vocabulary: VocabularyParams
    model: ModelParams
    train: TrainParams
    evaluate: EvaluateParams

    @model_validator(mode="after")
    def _minimum_length_fits(self) -> Params:
        longest = self.model.max_length - 2
        if self.evaluate.minimum_length > longest:
            raise ValueError(
                f"evaluate.minimum_length ({self.evaluate.minimum_length}) is larger than "
                f"{longest}, which model.max_length ({self.model.max_length}) leaves beside "
                "[START] and [END]: lower it, or raise model.max_length"
            )
        return self


def load_params(path: Path | str = "params.yaml") -> Params:
    """Read and check a params file.

    Raises:
        InputError: as `load_section`.
    """
    return load_section(path, Params)
