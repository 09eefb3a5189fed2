"""Flickr8k and Flickr30k, from Kaggle and others, as folders of one's own images."""

from __future__ import annotations

import pytest
from own_pictures import captions, read, splits
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


# Token files.

TOKENS = "".join(f"{name}#0\tA field .\n{name}#1\tOne \tcolor .\n" for name in NAMES)


@pytest.mark.parametrize("name", ["Flickr8k_text/Flickr8k.token.txt", "results_20130124.token"])
def test_token_files_without_lists_of_splits(tmp_path, capsys, name):
    misprint = "0_red.jpg.1#0\tNo such image .\n\n"
    files = {name: "\ufeff" + TOKENS + misprint, "Flickr8k_text/Flickr8k.lemma.token.txt": TOKENS}
    found = captions(published(tmp_path, files, "Flicker8k_Dataset"))
    assert found == {f"Flicker8k_Dataset/{n}": ("A field .", "One \tcolor .") for n in NAMES}
    assert capsys.readouterr().out == "read as: Flickr's token files, 6 pictures\n"


def test_token_files_with_lists_of_splits(tmp_path):
    files = {
        "Flickr8k.token.txt": TOKENS,
        "Flickr_8k.trainImages.txt": "\n".join((NAMES[4], *NAMES[:2])),
        "Flickr_8k.devImages.txt": f"{NAMES[2]}\r\n",
        "Flickr_8k.testImages.txt": NAMES[3],
    }
    folder = published(tmp_path, files, "images")
    expected = {0: "train", 1: "train", 4: "train", 2: "validation", 3: "test"}
    assert splits(folder) == {f"images/{NAMES[k]}": split for k, split in expected.items()}
    assert read(folder)[1] == {"image without captions": [f"images/{NAMES[5]}"]}
    (folder / "Flickr_8k.testImages.txt").write_text(f"{NAMES[3]}\n{NAMES[2]}\n")
    assert problems(folder) == [
        f"Flickr_8k.testImages.txt:2: {NAMES[2]!r} is in the split validation, too: remove it from "
        "one"
    ]


def test_problems_of_token_files(tmp_path):
    lines = b"0_red.jpg\tno number\ngone.jpg#0\tA\n../evil.jpg#0\tB\n0_red.jpg#0\tcaf\xe9\n"
    folder = published(tmp_path, {"Flickr8k.token.txt": TOKENS.encode() + lines}, "images")
    assert problems(folder) == [
        "Flickr8k.token.txt:13: is not an image with # and a number, a tab and a caption: "
        "'0_red.jpg\\tno number'",
        "Flickr8k.token.txt:14: there is no file 'gone.jpg'",
        "Flickr8k.token.txt:15: '../evil.jpg' leads outside the folder",
        "Flickr8k.token.txt:16: is not UTF-8: save the file in that encoding",
    ]


def test_two_forms_in_one_folder_are_refused(tmp_path):
    files = {"captions.txt": FLICKR8K, "results.csv": FLICKR30K}
    with pytest.raises(InputError, match=r"more than one source of captions: captions\.txt; res"):
        read(published(tmp_path, files, "Images"))
