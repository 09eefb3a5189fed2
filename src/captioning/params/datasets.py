"""The typed schema of `datasets`: one class for each dataset."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from captioning.params.schema import Count, Md5, Place, Section, Seed, Share


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
                f"min_objects ({self.min_objects}) is larger than max_objects ({self.max_objects})"
            )
        return self


class Flickr8kParams(Section):
    """`datasets.flickr8k`: see params.yaml for what each key means."""

    source: Place
    images_md5: Md5 | None
    captions_md5: Md5 | None

    @model_validator(mode="after")
    def _sums_where_needed(self) -> Flickr8kParams:
        if "://" in self.source and None in (self.images_md5, self.captions_md5):
            raise ValueError(
                f"{self.source} is downloaded, so images_md5 and captions_md5 must be given"
            )
        return self


class ConceptualCaptionsParams(Section):
    """`datasets.conceptual_captions`: see params.yaml for what each key means."""

    source: Place
    training_md5: Md5 | None
    validation_md5: Md5 | None
    train_images: Count | None
    validation_images: Count | None
    test_images: Count
    image_size: Annotated[int, Field(ge=32, le=4096)]
    max_failed_share: Share


class FolderParams(Section):
    """`datasets.folder`: see params.yaml for what each key means."""

    path: Place
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


class KarpathyParams(Section):
    """`datasets.karpathy`: see params.yaml for what each key means."""

    annotations: Place
    annotations_md5: Md5 | None
    split_file: Place
    images: list[Place]
    images_md5: list[Md5 | None] | None
    restval: Literal["train", "exclude"]
    train_images: Count | None
    validation_images: Count | None
    test_images: Count | None

    @model_validator(mode="after")
    def _sums_where_needed(self) -> KarpathyParams:
        if self.images_md5 is not None and len(self.images_md5) != len(self.images):
            raise ValueError(
                f"images_md5 has {len(self.images_md5)} MD5 sums for {len(self.images)} images: "
                "give one for each archive or folder, in the same order, or null"
            )
        sums = self.images_md5 or [None] * len(self.images)
        fetched = zip([self.annotations, *self.images], [self.annotations_md5, *sums], strict=True)
        for place, md5 in fetched:
            if md5 is None and "://" in place:
                raise ValueError(f"{place} is downloaded, so its MD5 sum must be given")
        return self


class CocoCaptionsParams(KarpathyParams):
    """`datasets.coco_captions`: see params.yaml for what each key means."""

    source: Literal["karpathy", "tfds"]
    tfds_version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]


class DatasetsParams(Section):
    """`datasets`: one block for each dataset; only that of the chosen dataset has an effect."""

    scenes: ScenesParams
    flickr8k: Flickr8kParams
    conceptual_captions: ConceptualCaptionsParams
    folder: FolderParams
    coco_captions: CocoCaptionsParams
    karpathy: KarpathyParams
