"""The typed schema of params.yaml: one class for each section."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from captioning.params.choices import (
    Activation,
    DatasetName,
    Decoder,
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
from captioning.params.schema import Count, Section, Seed, Share, load_section


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
    max_size: Annotated[int, Field(ge=5)]
    min_count: Count
    character_coverage: Annotated[float, Field(ge=0.98, le=1)]
    normalization: Normalization
    lowercase: bool
    punctuation: Punctuation


class ModelParams(Section):
    """`model`: the decoder."""

    layers: Count
    units: Count
    heads: Count
    key_size: Count | None
    feed_forward_units: Count
    activation: Activation
    dropout: Share
    residual_dropout: Share
    max_length: Annotated[int, Field(ge=3)]
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


class SelfCriticalParams(Section):
    """`train.self_critical`: training on rewards, after training on the captions."""

    epochs: Annotated[int, Field(ge=0)]
    learning_rate: Annotated[float, Field(gt=0)]
    captions: Annotated[int, Field(ge=2, le=64)]
    bleu_weight: Annotated[float, Field(ge=0)]


class TrainParams(Section):
    """`train`: how the decoder is trained."""

    batch_images: Count
    captions_per_image: Count | None
    epochs: Count
    report_every: Count | None
    patience: Count | None
    monitor: Monitor
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: Schedule
    warmup_epochs: Annotated[float, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    clip_norm: Annotated[float, Field(gt=0)] | None
    label_smoothing: Share
    average_weights: Share | None
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


class EvaluateParams(Section):
    """`evaluate`: how captions are decoded and scored."""

    decoder: Decoder
    beam_width: Annotated[int, Field(ge=1, le=64)]
    length_penalty: Annotated[float, Field(ge=0)]
    temperature: Annotated[float, Field(gt=0)]
    tokenizer: Tokenizer
    seed: Seed
    batch_images: Count
    bootstrap_samples: Annotated[int, Field(ge=100)]
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


def load_params(path: Path | str = "params.yaml") -> Params:
    """Read and check a params file.

    Raises:
        InputError: as `load_section`.
    """
    return load_section(path, Params)
