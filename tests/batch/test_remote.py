"""On a Ray cluster, the file has the rows that one machine writes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from ray_cluster import two_nodes
from s3_server import BUCKET, client, s3_server

from captioning.batch.listing import expand
from captioning.batch.objects import read_object
from captioning.batch.to_file import Run, write_captions
from captioning.core.errors import InputError
from captioning.decoding.settings import DecodingSettings


def run(output: Path, model: Path) -> Run:
    return Run(output, str(model), DecodingSettings())


@pytest.mark.slow
@pytest.mark.long
def test_a_cluster_writes_the_same_rows(model, photos, tmp_path, monkeypatch):
    # Relative paths are those of this process, not of the workers.
    monkeypatch.chdir(photos.parent)
    write_captions(run(tmp_path / "here.csv", model), expand(photos.name))
    with two_nodes() as cluster:
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        outcome = write_captions(run(tmp_path / "there.csv", model), expand(photos.name))
    assert (outcome.pictures, outcome.failed) == (13, 1)
    here, there = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("here", "there"))
    pd.testing.assert_frame_equal(here, there, atol=2e-4)


@pytest.mark.slow
def test_objects_below_a_prefix_are_listed_and_read(photos):
    with s3_server():
        for key in ("album/b.png", "album/a.png", "album/notes.txt", "album/more/c.png"):
            client().put_object(Bucket=BUCKET, Key=key, Body=(photos / "00.png").read_bytes())
        album = f"s3://{BUCKET}/album"
        assert [one.path for one in expand(album)] == [f"{album}/a.png", f"{album}/b.png"]
        assert [one.path for one in expand(album, recursive=True)][-1] == f"{album}/more/c.png"
        assert read_object(f"{album}/more/c.png") == (photos / "00.png").read_bytes()
        with pytest.raises(InputError, match=r"missing\.png cannot be read \(no such object\)"):
            read_object(f"{album}/missing.png")
        (nothing,) = expand(f"s3://{BUCKET}/empty")
        assert "contains no object whose name ends like an image's" in nothing.error
