"""Every picture gets its captions, in order, whatever the batches and threads."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from captioning.batch import running
from captioning.batch.folders import Skipped
from captioning.batch.listing import list_pictures
from captioning.batch.pictures import Picture, PictureList
from captioning.batch.running import PictureCaptioner, Reading
from captioning.captioner import Captioner
from captioning.decoding import batches
from captioning.decoding.settings import DecodingSettings

BEAMS = DecodingSettings()
SAMPLING = DecodingSettings("sample", temperature=1.0, seed=5)


@pytest.fixture(scope="module")
def pictures(photos: Path) -> list[Picture]:
    return list(PictureList(list_pictures([str(photos), "missing.png"], False, Skipped())))


def captions(captioner, pictures, settings=BEAMS, number=1, **others):
    """Index to captions and log-probabilities, or to the error."""
    rows = list(PictureCaptioner(captioner, settings, number, **others).rows(iter(pictures)))
    assert [row.picture for row in rows] == list(pictures)
    return {
        row.picture.index: row.error or (row.captions, np.array(row.log_probabilities))
        for row in rows
    }


def assert_same(found, expected):
    assert found.keys() <= expected.keys()
    for index, one in found.items():
        if isinstance(one, str):
            assert one == expected[index]
        else:
            assert one[0] == expected[index][0]
            np.testing.assert_allclose(one[1], expected[index][1], atol=2e-4)


@pytest.mark.slow
def test_rows_are_those_of_single_pictures(captioner: Captioner, pictures, photos):
    found = captions(captioner, pictures)
    errors = {index: one for index, one in found.items() if isinstance(one, str)}
    assert errors == {
        5: f"{photos}/05-empty.jpg: empty image: the file is empty",
        13: "missing.png cannot be read (No such file or directory)",
    }
    for picture in pictures:
        if picture.index not in errors:
            single = captioner(picture.path)
            (text,), (log_probability,) = found[picture.index]
            assert text == single.text
            assert log_probability == pytest.approx(single.log_probability, abs=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [DecodingSettings(), SAMPLING])
def test_batches_and_the_place_of_resuming_change_no_caption(
    settings, captioner, pictures, monkeypatch
):
    expected = captions(captioner, pictures, settings)
    monkeypatch.setattr(batches, "MAX_BEAMS_IN_BATCH", 12)
    assert_same(captions(captioner, pictures, settings), expected)
    # Only some parts of the run, as after an interruption.
    assert_same(captions(captioner, pictures[4:8] + pictures[12:], settings), expected)


@pytest.mark.slow
def test_equal_pictures_are_sampled_differently(captioner, pictures):
    same = [Picture(index, pictures[0].path) for index in range(20)]
    assert len({one[0] for one in captions(captioner, same, SAMPLING).values()}) > 5


@pytest.mark.slow
def test_several_captions_come_best_first(captioner, pictures):
    found = captions(captioner, pictures[:3], DecodingSettings(length_penalty=0.0), 3)
    for texts, log_probabilities in found.values():
        assert len(set(texts)) == 3
        assert list(log_probabilities) == sorted(log_probabilities, reverse=True)


@pytest.mark.slow
def test_many_threads_wait_for_urls_but_few_compute(captioner, pictures, monkeypatch):
    expected = captions(captioner, pictures)
    monkeypatch.setattr(running, "_THREADS_FOR_URLS", 5)
    reading = Reading(any_url=True, threads=1)
    assert_same(captions(captioner, pictures, reading=reading), expected)


@pytest.mark.slow
def test_relative_paths_are_found_from_another_folder(captioner, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = os.path.relpath(photos / "00.png", photos.parent)
    picture = Picture(0, name)
    assert "cannot be read" in captions(captioner, [picture])[0]
    found = captions(captioner, [picture], reading=Reading(folder=str(photos.parent)))
    assert_same(found, captions(captioner, [Picture(0, str(photos / "00.png"))]))


@pytest.mark.slow
def test_attention_belongs_to_the_words_of_the_best_caption(captioner, pictures):
    rows = PictureCaptioner(captioner, DecodingSettings(), 2, attention=True).rows(pictures[:6])
    for row in rows:
        if row.error:
            assert row.attention is None and row.image is None
            continue
        assert row.image is not None and row.image.size == (80, 60)
        assert row.captions[0].split() == list(row.words)
        assert row.attention is not None and row.attention.shape[0] == len(row.words)
        np.testing.assert_allclose(row.attention.sum(axis=(1, 2)), 1.0, rtol=1e-3)


@pytest.mark.slow
def test_any_number_of_pictures_is_read_no_further_ahead_than_needed(captioner, pictures):
    taken = 0

    def endless():
        nonlocal taken
        while True:
            yield Picture(taken, pictures[taken % 5].path)
            taken += 1

    rows = PictureCaptioner(captioner, DecodingSettings(beam_width=64), reading=Reading(threads=2))
    found = rows.rows(endless())
    for done in range(100):
        next(found)
        # Batches of the search that run, the next one, and batches of the backbone.
        assert taken <= done + 4 * rows.search_pictures + 6 * rows.extraction_pictures
    found.close()
