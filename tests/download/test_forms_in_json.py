"""COCO's files, Karpathy's and LAVIS' as folders of one's own images."""

from __future__ import annotations

import json
import zipfile

import pytest
from own_pictures import captions, splits
from published_forms import NAMES, PICTURES, problems, published

# COCO.


def coco(names: tuple[str, ...], **changes: object) -> str:
    """COCO's captions of some pictures."""
    images = [{"id": 7 + i, "file_name": name, "height": 3} for i, name in enumerate(names)]
    annotations = [
        {"image_id": image["id"], "id": 100 + k, "caption": f"{text} of {image['file_name']}"}
        for image in images
        for k, text in enumerate(("A picture", "Nothing but a color"))
    ]
    return json.dumps(
        {"info": {}, "images": images, "annotations": annotations, **changes}, ensure_ascii=False
    )


@pytest.mark.parametrize("year", ["2014", "2017"])
def test_cocos_own_files(tmp_path, capsys, year):
    objects = json.dumps({"images": [], "annotations": [{"image_id": 7, "bbox": []}]})
    files = {
        f"annotations/captions_train{year}.json": coco(NAMES[:4]),
        f"annotations/captions_val{year}.json": coco(NAMES[4:]),
        f"annotations/instances_train{year}.json": objects,
    }
    for number, (name, data) in enumerate(PICTURES.items()):
        files[f"{'train' if number < 4 else 'val'}{year}/{name}"] = data
    folder = tmp_path / "coco"
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    found = splits(folder)
    assert [found[f"val{year}/{name}"] for name in NAMES[4:]] == ["validation"] * 2
    train = [found[f"train{year}/{name}"] for name in NAMES[:4]]
    assert sorted(train) == ["test", "train", "train", "train"]
    name = f"train{year}/{NAMES[0]}"
    texts = (f"A picture of {NAMES[0]}", f"Nothing but a color of {NAMES[0]}")
    assert captions(folder)[name] == texts
    assert capsys.readouterr().out == "read as: COCO's captions, 6 pictures\n" * 2


def test_coco_with_its_images_in_archives(tmp_path):
    published(tmp_path, {"captions_val2017.json": coco(NAMES)}, "pictures")
    with zipfile.ZipFile(tmp_path / "val2017.zip", "w") as archive:
        for path in (tmp_path / "pictures").iterdir():
            archive.write(path, f"val2017/{path.name}")
            path.unlink()
    (tmp_path / "captions_val2017.json").rename(tmp_path / "captions.json")
    assert set(captions(tmp_path)) == {f"val2017.zip/val2017/{name}" for name in NAMES}


def test_problems_of_coco(tmp_path):
    images = [
        {"id": 1, "file_name": "0_red.jpg"},
        {"id": 1, "file_name": "1_green.jpg"},
        {"id": None, "file_name": "2_blue.jpg"},
        {"id": 4, "file_name": 4},
        {"id": 5, "file_name": "../../evil.jpg"},
        "six",
    ]
    annotations = [
        {"image_id": 1, "caption": "fine"},
        {"image_id": 2, "caption": "no such image"},
        {"image_id": 1, "caption": 7},
        {"image_id": 1},
        {"image_id": 5, "caption": "evil"},
        [],
        {"caption": "of no image"},
    ]
    text = coco((), images=images, annotations=annotations)
    found = problems(published(tmp_path, {"captions_val2017.json": text}, "val2017"))
    assert found == [
        "captions_val2017.json: annotations[1]: there is no image with the id 2",
        "captions_val2017.json: annotations[2]: a caption must be text, not 7",
        "captions_val2017.json: annotations[3]: has no caption",
        "captions_val2017.json: annotations[4]: '../../evil.jpg' leads outside the folder",
        "captions_val2017.json: annotations[5]: is not a JSON object",
        "captions_val2017.json: annotations[6]: image_id must be a number or a text, not None",
        "captions_val2017.json: images[1]: the id 1 is that of another image, too",
        "captions_val2017.json: images[2]: id must be a number or a text, not None",
        "captions_val2017.json: images[3]: has no file_name",
        "captions_val2017.json: images[5]: has no file_name",
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (coco(NAMES).encode()[:-9], "the JSON file is damaged or cut off (Unterminated "),
        (coco(NAMES, info="caf\xe9").encode("cp1252"), "is not UTF-8: save the file in that"),
        (coco(NAMES, images={}).encode(), "`images` is not a list"),
        (coco(NAMES, annotations={"caption": 1}).encode(), "`annotations` is not a list"),
    ],
)
def test_a_damaged_file_of_coco_is_one_problem(tmp_path, content, problem):
    (found,) = problems(published(tmp_path, {"captions_val2017.json": content}, "val2017"))
    assert found.startswith(f"captions_val2017.json: {problem}")


# Karpathy's split files and LAVIS' lists.


def test_karpathys_split_file_beside_its_images(tmp_path, capsys):
    names = ("train", "restval", "val", "test", "train", "train")
    images = [
        {"filename": name, "split": split, "sentences": [{"raw": f"{name} {split}", "tokens": []}]}
        for name, split in zip(NAMES, names, strict=True)
    ]
    text = json.dumps({"images": images, "dataset": "flickr8k"})
    folder = published(tmp_path, {"dataset_flickr8k.json": text}, "Flicker8k_Dataset")
    assert list(splits(folder).values()) == ["train"] * 4 + ["validation", "test"]
    assert captions(folder)[f"Flicker8k_Dataset/{NAMES[2]}"] == (f"{NAMES[2]} val",)
    assert "read as: Karpathy's split file, 6 pictures\n" in capsys.readouterr().out
    (folder / "dataset_flickr8k.json").write_text(text.replace('"restval"', '"eval"', 1))
    (problem,) = problems(folder)
    assert problem.startswith("dataset_flickr8k.json: images[1].split: ")


def lavis(*names: str, **more: object) -> str:
    return json.dumps([{"image": f"flickr30k-images/{n}", "image_id": 0, **more} for n in names])


def test_lavis_lists(tmp_path, capsys):
    files = {
        "annotations/flickr30k_train.json": lavis(*NAMES[:4], caption="One."),
        "annotations/flickr30k_val.json": lavis(NAMES[4], caption=["One.", "Two."]),
        "annotations/flickr30k_test.json": lavis(NAMES[5], caption=["One.", "Two."]),
    }
    folder = published(tmp_path, files, "images/flickr30k-images")
    assert list(splits(folder).values()) == ["train"] * 4 + ["validation", "test"]
    assert captions(folder)[f"images/flickr30k-images/{NAMES[5]}"] == ("One.", "Two.")
    said = capsys.readouterr().out
    assert "read as: JSON lists, as LAVIS has them, 6 pictures\n" in said


def test_problems_of_a_json_list(tmp_path):
    text = lavis(*NAMES, caption="fine")[:-1] + ',\n{"image": "../x.jpg", "caption": "c"},\n7,\n'
    found = problems(published(tmp_path, {"data.json": text}, "flickr30k-images"))
    assert found == [
        "data.json:2: '../x.jpg' leads outside the folder",
        "data.json:3: is not a JSON object",
        "data.json:4: the JSON array is damaged or cut off (Expecting value)",
    ]
