"""Writing and reading the raw table: rows, shards, rejected images and captions."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from captioning.core.errors import InputError
from captioning.core.opening import DamagedError
from captioning.core.splits import SPLITS, shard_paths
from captioning.data.raw_table import raw_shards, read_raw, read_raw_shard
from captioning.download.datasets.base import Example, Rejections
from captioning.download.write_raw import write_raw


def picture(width: int = 3, height: int = 2, colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return file.getvalue()


class Listed:
    """A dataset of given examples."""

    def __init__(self, examples: Sequence[Example], extras: Sequence[pa.Field] = ()) -> None:
        self.extras = extras
        self._examples = examples

    def examples(self, rejections: Rejections) -> Iterator[Example]:
        yield from self._examples


def example(
    image_id: str, split: str = "train", *captions: str, image: bytes | None = None
) -> Example:
    data = picture() if image is None else image
    return Example(image_id, split, data, captions or (f"caption of {image_id}",), {})


ONE_EACH = [example(f"the {split}", split) for split in SPLITS]


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    first = example("a", "train", "one", "two", image=picture(5, 4))
    summary = write_raw(Listed([first, *ONE_EACH]), tmp_path, 1, Rejections())
    rows = list(read_raw(tmp_path, "train"))
    assert rows[0] == {
        "image_id": "a",
        "image": picture(5, 4),
        "width": 5,
        "height": 4,
        "captions": ["one", "two"],
    }
    assert [row["image_id"] for row in rows] == ["a", "the train"]
    assert summary == {
        "images": {"train": 2, "validation": 1, "test": 1},
        "captions": {"train": 3, "validation": 1, "test": 1},
        "rejected": {},
        "rejected_names": {},
    }


def test_examples_are_distributed_over_the_shards_in_turn(tmp_path: Path) -> None:
    examples = [example(f"i{i}") for i in range(5)]
    write_raw(Listed([*examples, *ONE_EACH[1:]]), tmp_path, 3, Rejections())
    paths = raw_shards(tmp_path, "train")
    shards = [[row["image_id"] for row in read_raw_shard(path)] for path in paths]
    assert shards == [["i0", "i3"], ["i1", "i4"], ["i2"]]
    assert [row["image_id"] for row in read_raw(tmp_path, "train")] == [
        "i0",
        "i3",
        "i1",
        "i4",
        "i2",
    ]
    # Shards without rows are written too, and no other file is.
    paths = raw_shards(tmp_path, "test")
    assert [len(list(read_raw_shard(path))) for path in paths] == [1, 0, 0]
    expected = sorted(path for split in SPLITS for path in shard_paths(tmp_path, split, "parquet"))
    assert sorted(tmp_path.iterdir()) == expected


def test_a_row_group_holds_64_images(tmp_path: Path) -> None:
    examples = [example(f"i{i}") for i in range(150)]
    write_raw(Listed([*examples, *ONE_EACH[1:]]), tmp_path, 1, Rejections())
    (path,) = shard_paths(tmp_path, "train", "parquet")
    metadata = pq.ParquetFile(path).metadata
    sizes = [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]
    assert sizes == [64, 64, 22]
    assert [row["image_id"] for row in read_raw(tmp_path, "train")] == [f"i{i}" for i in range(150)]


def test_writing_the_same_examples_again_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_raw(Listed(ONE_EACH), tmp_path / name, 2, Rejections())
    sums = [
        [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((tmp_path / n).iterdir())]
        for n in ("first", "second")
    ]
    assert sums[0] == sums[1]
    assert len(sums[0]) == 6


def test_extras_of_a_dataset_become_columns(tmp_path: Path) -> None:
    extras = [pa.field("background", pa.string()), pa.field("held_out", pa.bool_())]
    values = {"background": "grass", "held_out": True}
    examples = [Example(s, s, picture(), ("a",), values) for s in SPLITS]
    write_raw(Listed(examples, extras), tmp_path, 1, Rejections())
    assert list(read_raw(tmp_path, "test", columns=["background", "held_out"])) == [values]


def test_unusable_images_are_counted_by_reason_and_named(tmp_path: Path) -> None:
    bad = [
        example("text", image=b"hello"),
        example("empty", image=b""),
        example("cut", image=picture(200, 200)[:-40]),
    ]
    summary = write_raw(Listed([*bad, *ONE_EACH]), tmp_path, 1, Rejections())
    assert summary["rejected_names"] == {
        "not an image": ["text (its beginning is not that of any known image format)"],
        "empty image": ["empty (the file is empty)"],
        "truncated or corrupt image": ["cut (image file is truncated)"],
    }
    assert summary["rejected"] == dict.fromkeys(summary["rejected_names"], 1)
    assert [row["image_id"] for row in read_raw(tmp_path, "train")] == ["the train"]


def test_captions_are_trimmed_and_those_without_a_word_are_rejected(tmp_path: Path) -> None:
    long = " ".join(["word"] * 500)
    captions = ("  a dog \n", " \t ", long, "Собака бежит", "", "犬が走る", "... !")
    summary = write_raw(
        Listed([example("a", "train", *captions), *ONE_EACH]), tmp_path, 1, Rejections()
    )
    row = next(read_raw(tmp_path, "train"))
    assert row["captions"] == ["a dog", long, "Собака бежит", "犬が走る"]
    assert summary["rejected_names"] == {
        "caption without a word": ["a caption 6"],
        "empty caption": ["a caption 1", "a caption 4"],
    }
    assert summary["captions"]["train"] == 5


def test_an_image_without_a_usable_caption_is_rejected(tmp_path: Path) -> None:
    none = Example("none", "train", picture(), (), {})
    summary = write_raw(
        Listed([none, example("blank", "train", " "), *ONE_EACH]), tmp_path, 1, Rejections()
    )
    assert summary["rejected"] == {"empty caption": 1, "image without captions": 2}
    assert summary["rejected_names"]["image without captions"] == ["none", "blank"]


def test_an_image_id_of_another_split_is_rejected_as_a_duplicate(tmp_path: Path) -> None:
    summary = write_raw(
        Listed([*ONE_EACH, example("the train", "test")]), tmp_path, 1, Rejections()
    )
    assert summary["rejected_names"] == {"duplicate image id": ["the train"]}
    assert summary["images"]["test"] == 1


def test_a_split_without_images_is_an_error_and_leaves_no_shard(tmp_path: Path) -> None:
    examples = [*ONE_EACH[:2], example("bad", "test", image=b"no")]
    with pytest.raises(InputError, match=r"the test split has no usable image.*'not an image': 1"):
        write_raw(Listed(examples), tmp_path, 2, Rejections())
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_writing_leaves_no_shard(tmp_path: Path) -> None:
    class Failing(Listed):
        def examples(self, rejections: Rejections) -> Iterator[Example]:
            yield from self._examples
            raise InputError("the archive ends here")

    with pytest.raises(InputError, match="the archive ends here"):
        write_raw(Failing(ONE_EACH), tmp_path, 1, Rejections())
    assert list(tmp_path.iterdir()) == []


def test_missing_splits_missing_columns_and_damaged_shards_are_named(tmp_path: Path) -> None:
    write_raw(Listed(ONE_EACH), tmp_path, 2, Rejections())
    with pytest.raises(InputError, match=r"has no other shard \(\*\.parquet\): run `dvc repro`"):
        read_raw(tmp_path, "other")
    with pytest.raises(
        InputError, match=r"has no column 'boxes'; its columns are image_id, image, width"
    ):
        list(read_raw(tmp_path, "train", columns=["boxes"]))
    path = shard_paths(tmp_path, "test", "parquet")[0]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(
        InputError,
        match=r"test-00000-of-00002\.parquet is damaged .*: delete it and run `dvc checkout",
    ):
        list(read_raw(tmp_path, "test"))


def test_a_flipped_bit_in_an_image_is_noticed_while_reading(tmp_path: Path) -> None:
    examples = [Example(split, split, picture(40, 40), ["a b"], {}) for split in SPLITS]
    write_raw(Listed(examples), tmp_path, 1, Rejections())
    (path,) = shard_paths(tmp_path, "test", "parquet")
    data = bytearray(path.read_bytes())
    # Near the end of the image's page: its compressed data, not its header.
    data[data.index(b"PNG") + 60] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedError, match=r"parquet is damaged \(.*(?i:crc|checksum)"):
        list(read_raw(tmp_path, "test"))


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("captions", pa.array(["a dog"]), "column captions is string"),
        ("captions", pa.array([None], pa.list_(pa.string())), "a value in column captions is miss"),
        ("captions", pa.array([[None]], pa.list_(pa.string())), "a value in column captions is"),
        ("image_id", pa.array([None], pa.string()), "a value in column image_id is missing"),
        ("image", pa.array(["text"]), "column image is string"),
    ],
)
def test_columns_of_other_types_and_missing_values_are_damage(tmp_path, column, value, reason):
    columns = {
        "image_id": pa.array(["a"]),
        "image": pa.array([b"x"]),
        "captions": pa.array([["a dog"]], pa.list_(pa.string())),
    }
    path = tmp_path / "train-00000-of-00001.parquet"
    pq.write_table(pa.table(columns | {column: value}), path)
    with pytest.raises(DamagedError, match=reason):
        list(read_raw(tmp_path, "train", list(columns)))
