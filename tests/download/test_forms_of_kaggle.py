"""Kaggle's Flickr8k and Flickr30k as folders of one's own images."""

from __future__ import annotations

import pytest
from own_pictures import captions, read
from published_forms import NAMES, problems, published

from captioning.core.errors import InputError

FLICKR8K = "image,caption\n" + "".join(
    f'{name},A field , seen from above .\n{name},"A ""flat"" field, number {number} ."\n'
    for number, name in enumerate(NAMES)
)


def test_kaggles_flickr8k(tmp_path, capsys):
    found = captions(published(tmp_path, {"captions.txt": FLICKR8K}, "Images"))
    assert found == {
        f"Images/{name}": ("A field , seen from above .", f'A "flat" field, number {number} .')
        for number, name in enumerate(NAMES)
    }
    assert capsys.readouterr().out == "read as: Kaggle's Flickr8k, 6 pictures\n"


def test_kaggles_flickr8k_in_a_subfolder_with_another_spelling(tmp_path):
    table = "\ufeff" + FLICKR8K.replace("image,caption", "Image, Caption").replace("\n", "\r\n")
    published(tmp_path, {"flickr8k/captions.txt": table}, "flickr8k/images")
    assert len(captions(tmp_path)) == 6


def test_problems_of_kaggles_flickr8k(tmp_path):
    lines = b"gone.jpg,A\n../../evil.jpg,B\n/etc/hosts,C\nno comma\n,D\n0_red.jpg,caf\xe9\n"
    folder = published(tmp_path, {"captions.txt": FLICKR8K.encode() + lines}, "Images")
    published(folder, {}, "copy")
    (folder / "copy" / "0_red.jpg").unlink()
    found = problems(folder)
    assert found[:2] == [
        f"captions.txt:{line}: '1_green.jpg' is in two places, Images/1_green.jpg and "
        "copy/1_green.jpg: remove one of them"
        for line in (4, 5)
    ]
    assert found[10:] == [
        "captions.txt:14: there is no file 'gone.jpg'",
        "captions.txt:15: '../../evil.jpg' leads outside the folder",
        "captions.txt:16: '/etc/hosts' leads outside the folder",
        "captions.txt:17: is not an image and a caption, separated by a comma: 'no comma'",
        "captions.txt:18: is not an image and a caption, separated by a comma: ',D'",
        "captions.txt:19: is not UTF-8: save the file in that encoding",
    ]


FLICKR30K = "image_name| comment_number| comment\n" + "".join(
    f"{name}| 0| Two fields | of one color .\n{name}| 1   {number} dogs run across the grass .\n"
    for number, name in enumerate(NAMES)
)


def test_kaggles_flickr30k_with_its_broken_line(tmp_path, capsys):
    files = {"flickr30k_images/results.csv": FLICKR30K}
    found = captions(published(tmp_path, files, "flickr30k_images/flickr30k_images"))
    assert found == {
        f"flickr30k_images/flickr30k_images/{name}": (
            "Two fields | of one color .",
            f"{number} dogs run across the grass .",
        )
        for number, name in enumerate(NAMES)
    }
    assert capsys.readouterr().out == "read as: Kaggle's Flickr30k, 6 pictures\n"


def test_flickr30k_with_commas(tmp_path):
    table = "image_name,comment_number,comment\n" + "".join(
        f'{name},0,"A field, flat"\n' for name in NAMES
    )
    found = captions(published(tmp_path, {"captions.txt": table}, "Images"))
    assert set(found.values()) == {("A field, flat",)}


def test_problems_of_flickr30k(tmp_path):
    lines = "0_red.jpg| x| A\n| 0| B\n0_red.jpg| 3\n0_red.jpg\ngone.jpg| 0| C\n"
    found = problems(published(tmp_path, {"results.csv": FLICKR30K + lines}, "images"))
    expected = "is not an image, a number and a caption, separated by '|': "
    assert found == [
        f"results.csv:14: {expected}'0_red.jpg| x| A'",
        f"results.csv:15: {expected}'| 0| B'",
        f"results.csv:16: {expected}'0_red.jpg| 3'",
        f"results.csv:17: {expected}'0_red.jpg'",
        "results.csv:18: there is no file 'gone.jpg'",
    ]


def test_two_forms_in_one_folder_are_refused(tmp_path):
    files = {"captions.txt": FLICKR8K, "results.csv": FLICKR30K}
    with pytest.raises(InputError, match=r"more than one source of captions: captions\.txt; res"):
        read(published(tmp_path, files, "Images"))
