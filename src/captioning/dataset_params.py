"""The typed schema of `dataset` and `datasets`: one block for each dataset."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from captioning.sections import Count, Md5, Section, Seed, Share

DatasetName = Literal["scenes", "flickr8k", "conceptual_captions", "folder"]


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


class ConceptualCaptionsParams(Section):
    """`datasets.conceptual_captions`: see params.yaml for what each key means."""

    source: Annotated[str, Field(min_length=1)]
    training_md5: Md5 | None
    validation_md5: Md5 | None
    train_images: Count | None
    validation_images: Count | None
    test_images: Count
    image_size: Annotated[int, Field(ge=32, le=4096)]
    max_failed_share: Share


class FolderParams(Section):
    """`datasets.folder`: see params.yaml for what each key means."""

    path: Annotated[str, Field(min_length=1)]
    seed: Seed
    validation_share: Annotated[float, Field(gt=0, lt=1)]
    test_share: Annotated[float, Field(gt=0, lt=1)]

    @model_validator(mode="after")
    def _something_left_to_train(self) -> FolderParams:
        if self.validation_share + self.test_share >= 1:
            raise ValueError(
                f"validation_share ({self.validation_share}) and test_share ({self.test_share}) "
                "leave nothing to train on"
            )
        return self


class DatasetsParams(Section):
    """`datasets`: one block for each dataset; only the chosen one's matters."""

    scenes: ScenesParams
    flickr8k: Flickr8kParams
    conceptual_captions: ConceptualCaptionsParams
    folder: FolderParams
