"""What stage train learns of which pictures are familiar: subspace and threshold."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from imports import ROOT
from PIL import Image
from raw_table import write_scenes
from small_repository import run

from captioning.core.splits import SPLITS
from captioning.data.images.decode import resize
from captioning.data.record_folder import RecordFolder
from captioning.data.record_writer import write_index, write_shards
from captioning.extractors import make_extractor
from captioning.extractors.run import extract
from captioning.features.write_features import feature_spec, write_features
from captioning.model.familiarity import Familiarity
from captioning.training.familiarity import (
    MIN_VALIDATION_IMAGES,
    learn_familiarity,
    student_quantile,
    threshold,
)

CHANNELS = 40


def drawn(count: int, seed: int, noise: float = 0.05) -> np.ndarray:
    """Feature maps that vary along the first four channels, and a little in all others."""
    random = np.random.default_rng(seed)
    maps = random.normal(0, noise, (count, 2, 2, CHANNELS))
    maps[..., :4] += random.uniform(1, 2, (count, 1, 1, 4))
    return maps


def write_maps(folder: Path, shards: int = 2, **counts: int) -> RecordFolder:
    folder.mkdir()
    spec = feature_spec((2, 2, CHANNELS), "float32")
    written = {}
    for seed, split in enumerate(SPLITS):
        maps = drawn(counts.get(split, 5), seed)
        records = [
            [{"image_id": f"{split}{i}", "features": maps[i]} for i in range(k, len(maps), shards)]
            for k in range(shards)
        ]
        written[split] = write_shards(folder, split, spec, records)
    write_index(folder, spec, written, {})
    return RecordFolder.open(folder)


def test_new_pictures_of_the_same_kind_are_familiar_and_others_are_not(tmp_path):
    known = learn_familiarity(write_maps(tmp_path / "maps", train=100, validation=60))
    assert isinstance(known, Familiarity)
    assert known.components.shape == (20, CHANNELS)
    np.testing.assert_allclose(known.components @ known.components.T, np.eye(20), atol=1e-5)
    assert (known.distance(drawn(500, seed=9)) > 1).mean() <= 0.02
    # The same maps with their channels in the opposite order, and maps of zeros.
    assert (known.distance(drawn(50, seed=9)[..., ::-1]) > 1).all()
    assert known.distance(np.zeros((1, 2, 2, CHANNELS))) > 1


def test_the_first_components_are_those_along_which_the_train_split_varies(tmp_path):
    known = learn_familiarity(write_maps(tmp_path / "maps", train=100, validation=20))
    assert isinstance(known, Familiarity)
    # Three, because vectors of length 1 lose one dimension of four.
    share = np.square(known.components[:3, :4]).sum(axis=1)
    assert (share > 0.95).all()


def test_the_test_split_is_not_read_and_the_same_features_give_the_same_bytes(tmp_path):
    folder = write_maps(tmp_path / "maps", train=40, validation=20, test=3)
    first = learn_familiarity(folder)
    for path in folder.folder.glob("test-*.tfrecord"):
        path.unlink()
    second = learn_familiarity(folder)
    assert first is not None and second is not None
    for one, other in zip(first, second, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("train", [1, 3, 4])
def test_a_train_split_of_a_few_images_still_gives_a_distance(tmp_path, train):
    known = learn_familiarity(write_maps(tmp_path / "maps", train=train, validation=20))
    assert isinstance(known, Familiarity)
    assert len(known.components) == train // 4
    assert np.isfinite(known.distance(drawn(5, seed=9))).all()


def test_too_few_validation_images_give_no_threshold(tmp_path):
    images = MIN_VALIDATION_IMAGES - 1
    assert learn_familiarity(write_maps(tmp_path / "one", train=20, validation=images)) is None
    assert learn_familiarity(write_maps(tmp_path / "two", train=20, validation=images + 1))


def test_the_threshold_of_many_distances_flags_few_new_ones():
    random = np.random.default_rng(0)
    for draw in (lambda n: random.lognormal(0, 0.2, n), lambda n: random.pareto(2, n) + 1):
        limit = threshold(draw(2000).astype("float32"))
        assert 0 < (draw(100_000) > limit).mean() <= 0.015


def test_the_threshold_is_larger_the_fewer_distances_there_are():
    random = np.random.default_rng(0)
    means = []
    for count in (5, 20, 500):
        draws = random.lognormal(0, 0.2, (500, count)).astype("float32")
        limits = [threshold(draw) for draw in draws]
        flagged = [(random.lognormal(0, 0.2, 100) > limit).mean() for limit in limits]
        assert np.mean(flagged) < 0.003, count
        means.append(np.median(limits))
    assert means[0] > means[1] > means[2]


def test_equal_distances_are_their_own_threshold():
    assert threshold(np.full(9, 0.25, "float32")) == pytest.approx(0.25)
    assert threshold(np.zeros(9, "float32")) == 0
    assert threshold(np.array([0, 0, 0.5], "float32")) == 0.5


@pytest.mark.parametrize(
    ("freedom", "wanted"), [(4, 7.1732), (5, 5.8934), (9, 4.2968), (30, 3.3852), (1000, 3.0984)]
)
def test_students_quantiles_agree_with_the_tables(freedom, wanted):
    assert student_quantile(0.999, freedom) == pytest.approx(wanted, rel=0.04)


LEARN = """
import sys, tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[2]))
from captioning.data.record_folder import RecordFolder
from captioning.model.familiarity import save_familiarity
from captioning.training.familiarity import learn_familiarity
from pathlib import Path
save_familiarity(Path(sys.argv[3]), learn_familiarity(RecordFolder.open(sys.argv[1])))
"""


@pytest.mark.slow
@pytest.mark.long
def test_the_number_of_threads_changes_no_byte(tmp_path):
    write_maps(tmp_path / "maps", train=600, validation=20)
    for threads in ("1", "4"):
        out = str(tmp_path / f"{threads}.npz")
        command = (sys.executable, "-c", LEARN, str(tmp_path / "maps"), threads, out)
        run(ROOT, *command, OPENBLAS_NUM_THREADS=threads)
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "4.npz").read_bytes()


def photographs() -> list[Image.Image]:
    """Photographs that come with libraries: people, a cat, a cup of coffee, a rocket, a garage."""
    import matplotlib.cbook
    from skimage import data

    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        hopper = Image.open(file).convert("RGB")
    arrays = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket()]
    arrays.append(data.stereo_motorcycle()[0])
    return [hopper, *map(Image.fromarray, arrays)]


@pytest.mark.slow
def test_a_model_of_drawn_scenes_flags_photographs_and_hardly_any_scene_of_its_test_split(tmp_path):
    counts = {"train_images": 300, "validation_images": 50, "test_images": 100}
    raw = write_scenes(tmp_path / "raw", 1, 224, **counts)
    extractor = make_extractor("efficientnet_lite0", 224)
    (tmp_path / "features").mkdir()
    write_features(raw, tmp_path / "features", extractor, "float16")
    folder = RecordFolder.open(tmp_path / "features")
    known = learn_familiarity(folder)
    assert isinstance(known, Familiarity)
    scenes = np.stack([r["features"] for r in folder.dataset("test", 0).as_numpy_iterator()])
    assert (known.distance(scenes) > 1).mean() <= 0.02
    random = np.random.default_rng(0)
    noise = Image.fromarray(random.integers(0, 256, (224, 224, 3), dtype=np.uint8))
    others = [*photographs(), noise, Image.new("RGB", (224, 224))]
    maps = extract(extractor, np.stack([resize(image, 224) for image in others]))
    assert (known.distance(maps) > 1).all()
