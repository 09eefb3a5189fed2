"""Damaged files of captions, in every form: what is wrong is one report, and nothing is written."""

from __future__ import annotations

import json
import random

import pyarrow as pa
import pytest
from own_pictures import read, write_parquet
from published_forms import NAMES, PICTURES, published
from tar_shards import sample, tar

from captioning.core.errors import InputError

pytestmark = pytest.mark.slow

ROWS = [{"image": name, "caption": f"a field, number {k}"} for k, name in enumerate(NAMES)]
COCO = {
    "images": [{"id": k, "file_name": name} for k, name in enumerate(NAMES)],
    "annotations": [{"image_id": k, "caption": f"field {k}"} for k in range(len(NAMES))],
}
SPLITS = ("train", "restval", "train", "train", "val", "test")
KARPATHY = {
    "images": [
        {"filename": name, "split": split, "sentences": [{"raw": f"in {split}"}]}
        for name, split in zip(NAMES, SPLITS, strict=True)
    ]
}
FORMS = {
    "captions.txt": "image,caption\n" + "".join(f'{n},"a ""flat"" field"\n' for n in NAMES),
    "results.csv": "image_name| comment_number| comment\n"
    + "".join(f"{n}| 0| a field\n" for n in NAMES),
    "Flickr8k.token.txt": "".join(f"{n}#0\ta field\n" for n in NAMES),
    "captions_train2017.json": json.dumps(COCO),
    "dataset_flickr8k.json": json.dumps(KARPATHY),
    "coco_karpathy_train.json": json.dumps(ROWS, indent=1),
    "captions.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS),
    "train.csv": "filepath\ttitle\n" + "".join(f"{n}\t['a', 'b']\n" for n in NAMES),
    "captions.tsv": "image\tcaption\n" + "".join(f'{n}\t"a field"\n' for n in NAMES),
}


def damaged(good: bytes, seed: int) -> bytes:
    """A copy with changed, removed, repeated or added bytes."""
    source, data = random.Random(seed), bytearray(good)
    for _ in range(source.randint(1, 6)):
        start = source.randrange(len(data) + 1)
        end = min(len(data), start + source.choice((1, 2, 30)))
        kind = source.randrange(5)
        if kind == 0:
            data[start:end] = source.randbytes(end - start)
        elif kind == 1:
            del data[start:end]
        elif kind == 2:
            data[start:start] = data[start:end] * source.choice((1, 50))
        elif kind == 3:
            data[start:start] = source.choice(
                (b'"', b"\n", b"\0", b"../", b"[", b"{", b"\xff\xfe", b"1e999", b"\\ud800", b"\r")
            )
        else:
            del data[start:]
        data = data or bytearray(b" ")
    return bytes(data)


@pytest.mark.parametrize("name", FORMS)
def test_damaged_text_in_every_form(tmp_path, name):
    folder = published(tmp_path, {name: FORMS[name]}, "flat")
    for picture, data in PICTURES.items():  # `captions.tsv` names them without a folder.
        (folder / picture).write_bytes(data)
    for picture in (folder / "flat").iterdir():
        picture.unlink()
    assert len(read(folder)[0]) == len(NAMES)
    for seed in range(200):
        (folder / name).write_bytes(damaged(FORMS[name].encode(), seed))
        try:
            examples, _ = read(folder)
        except InputError:
            continue
        assert {example.image_id for example in examples} <= set(NAMES)


def test_damaged_archives_and_parquet_files(tmp_path):
    shard = tar([member for number in range(4) for member in sample(number)])
    schema = {"image": pa.binary(), "caption": pa.string()}
    rows = [(data, "a field") for data in PICTURES.values()]
    write_parquet(tmp_path / "table/0.parquet", schema, *rows)
    table = (tmp_path / "table/0.parquet").read_bytes()
    (tmp_path / "shards").mkdir()
    for path, good in ((tmp_path / "table/0.parquet", table), (tmp_path / "shards/0.tar", shard)):
        for seed in range(200):
            path.write_bytes(damaged(good, seed))
            try:
                read(path.parent)
            except InputError as error:
                assert "\n  " in str(error) or "usable images" in str(error)
