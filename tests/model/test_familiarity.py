"""How far features lie from those of training: the distance, and its file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from captioning.core.errors import InputError
from captioning.core.opening import DamagedError
from captioning.model.familiarity import (
    Familiarity,
    load_familiarity,
    pooled,
    residual,
    save_familiarity,
)

# The subspace is the line through (0, 0, 1) in the direction (1, 0, 0).
MEAN = np.array([0, 0, 1], "float32")
LINE = np.array([[1, 0, 0]], "float32")
KNOWN = Familiarity(MEAN, LINE, np.array(0.5, "float32"))


def test_the_distance_is_that_from_the_subspace_in_units_of_the_threshold():
    vectors = np.array([[7, 0, 1], [7, 3, 5], [0, 0, 0]], "float32")
    np.testing.assert_allclose(residual(vectors, MEAN, LINE), [0, 5, 1], atol=1e-6)
    # Of length 1 after pooling: only the direction counts.
    maps = np.array([[0, 0, 9], [0, 4, 0]], "float32")[:, None, None]
    np.testing.assert_allclose(KNOWN.distance(maps), [0, 2 * 2**0.5], atol=1e-6)


def test_pooling_averages_the_cells_and_keeps_only_the_direction():
    maps = np.zeros((3, 2, 2, 2), "float16")
    maps[0, 0, 0] = [12, 16]
    maps[1] = [0.3, 0.4]
    found = pooled(maps)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.6, 0.8], [0.6, 0.8], [0, 0]], atol=1e-3)


def test_without_components_the_distance_is_that_from_the_mean():
    none = np.zeros((0, 3), "float32")
    np.testing.assert_allclose(residual(np.zeros((1, 3), "float32"), MEAN, none), [1])


def test_the_file_gives_back_the_same_arrays_and_has_no_date(tmp_path):
    path = tmp_path / "familiarity.npz"
    save_familiarity(path, KNOWN)
    for found, wanted in zip(load_familiarity(path, 3), KNOWN, strict=True):
        np.testing.assert_array_equal(found, wanted, strict=True)
    with zipfile.ZipFile(path) as file:
        assert {member.date_time for member in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    first = path.read_bytes()
    save_familiarity(path, KNOWN)
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": MEAN[:2]}, "shapes"),
        ({"components": LINE.T}, "shapes"),
        ({"mean": MEAN.astype("float64")}, "finite numbers of float32"),
        ({"mean": MEAN * np.float32("nan")}, "finite numbers of float32"),
        ({"threshold": np.array(0, "float32")}, "threshold is not positive"),
    ],
)
def test_impossible_arrays_are_refused(tmp_path, changes, message):
    path = tmp_path / "familiarity.npz"
    save_familiarity(path, KNOWN._replace(**changes))
    with pytest.raises(DamagedError, match=rf"familiarity\.npz is damaged .*{message}"):
        load_familiarity(path, 3)


def test_a_missing_or_cut_file_is_refused_by_name(tmp_path):
    path = Path(tmp_path / "familiarity.npz")
    with pytest.raises(InputError, match=r"familiarity\.npz is missing"):
        load_familiarity(path, 3)
    save_familiarity(path, KNOWN)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DamagedError, match=r"familiarity\.npz is damaged"):
        load_familiarity(path, 3)
