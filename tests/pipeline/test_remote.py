"""`dvc remote` on an S3 server: what is pushed from one clone is pulled into another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_server import BUCKET, objects, s3_server
from small_repository import dvc, finished_repository, run


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Iterator[Path]:
    """A fresh clone of a finished repository whose outputs were pushed to S3."""
    folder = tmp_path_factory.mktemp("remote")
    with s3_server() as environment:
        origin = finished_repository(folder / "origin")
        dvc(origin, "remote", "add", "--default", "storage", f"s3://{BUCKET}/captioning")
        endpoint = environment["AWS_ENDPOINT_URL"]
        dvc(origin, "remote", "modify", "storage", "endpointurl", endpoint)
        run(origin, "git", "add", "--all")
        run(origin, "git", "commit", "--quiet", "--message", "finished")
        run(origin, "dvc", "push", **environment)
        run(folder, "git", "clone", "--quiet", str(origin), "clone")
        yield folder / "clone"


def outputs(repository: Path) -> dict[str, bytes]:
    """What DVC keeps, and the figures and plots."""
    paths = [
        path
        for folder in ("data", "metrics")
        for path in (repository / folder).rglob("*")
        if path.is_file() and path.name != ".gitignore"
    ]
    return {path.relative_to(repository).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.slow
def test_what_was_pushed_comes_back_in_another_clone(clone):
    assert objects("captioning/files/md5/")
    assert not (clone / "data/model").exists()
    assert (clone / "metrics/evaluate.json").is_file(), "Git keeps the figures"
    credentials = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    # What `captioning caption` needs, and nothing else.
    run(clone, "dvc", "pull", "data/model", **credentials)
    assert (clone / "data/model").is_dir() and not (clone / "data/raw").exists()
    run(clone, "dvc", "pull", **credentials)
    assert outputs(clone) == outputs(clone.with_name("origin"))
    assert "up to date" in dvc(clone, "status")
    assert "in sync" in run(clone, "dvc", "status", "--cloud", **credentials)
