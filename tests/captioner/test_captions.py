"""A captioner is called with any image and says what it finds; what it cannot do, it says too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from untrained_captioner import SIZE, WORDS, write_model

from captioning.captioner import Caption, Captioner
from captioning.core.errors import InputError
from captioning.data.images.decode import resize
from captioning.decoding.batches import decode_all
from captioning.decoding.search import DecodingSettings, make_decoder
from captioning.text import WordVocabulary

PIXELS = np.random.default_rng(0).integers(0, 255, (3, 80, 120, 3), dtype=np.uint8)
RULES = {"minimum_length": 3}


@pytest.fixture(scope="module")
def captioner(tmp_path_factory) -> Captioner:
    vocabulary = WordVocabulary.fit(WORDS, 100, 1)
    return Captioner.load(write_model(tmp_path_factory.mktemp("model"), vocabulary, WORDS))


def texts(captions: list[Caption]) -> list[str]:
    return [caption.text for caption in captions]


@pytest.mark.slow
def test_one_image_in_every_form_has_the_same_caption(captioner, tmp_path):
    path = tmp_path / "one.png"
    Image.fromarray(PIXELS[0]).save(path)
    forms = [str(path), path, path.read_bytes(), Image.open(path), PIXELS[0]]
    expected = captioner.caption(PIXELS[:1])
    for image in forms:
        caption = captioner(image)
        assert isinstance(caption, Caption)
        assert caption.text == expected[0][0]
        assert caption.log_probability == expected[1][0]
    gray = Image.fromarray(PIXELS[0]).convert("L")
    assert captioner(np.asarray(gray)).text == captioner(gray).text


@pytest.mark.slow
def test_captions_are_those_of_the_search_with_their_words_and_maps(captioner):
    settings = DecodingSettings(beam_width=4, **RULES)
    found = captioner(PIXELS, n=3, settings=settings)
    search = make_decoder(captioner.decoder, settings, captions=3)
    expected = decode_all(search, captioner.features(PIXELS), 3)
    for image, captions in enumerate(found):
        totals = [caption.log_probability for caption in captions]
        assert totals == expected["log_probability"][image].tolist()
        for caption, ids in zip(captions, expected["tokens"][image], strict=True):
            assert caption.text == captioner.vocabulary.decode(ids.tolist())
            assert list(caption.words) == caption.text.split() and len(caption.words) >= 3
            maps = captioner.attention(PIXELS[image], ids[None])[0]
            assert caption.attention.shape == (len(caption.words), 2, 2)
            np.testing.assert_allclose(caption.attention, maps[: len(caption.words)], rtol=1e-4)
            np.testing.assert_allclose(caption.attention.sum(axis=(1, 2)), 1, rtol=1e-5)


@pytest.mark.slow
def test_one_image_or_several_and_one_caption_or_several_have_their_own_shapes(captioner):
    one, several = captioner(PIXELS[0]), captioner(PIXELS[0], n=3)
    assert texts(several)[0] == one.text and len(several) == 3
    totals = [caption.log_probability for caption in several]
    assert totals == sorted(totals, reverse=True)
    many = captioner(list(PIXELS), n=3)
    assert [len(captions) for captions in many] == [3, 3, 3]
    assert texts(captioner(PIXELS, attention=False)) == [captions[0].text for captions in many]
    assert captioner([]) == []
    assert captioner(PIXELS[0], attention=False).attention is None


@pytest.mark.slow
def test_images_with_different_numbers_share_a_search(captioner):
    features = captioner.features(PIXELS)
    each = [DecodingSettings("sample", temperature=t, seed=9, **RULES) for t in (0.2, 1.0, 3.0)]
    together = captioner.caption_features(features, each, streams=[0, 0, 0])
    alone = [captioner(PIXELS[i], settings=settings) for i, settings in enumerate(each)]
    assert [captions[0].text for captions in together] == texts(alone)
    assert captioner.search(each[0]) is captioner.search(each[1])
    assert captioner.search(each[0]) is not captioner.search(each[0], 2)


@pytest.mark.slow
def test_a_given_caption_has_the_probability_with_which_it_is_found(captioner):
    caption = captioner(PIXELS[0], **RULES)
    found = captioner.log_probabilities(PIXELS[:2], [caption.text, "a red dog"])
    assert found.shape == (2,)
    assert found[0] == pytest.approx(caption.log_probability, rel=1e-4)
    ids = captioner.token_ids(["a red dog"])
    assert captioner.log_probabilities(PIXELS[1], ids)[0] == pytest.approx(found[1], rel=1e-4)


def test_a_caption_is_short_when_printed():
    maps = np.ones((50, 7, 7), np.float32)
    caption = Caption("a dog", -1.23456, ("a", "dog"), maps)
    assert repr(caption) == "Caption('a dog', log_probability=-1.23)"


def test_images_of_any_size_have_the_features_of_the_resized_ones(captioner):
    resized = np.stack([resize(Image.fromarray(pixels), SIZE) for pixels in PIXELS])
    np.testing.assert_array_equal(captioner.features(PIXELS), captioner.features(resized))
    assert captioner.features(PIXELS[0]).shape == (1, *captioner.decoder.feature_shape)
    assert captioner.features([]).shape == (0, *captioner.decoder.feature_shape)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (PIXELS[0] / 255, r"the image is an array float64 \[80, 120, 3\]: pixels must be uint8"),
        (PIXELS[0, 0, 0], r"the image is an array uint8 \[3\]: pixels must be uint8"),
        (np.zeros((4, 4, 4), np.uint8), r"uint8 \[4, 4, 4\]: pixels must be uint8"),
        (np.zeros((0, 4, 3), np.uint8), r"uint8 \[0, 4, 3\]: pixels must be uint8"),
        ("missing.png", r"missing\.png cannot be read"),
        (Path("/"), "/ is a folder, not a file"),
        (b"text", "the image: not an image"),
        (b"", "the image: empty image"),
        (Image.new("RGB", (0, 4)), "the image: empty image: it has no pixels"),
        (Image.new("F", (4, 4)), "the image: .*floating-point pixels"),
        (Image.new("1", (9000, 9000)), "9000x9000 pixels is more than the limit of 64 megapixels"),
        ([PIXELS[0], None], "image 2 of 2 is of type NoneType: give a path, the bytes"),
        ({"a": 1}, "the image is of type dict"),
    ],
)
def test_what_is_no_image_is_named_in_one_line(captioner, image, message):
    with pytest.raises(InputError, match=message) as raised:
        captioner(image)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 5}, "5 captions need a beam width of at least 5, not 3"),
        ({"top_k": 5}, "top_k has an effect only on sampling"),
        ({"decoder": "greedy", "n": 2}, "greedy decoding finds one caption only"),
        ({"beam_with": 3}, "'beam_with' is no setting of decoding"),
        ({"minimum_length": 7}, r"minimum_length \(7\) is larger than 6"),
    ],
)
def test_wrong_settings_are_refused_before_an_image_is_read(captioner, arguments, message):
    with pytest.raises(InputError, match=message):
        captioner("missing.png", **arguments)


@pytest.mark.slow
def test_a_caption_that_no_rule_allows_is_not_returned(captioner):
    # There are 10 words, none of which may occur twice, so a few captions of 6 words exist.
    captions = captioner(PIXELS[0], n=64, beam_width=64, minimum_length=6, no_repeat_ngram=1)
    assert all(len(set(caption.words)) == 6 for caption in captions)


@pytest.mark.parametrize(
    ("captions", "message"),
    [
        ("a dog", "captions must be a list of texts"),
        ([3], "captions must be a list of texts"),
        (["a dog"] * 2, "1 images, but 2 captions"),
        (["a dog " * 9], r"caption 1 has 20 tokens, .*the decoder reads at most 8"),
        (np.zeros(3, np.int32), "token ids are an array int32"),
        (np.zeros((1, 3), np.float32), "token ids are an array float32"),
        (np.full((1, 3), 99), "token ids must be between 0 and"),
        (np.zeros((1, 9), np.int32), "captions have 9 token ids, but the decoder reads at most 8"),
    ],
)
def test_wrong_captions_are_refused(captioner, captions, message):
    features = np.zeros((1, *captioner.decoder.feature_shape), np.float32)
    with pytest.raises(InputError, match=message):
        captioner.logits(features, captions)


def test_attention_needs_captions_that_begin_with_start(captioner):
    features = np.zeros((1, *captioner.decoder.feature_shape), np.float32)
    with pytest.raises(InputError, match=r"must begin with \[START\] and go on"):
        captioner.attention(features, np.full((1, 3), 5))
