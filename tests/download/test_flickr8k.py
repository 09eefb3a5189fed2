"""Flickr8k, from archives with the layout of its release."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from flickr8k_release import IMAGES, TEXT, photographs, picture, release, texts
from imports import ROOT
from ruamel.yaml import YAML

from captioning.core.errors import InputError
from captioning.core.files import md5, read_json
from captioning.data.raw_table import read_raw
from captioning.download.datasets import kaggle_flickr8k
from captioning.download.datasets.base import Example, Rejections
from captioning.download.datasets.flickr8k import Flickr8k
from captioning.download.datasets.registry import make_dataset
from captioning.params.datasets import Flickr8kParams
from captioning.params.stages import load_params


@pytest.fixture(autouse=True)
def _no_source_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAPTIONING_SOURCE", raising=False)


def test_splits_keep_the_order_of_their_files(tmp_path: Path) -> None:
    examples = list(Flickr8k(release(tmp_path, photographs(), texts())).examples(Rejections()))
    assert [(e.split, e.image_id) for e in examples] == [
        ("train", "3_c"),
        ("train", "1_a"),
        ("validation", "2_b"),
        ("test", "4_d"),
    ]
    captions = ("A red field .", "Nothing but\tred .")
    assert examples[1] == Example("1_a", "train", picture("red"), captions, {"file": "1_a.jpg"})
    assert examples[0].captions == ("Le ciel est d'un bleu très pur .", " ")


def test_rejections_are_counted_and_named(tmp_path: Path) -> None:
    rejections = Rejections()
    list(Flickr8k(release(tmp_path, photographs(), texts())).examples(rejections))
    assert rejections.listed_names() == {
        "image in no split": ["Flicker8k_Dataset/5_e.jpg"],
        "image listed but missing": ["9_z.jpg"],
        "caption of an image that does not exist": ["4_d.jpg.1#0"],
        "malformed caption line": ["Flickr8k.token.txt line 3", "Flickr8k.token.txt line 6"],
    }


def test_caption_line_that_is_not_utf8_is_malformed(tmp_path: Path) -> None:
    text = texts()
    text["Flickr8k.token.txt"] = b"1_a.jpg#0\tcaf\xe9\n" + text["Flickr8k.token.txt"]
    rejections = Rejections()
    list(Flickr8k(release(tmp_path, photographs(), text)).examples(rejections))
    assert rejections.listed_names()["malformed caption line"][0] == "Flickr8k.token.txt line 1"


def test_archive_without_a_split_file_is_refused(tmp_path: Path) -> None:
    text = texts()
    del text["Flickr_8k.devImages.txt"]
    params = release(tmp_path, photographs(), text)
    with pytest.raises(InputError, match=rf"{TEXT} has no member 'Flickr_8k\.devImages\.txt'"):
        list(Flickr8k(params).examples(Rejections()))


def test_archive_without_images_is_refused(tmp_path: Path) -> None:
    params = release(tmp_path, {"other/1.jpg": b""}, texts())
    with pytest.raises(InputError, match=r"none of the 3 images of the train split was found"):
        list(Flickr8k(params).examples(Rejections()))


def test_source_in_the_environment_replaces_the_one_in_the_params(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = release(tmp_path, photographs(), texts())
    monkeypatch.setenv("CAPTIONING_SOURCE", str(tmp_path))
    elsewhere = params.model_copy(update={"source": "https://example.invalid/nowhere"})
    assert len(list(Flickr8k(elsewhere).examples(Rejections()))) == 4


def stage(folder: Path, params: Flickr8kParams) -> subprocess.CompletedProcess[str]:
    """Run the stage in `folder`, with two shards."""
    yaml = YAML()
    values = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["dataset"] = "flickr8k"
    values["datasets"]["flickr8k"] = params.model_dump()
    values["download"]["shards"] = 2
    with open(folder / "params.yaml", "w", encoding="utf-8") as file:
        yaml.dump(values, file)
    return subprocess.run(
        [sys.executable, ROOT / "stages" / "download.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_stage_writes_the_raw_table_and_the_metrics(tmp_path: Path) -> None:
    done = stage(tmp_path, release(tmp_path / "source", photographs(), texts()))
    results = "download: data/raw, metrics/download.json\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, results, "")
    assert isinstance(make_dataset(load_params(tmp_path / "params.yaml")), Flickr8k)
    rows = list(read_raw(tmp_path / "data" / "raw", "train"))
    assert [(row["image_id"], row["width"], row["height"]) for row in rows] == [
        ("3_c", 8, 6),
        ("1_a", 8, 6),
    ]
    figures = read_json(tmp_path / "metrics" / "download.json")
    assert figures["images"] == {"train": 2, "validation": 1, "test": 1}
    assert figures["captions"] == {"train": 3, "validation": 1, "test": 1}
    assert figures["rejected"] == {
        "caption of an image that does not exist": 1,
        "empty caption": 1,
        "image in no split": 1,
        "image listed but missing": 1,
        "malformed caption line": 2,
    }


def test_stage_prints_an_error_without_a_traceback(tmp_path: Path) -> None:
    params = release(tmp_path / "source", photographs(), texts())
    (tmp_path / "source" / IMAGES).unlink()
    done = stage(tmp_path, params)
    assert done.returncode == 1
    assert done.stderr.startswith("error: source ")
    assert f"does not contain the file {IMAGES}" in done.stderr
    assert "Traceback" not in done.stderr


# Kaggle's data: the same images and captions in other files, without split lists.

KAGGLE = (
    "image,caption\n"
    "1_a.jpg,A red field .\n"
    '1_a.jpg,"Nothing but , "" red "" ."\n'
    "2_b.jpg,Grass .\n"
    "3_c.jpg,Le ciel est d'un bleu très pur .\n"
    "4_d.jpg,Snow .\n"
    "5_e.jpg,Night .\n"
)


def kaggle(folder: Path, monkeypatch: pytest.MonkeyPatch, captions: str = KAGGLE) -> Flickr8kParams:
    """Write the five images of `photographs` as Kaggle has them; 5_e is in no split."""
    (folder / "Images").mkdir(parents=True)
    (folder / "captions.txt").write_text(captions)
    for name, data in photographs().items():
        if name.startswith("Flicker8k_Dataset/") and data:
            (folder / "Images" / Path(name).name).write_bytes(data)
    names = "1_a.jpg\n2_b.jpg\n3_c.jpg\n4_d.jpg\n5_e.jpg"
    monkeypatch.setattr(kaggle_flickr8k, "NAMES_SHA256", hashlib.sha256(names.encode()).hexdigest())
    positions = folder.parent / "positions.txt"
    positions.write_text("2 0\n1\n3\n")
    monkeypatch.setattr(kaggle_flickr8k, "POSITIONS_FILE", positions)
    return Flickr8kParams(source=str(folder), images_md5=None, captions_md5=None)


def test_kaggles_folder_gives_the_examples_of_the_release(tmp_path, monkeypatch, capsys):
    rejections = Rejections()
    params = kaggle(tmp_path / "kaggle", monkeypatch)
    examples = list(Flickr8k(params).examples(rejections))
    release_params = release(tmp_path / "release", photographs(), texts())
    expected = list(Flickr8k(release_params).examples(Rejections()))
    assert [(e.split, e.image_id, e.image) for e in examples] == [
        (e.split, e.image_id, e.image) for e in expected
    ]
    assert examples[1].captions == ("A red field .", 'Nothing but , " red " .')
    assert rejections.listed_names() == {"image in no split": ["Images/5_e.jpg"]}
    assert capsys.readouterr().out == "read as: Kaggle's Flickr8k, 5 pictures\n"


def test_kaggles_archive_is_checked_and_read(tmp_path, monkeypatch):
    kaggle(tmp_path / "kaggle", monkeypatch)
    archive = Path(shutil.make_archive(str(tmp_path / "archive"), "zip", tmp_path / "kaggle"))
    params = Flickr8kParams(
        source=str(archive),
        images_md5=md5(archive),
        captions_md5=md5(tmp_path / "kaggle/captions.txt"),
    )
    assert len(list(Flickr8k(params).examples(Rejections()))) == 4
    wrong = params.model_copy(update={"captions_md5": "0" * 32})
    with pytest.raises(
        InputError, match=r"archive\.zip/captions\.txt is Kaggle's Flickr8k, and its"
    ):
        list(Flickr8k(wrong).examples(Rejections()))
    wrong = params.model_copy(update={"images_md5": "0" * 32})
    with pytest.raises(InputError, match=r"archive\.zip: its MD5 sum is"):
        list(Flickr8k(wrong).examples(Rejections()))


def test_kaggles_folder_with_the_sums_of_the_release_is_refused(tmp_path, monkeypatch):
    params = kaggle(tmp_path / "kaggle", monkeypatch).model_copy(update={"images_md5": "0" * 32})
    message = r"^source .*kaggle is Kaggle's Flickr8k, which .*images_md5 and captions_md5 to null$"
    with pytest.raises(InputError, match=message):
        list(Flickr8k(params).examples(Rejections()))


@pytest.mark.parametrize(
    ("captions", "message"),
    [
        (KAGGLE + "6_f.jpg,One more .\n", r"captions\.txt lists 6 images that are not the 8,091"),
        (KAGGLE + "7_g.jpg\n", r"captions\.txt:8: is not an image and a caption, separated by a"),
        (KAGGLE + "../../evil.jpg,evil\n", r"captions\.txt lists 6 images that are not the 8,091"),
        ("image;caption\n", r"contains neither the archives of the release, .*nor Kaggle's"),
    ],
)
def test_what_is_not_kaggles_flickr8k_is_refused(tmp_path, monkeypatch, captions, message):
    params = kaggle(tmp_path / "kaggle", monkeypatch, captions)
    with pytest.raises(InputError, match=message):
        list(Flickr8k(params).examples(Rejections()))


def test_flickr30k_is_not_taken_for_flickr8k(tmp_path):
    (tmp_path / "results.csv").write_text("image_name| comment_number| comment\n1.jpg| 0| a\n")
    params = Flickr8kParams(source=str(tmp_path), images_md5=None, captions_md5=None)
    with pytest.raises(
        InputError, match=r"contains results\.csv, as Flickr30k does: use dataset: f"
    ):
        list(Flickr8k(params).examples(Rejections()))


def test_kaggles_captions_in_another_encoding_are_refused(tmp_path, monkeypatch):
    params = kaggle(tmp_path / "kaggle", monkeypatch)
    (tmp_path / "kaggle/captions.txt").write_bytes(KAGGLE.encode("cp1252"))
    with pytest.raises(InputError, match=r"captions\.txt is not UTF-8 \(.*: save it in that enc"):
        list(Flickr8k(params).examples(Rejections()))


def test_the_unpacked_release_gives_the_examples_of_its_archives(tmp_path, capsys):
    params = release(tmp_path / "release", photographs(), texts())
    expected_rejections, rejections = Rejections(), Rejections()
    expected = list(Flickr8k(params).examples(expected_rejections))
    for archive in (IMAGES, TEXT):
        shutil.unpack_archive(tmp_path / "release" / archive, tmp_path / "unpacked")
    unpacked = Flickr8kParams(source=str(tmp_path / "unpacked"), images_md5=None, captions_md5=None)
    assert list(Flickr8k(unpacked).examples(rejections)) == expected
    assert rejections.listed_names() == expected_rejections.listed_names()
    said = "read as: the unpacked release of Flickr8k, 5 pictures\n"
    assert capsys.readouterr().out == said
    with pytest.raises(InputError, match=r"unpacked is the unpacked release, which the MD5 sums"):
        list(Flickr8k(params.model_copy(update={"source": unpacked.source})).examples(Rejections()))
    (tmp_path / "unpacked" / "Flickr_8k.devImages.txt").unlink()
    with pytest.raises(InputError, match=r"does not contain the file Flickr_8k\.devImages\.txt"):
        list(Flickr8k(unpacked).examples(Rejections()))


def test_the_positions_of_the_official_splits_are_distinct():
    lines = kaggle_flickr8k.POSITIONS_FILE.read_text().splitlines()
    splits = [[int(position) for position in line.split()] for line in lines]
    assert [len(split) for split in splits] == [6000, 1000, 1000]
    positions = {position for split in splits for position in split}
    assert len(positions) == 8000
    assert (min(positions), max(positions)) == (0, 8090)


def test_a_downloaded_release_needs_its_sums(tmp_path):
    with pytest.raises(ValueError, match="is downloaded, so images_md5 and captions_md5 must be"):
        Flickr8kParams(source="https://example.invalid/x", images_md5=None, captions_md5="0" * 32)
