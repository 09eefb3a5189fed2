"""The built-in dataset: reproducible scenes with true captions."""

from __future__ import annotations

import pytest
from imports import ROOT

from captioning.data.images.decode import decode_image
from captioning.download.datasets.base import Example, Rejections
from captioning.download.datasets.scenes import Scenes
from captioning.download.datasets.scenes.captions import most_probable_caption
from captioning.download.datasets.scenes.drawing import RGB
from captioning.download.datasets.scenes.layout import HELD_OUT, SHAPES, sample_scene
from captioning.evaluation.scene_truth import judge
from captioning.evaluation.scoring import score
from captioning.params.datasets import ScenesParams
from captioning.params.stages import load_params
from captioning.scenes.claims import parse_caption
from captioning.scenes.words import COLOURS


def scenes_params(**changes: int) -> ScenesParams:
    """Params of a small dataset, with `changes`."""
    base = load_params(ROOT / "params.yaml").datasets.scenes.model_dump()
    sizes = {"train_images": 60, "validation_images": 20, "test_images": 40}
    return ScenesParams(**{**base, **sizes, **changes})


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return list(Scenes(scenes_params()).examples(Rejections()))


def pairs(example: Example) -> set[tuple[str, str]]:
    """The combinations of color and shape in an image."""
    return {(o["colour"], o["shape"]) for o in example.extras["objects"]}


def test_the_seed_determines_the_bytes(examples):
    again = list(Scenes(scenes_params()).examples(Rejections()))
    assert again == examples
    other = next(Scenes(scenes_params(seed=7)).examples(Rejections()))
    assert other.image != examples[0].image


def test_an_image_does_not_change_when_its_split_becomes_larger(examples):
    grown = {e.image_id: e for e in Scenes(scenes_params(train_images=80)).examples(Rejections())}
    assert all(grown[example.image_id] == example for example in examples)


def test_no_image_occurs_twice(examples):
    assert len({example.image for example in examples}) == len(examples)


def test_held_out_combinations_occur_only_in_a_quarter_of_the_test_images(examples):
    for example in examples:
        index = int(example.image_id.rsplit("-", 1)[1])
        expected = example.split == "test" and index % 4 == index // 4 % 4
        assert example.extras["held_out"] == expected
        assert all((pair in HELD_OUT) == expected for pair in pairs(example))
    assert sum(example.extras["held_out"] for example in examples) == 10


def test_every_held_out_colour_and_shape_is_seen_in_other_combinations():
    seen = {(c, s) for c in COLOURS for s in SHAPES} - HELD_OUT
    assert {c for c, _ in HELD_OUT} <= {c for c, _ in seen}
    assert {s for _, s in HELD_OUT} <= {s for _, s in seen}


def test_every_image_has_five_different_true_captions(examples):
    claimed = set()
    for example in examples:
        assert len(set(example.captions)) == 5
        for caption in example.captions:
            verdict = judge(caption, example.extras["objects"])
            assert verdict.pairs_all_true, caption
            values = vars(verdict).values()
            assert all(value in (True, None) for value in values), (caption, verdict)
            claimed |= {claim for claim, value in vars(verdict).items() if value}
    assert claimed == set(vars(verdict))


def test_objects_are_inside_the_image_and_do_not_overlap(examples):
    for example in examples:
        boxes = [o["box"] for o in example.extras["objects"]]
        for x0, y0, x1, y1 in boxes:
            assert 0 <= x0 < x1 <= 224 and 0 <= y0 < y1 <= 224
        for i, a in enumerate(boxes):
            for b in boxes[i + 1 :]:
                assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]


def test_an_object_is_drawn_in_its_color_inside_its_box(examples):
    filled = [e for e in examples[:20] if e.extras["objects"][0]["shape"] != "ring"]
    assert len(filled) > 10
    for example in filled:
        image = decode_image(example.image, example.image_id)
        assert image.size == (224, 224)
        item = example.extras["objects"][0]
        x0, y0, x1, y1 = item["box"]
        # Slightly below the center, all shapes except the ring are filled.
        found = image.getpixel((int((x0 + x1) / 2), int((y0 + y1) / 2 + 2)))
        wanted = RGB[item["colour"]]
        assert max(abs(f - w) for f, w in zip(found, wanted, strict=True)) < 45


def test_the_number_of_objects_is_within_the_params():
    params = scenes_params(min_objects=2, max_objects=3)
    counts = {len(sample_scene(params, "train", index)[0].objects) for index in range(100)}
    assert counts == {2, 3}


def test_captions_differ_although_the_vocabulary_is_small(examples):
    captions = [caption for example in examples for caption in example.captions]
    assert len(set(captions)) > 0.9 * len(captions)
    assert 50 <= len({word for caption in captions for word in caption.split()}) <= 120


def test_the_most_probable_captions_score_above_80_bleu_points():
    params = scenes_params()
    scenes = [sample_scene(params, "test", index)[0] for index in range(40)]
    examples = [e for e in Scenes(params).examples(Rejections()) if e.split == "test"]
    report = score(
        [most_probable_caption(scene) for scene in scenes], [e.captions for e in examples], 100, 1
    )
    assert report.figures["bleu_4"] > 0.8


def test_parser_finds_attributes_relation_and_the_position_of_the_shape_word():
    claim = parse_caption("a picture of two big red stars on the left of an orange disc")
    first, second = claim.mentions
    assert (first.count, first.size, first.colour, first.shape) == (2, "large", "red", "star")
    assert (first.place, second.place) == (6, 13)
    assert (second.count, second.size, second.colour, second.shape) == (1, None, "orange", "circle")
    assert claim.relation == "left"


def test_parser_accepts_text_that_is_not_a_caption():
    assert parse_caption("").mentions == ()
    assert parse_caption("left red of of two above").mentions == ()
    claim = parse_caption("ring ring red")
    assert [(m.shape, m.colour) for m in claim.mentions] == [("ring", None), ("ring", None)]
