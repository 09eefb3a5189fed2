"""The typed schema of params.yaml.

Unknown keys, wrong types and impossible values are refused by name, all of them in one message,
before a stage does any work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from captioning.errors import InputError

DatasetName = Literal["scenes", "flickr8k"]
ExtractorName = Literal["efficientnet_lite0", "mobilenet_v3_small"]
Md5 = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """Base of all sections: no unknown key, no silent conversion, no change after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


SectionT = TypeVar("SectionT", bound=Section)


class ScenesParams(Section):
    """`datasets.scenes`: see params.yaml for what each key means."""

    seed: Seed
    train_images: Count
    validation_images: Count
    test_images: Count
    image_size: Annotated[int, Field(ge=64, le=1024)]
    min_objects: Count
    max_objects: Annotated[int, Field(ge=1, le=6)]

    @model_validator(mode="after")
    def _objects_in_order(self) -> ScenesParams:
        if self.min_objects > self.max_objects:
            raise ValueError(
                f"min_objects ({self.min_objects}) is more than max_objects ({self.max_objects})"
            )
        return self


class Flickr8kParams(Section):
    """`datasets.flickr8k`: see params.yaml for what each key means."""

    source: Annotated[str, Field(min_length=1)]
    images_md5: Md5
    captions_md5: Md5


class DatasetsParams(Section):
    """`datasets`: one block for each dataset; only the chosen one's matters."""

    scenes: ScenesParams
    flickr8k: Flickr8kParams


class DownloadParams(Section):
    """`download`: how the raw table is cut."""

    shards: Annotated[int, Field(ge=1, le=99999)]


class FeaturesParams(Section):
    """`features`: the frozen backbone."""

    extractor: ExtractorName
    image_size: Annotated[int, Field(ge=32, le=1024, multiple_of=32)]
    dtype: Literal["float16", "float32"]


class VocabularyParams(Section):
    """`vocabulary`: which words the model may say."""

    max_size: Annotated[int, Field(ge=5)]
    min_count: Count


class ModelParams(Section):
    """`model`: the decoder."""

    layers: Count
    units: Count
    heads: Count
    key_size: Count | None
    feed_forward_units: Count
    activation: Literal["relu", "gelu"]
    dropout: Share
    residual_dropout: Share
    max_length: Annotated[int, Field(ge=3)]
    norm: Literal["pre", "post"]
    tie_embeddings: bool
    image_projection: bool
    image_positions: bool

    @model_validator(mode="after")
    def _units_divisible(self) -> ModelParams:
        if self.key_size is None and self.units % self.heads:
            raise ValueError(
                f"units ({self.units}) is not divisible by heads ({self.heads}): "
                "choose others, or set key_size"
            )
        return self


class SelfCriticalParams(Section):
    """`train.self_critical`: training on rewards after training on the captions."""

    epochs: Annotated[int, Field(ge=0)]
    learning_rate: Annotated[float, Field(gt=0)]
    captions: Annotated[int, Field(ge=2, le=64)]
    bleu_weight: Annotated[float, Field(ge=0)]


class TrainParams(Section):
    """`train`: how the decoder is fitted."""

    batch_images: Count
    captions_per_image: Count | None
    epochs: Count
    report_every: Count | None
    patience: Count | None
    monitor: Literal["loss", "accuracy"]
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: Literal["constant", "cosine"]
    warmup_epochs: Annotated[float, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    clip_norm: Annotated[float, Field(gt=0)] | None
    label_smoothing: Share
    average_weights: Share | None
    precision: Literal["float32", "bfloat16"]
    threads: Annotated[int, Field(ge=1, le=1024)] | None
    seed: Seed
    sample_images: Annotated[int, Field(ge=0, le=64)]
    self_critical: SelfCriticalParams


class EvaluateParams(Section):
    """`evaluate`: how captions are decoded and scored."""

    decoder: Literal["greedy", "sample", "beam"]
    beam_width: Annotated[int, Field(ge=1, le=64)]
    length_penalty: Annotated[float, Field(ge=0)]
    temperature: Annotated[float, Field(gt=0)]
    seed: Seed
    batch_images: Count
    bootstrap_samples: Annotated[int, Field(ge=100)]
    sample_images: Annotated[int, Field(ge=0, le=64)]


class Params(Section):
    """The whole of params.yaml."""

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


def load_section(path: Path | str, schema: type[SectionT]) -> SectionT:
    """Read a YAML file and check it against a schema.

    Raises:
        InputError: the file is missing or no YAML mapping, or any key is unknown, missing, of a
            wrong type or impossible. Every problem is listed, by the key's full name.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run from the repository's root") from None
    try:
        return schema.model_validate(parse_mapping(content, str(path)))
    except ValidationError as error:
        raise InputError(_readable(path, error)) from None


def parse_mapping(content: bytes, name: str) -> dict[str, Any]:
    """Parse YAML in UTF-8; `name` is what to call it in errors.

    Raises:
        InputError: it is no YAML mapping.
    """
    try:
        # The loader DVC reads params.yaml with (YAML 1.2: 6e-4 is a number), so both see the same.
        values = YAML(typ="safe", pure=True).load(content.decode("utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{name} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{name} must hold a mapping of sections")
    return values


def _readable(path: Path | str, error: ValidationError) -> str:
    """One line a problem: the key's full name, what is wrong, and the value found."""
    lines = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            message = "unknown key"
        elif problem["type"] == "missing":
            message = "is missing"
        else:
            message = problem["msg"].removeprefix("Value error, ")
            if problem["type"] != "value_error":
                message += f" (found {problem['input']!r})"
        lines.append(f"  {key}: {message}")
    return f"{path} has {len(lines)} problem{'s'[: len(lines) > 1]}:\n" + "\n".join(lines)
