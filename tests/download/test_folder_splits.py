"""Which split each image of a folder goes to."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_pictures import numbered, picture, read, splits

from captioning.core.errors import InputError
from captioning.core.splits import SPLITS

COUNTS = range(3, 13)


def make(folder: Path, pictures: dict[str, bytes], given: dict[str, str] | None = None) -> Path:
    """Write a folder of images whose captions contain their names.

    Args:
        folder: the folder to create.
        pictures: bytes of the images by name.
        given: splits of some images by name.
    """
    split = given or {}
    rows = [f"{name},picture {name},{split.get(name, '')}" for name in pictures]
    table = "\n".join(["image,caption,split", *rows, ""])
    folder.mkdir()
    (folder / "captions.csv").write_text(table)
    for name, content in pictures.items():
        (folder / name).write_bytes(content)
    return folder


def many(count: int) -> dict[str, bytes]:
    """`count` different images by name."""
    return {f"{number:03d}.png": numbered(number) for number in range(count)}


@pytest.fixture(scope="module")
def hundreds(tmp_path_factory) -> Path:
    """A folder of 300 images without splits."""
    return make(tmp_path_factory.mktemp("folders") / "hundreds", many(300))


def names_in(split: str, found: dict[str, str]) -> set[str]:
    """Names of the images in a split."""
    return {name for name, other in found.items() if other == split}


def test_the_shares_hold_on_average(hundreds):
    found = splits(hundreds, validation_share=0.2, test_share=0.3)
    # Within four standard deviations of the binomial distribution.
    assert abs(len(names_in("test", found)) - 90) < 4 * 7.9
    assert abs(len(names_in("validation", found)) - 60) < 4 * 6.9
    assert len(found) == 300


def test_the_seed_determines_the_split(hundreds):
    assert splits(hundreds, seed=1) == splits(hundreds, seed=1) != splits(hundreds, seed=2)


def test_added_images_do_not_move_other_images(hundreds, tmp_path):
    before, after = splits(make(tmp_path / "fewer", many(150))), splits(hundreds)
    assert {name: after[name] for name in before} == before


def test_the_split_does_not_depend_on_name_or_order(tmp_path):
    pictures = many(40)
    renamed = {f"renamed-{name}": content for name, content in reversed(pictures.items())}
    before = splits(make(tmp_path / "before", pictures))
    after = splits(make(tmp_path / "after", renamed))
    assert {name.removeprefix("renamed-"): split for name, split in after.items()} == before


def test_a_larger_share_only_adds_images(hundreds):
    small = splits(hundreds, test_share=0.1, validation_share=0.1)
    large = splits(hundreds, test_share=0.3, validation_share=0.1)
    assert names_in("test", small) < names_in("test", large)
    assert names_in("validation", small) == names_in("validation", large)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("share", [0.001, 0.49])
def test_no_split_is_empty_even_with_few_images(tmp_path, count, share):
    found = splits(make(tmp_path / "few", many(count)), validation_share=share, test_share=share)
    assert set(found.values()) == set(SPLITS)


def test_two_images_are_too_few(tmp_path):
    pictures = {"a.png": picture("red"), "b.png": picture("blue"), "c.png": picture("blue")}
    message = (
        r"has 2 different usable images for train and test and validation, but every split needs "
        r"at least one \(rejected: {'same picture as another': 1}\)"
    )
    with pytest.raises(InputError, match=message):
        read(make(tmp_path / "two", pictures))


@pytest.mark.parametrize("given", [{"train"}, {"train", "test"}, {"train", "validation"}])
def test_splits_that_are_not_given_are_taken_from_train(tmp_path, given):
    cycle = sorted(given)
    names = {name: cycle[number % len(cycle)] for number, name in enumerate(many(60))}
    found = splits(make(tmp_path / "given", many(60), names))
    assert set(found.values()) == set(SPLITS)
    for split in given - {"train"}:
        assert names_in(split, found) == names_in(split, names)
    cut = {split for split in SPLITS if split not in given}
    assert {names[name] for name in found if found[name] in cut} == {"train"}


def test_train_is_not_taken_from_the_other_splits(tmp_path):
    given = dict.fromkeys(many(5), "test")
    with pytest.raises(InputError, match="has 0 different usable images for train and"):
        read(make(tmp_path / "given", many(5), given))


# Copies of an image, with the same bytes or in another encoding.


def test_copies_become_one_image_with_all_captions(tmp_path):
    pictures = {**many(20), "copy.png": numbered(3), "other.bmp": picture((3, 0, 7), "BMP")}
    examples, rejected = read(make(tmp_path / "copies", pictures))
    assert len(examples) == 20
    kept = next(example for example in examples if example.image_id == "003.png")
    assert kept.captions == ("picture 003.png", "picture copy.png", "picture other.bmp")
    assert rejected == {
        "same picture as another": ["copy.png (as 003.png)", "other.bmp (as 003.png)"]
    }


def test_a_caption_of_several_copies_is_kept_once(tmp_path):
    folder = make(tmp_path / "copies", {**many(5), "copy.png": numbered(3)})
    table = (folder / "captions.csv").read_text().replace("picture copy.png", "picture 003.png")
    (folder / "captions.csv").write_text(table)
    kept = next(e for e in read(folder)[0] if e.image_id == "003.png")
    assert kept.captions == ("picture 003.png",)


def test_of_copies_in_different_given_splits_the_one_in_test_is_kept(tmp_path):
    pictures = {
        **many(5),
        "train.png": picture("red"),
        "test.bmp": picture("red", "BMP"),
        "validation.png": picture("red"),
        "again.png": picture("gold"),
        "validated.png": picture("gold"),
    }
    given = {
        **dict.fromkeys(pictures, "train"),
        **{f"{split}.png": split for split in SPLITS},
        "test.bmp": "test",
        "validated.png": "validation",
    }
    examples, rejected = read(make(tmp_path / "copies", pictures, given))
    assert [(e.split, e.image_id, e.captions) for e in examples[5:]] == [
        ("validation", "validated.png", ("picture validated.png",)),
        ("test", "test.bmp", ("picture test.bmp",)),
    ]
    assert rejected == {
        "same picture in another split": [
            "train.png in train (as test.bmp in test)",
            "validation.png in validation (as test.bmp in test)",
            "again.png in train (as validated.png in validation)",
        ]
    }


def test_an_added_copy_moves_no_other_image(tmp_path):
    before = splits(make(tmp_path / "before", many(60)))
    bitmap = {"copy.bmp": picture((3, 0, 7), "BMP")}
    after = splits(make(tmp_path / "after", {**many(60), **bitmap}))
    assert {name for name in before if before[name] != after[name]} <= {"003.png"}
