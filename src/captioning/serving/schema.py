"""The JSON values of requests and answers."""

from __future__ import annotations

from copy import copy
from dataclasses import fields
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from captioning.decoding.settings import DecodingSettings
from captioning.params.decoding import DecodingParams
from captioning.params.schema import Section


def _with_defaults() -> dict[str, Any]:
    """The fields of `DecodingParams`, each with its bounds and the default of the library."""
    changed = {}
    for field in fields(DecodingSettings):
        info = copy(DecodingParams.model_fields[field.name])
        info.default = field.default
        changed[field.name] = (info.annotation, info)
    return changed


#: The settings of decoding, all of them optional.
OptionalDecoding: Any = create_model(
    "OptionalDecoding", __base__=DecodingParams, **_with_defaults()
)


class Settings(OptionalDecoding):
    """How pictures are captioned."""

    n: Annotated[int, Field(ge=1, le=64, description="captions for each picture")] = 1
    attention: Annotated[
        bool, Field(description="whether to tell where the model looked for each word")
    ] = True

    def decoding(self) -> DecodingSettings:
        """The settings of the search.

        Raises:
            InputError: they do not fit together.
        """
        return DecodingSettings(
            **{field.name: getattr(self, field.name) for field in fields(DecodingSettings)}
        )


class Picture(Section):
    """One picture: its bytes or its address."""

    base64: Annotated[str | None, Field(description="bytes of an image file in Base64")] = None
    url: Annotated[
        str | None, Field(max_length=4096, description="only where the server allows URLs")
    ] = None

    @model_validator(mode="after")
    def _either(self) -> Picture:
        if (self.base64 is None) == (self.url is None):
            raise ValueError("give either base64 or url")
        return self


class CaptionRequest(Settings):
    """Pictures to caption, and how."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"images": [{"base64": "iVBORw0KGgo…"}], "n": 3},
                {
                    "images": [{"base64": "/9j/4AAQSkZJRg…"}],
                    "decoder": "sample",
                    "temperature": 0.8,
                    "seed": 7,
                    "attention": False,
                },
            ]
        }
    )

    images: Annotated[list[Picture], Field(min_length=1)]


class _Answer(BaseModel):
    """Base class of what is answered; answers are written by the code, not read."""


class Problem(_Answer):
    """What is wrong."""

    code: Annotated[str, Field(examples=["not_an_image"])]
    message: str


class ErrorAnswer(_Answer):
    """The answer to a request that is refused, or a picture that cannot be captioned."""

    error: Problem


class Word(_Answer):
    """A word of a caption; of models with subwords, a piece of a word."""

    text: str
    attention: Annotated[
        list[list[float]] | None,
        Field(description="where the model looked: height x width numbers, whose sum is 1"),
    ] = None


class CaptionAnswer(_Answer):
    """A caption."""

    text: str
    log_probability: Annotated[float, Field(description="natural logarithm")]
    probability: float
    words: list[Word]


class PictureAnswer(_Answer):
    """The captions of a picture, the best first."""

    captions: list[CaptionAnswer]
    unfamiliar: Annotated[
        bool | None,
        Field(description="whether it is unlike the pictures of training; null if unknown"),
    ]
    width: Annotated[int, Field(description="of the upright picture, in pixels")]
    height: int


class ModelName(_Answer):
    """Which model wrote the captions."""

    dataset: str | None
    note: str


class CaptionsAnswer(_Answer):
    """One result for each picture, in the order of the request."""

    model: ModelName
    results: list[PictureAnswer | ErrorAnswer]


class ModelAnswer(ModelName):
    """The model and what the server accepts."""

    language: str | None
    extractor: str
    image_size: Annotated[int, Field(description="side of the resized square, in pixels")]
    grid: Annotated[list[int], Field(description="height and width of attention maps")]
    vocabulary_size: int
    limits: dict[str, float]
    allow_urls: bool


class ExampleAnswer(_Answer):
    """A picture that was not used for training."""

    id: int
    url: str
    references: Annotated[list[str], Field(description="captions that people gave it")]
