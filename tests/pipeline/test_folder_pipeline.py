"""One's own pictures through the whole pipeline, and what DVC makes of a change in them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from own_pictures import picture
from small_repository import dvc, make_repository, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """The example that the project ships, run through all stages as an experiment."""
    quick = {"train.sample_images": 0, "evaluate.decoder": "greedy"}
    folder = make_repository(tmp_path_factory.mktemp("repository"), **quick)
    run(folder, "git", "checkout", "-qb", "own")
    dvc(folder, "exp", "run", "-S", "dataset=folder")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "example")
    return folder


def images(folder: Path) -> dict[str, int]:
    return json.loads((folder / "metrics/download.json").read_text())["images"]


def test_the_example_runs_through_all_stages(repository):
    assert images(repository) == {"train": 10, "validation": 1, "test": 1}
    assert "up to date" in dvc(repository, "status")
    (line,) = (repository / "data/predictions.jsonl").read_text().splitlines()
    row = json.loads(line)
    assert len(row["references"]) == 5
    assert (repository / "data/example" / row["file"]).is_file()
    ((picture, sample),) = json.loads(
        (repository / "metrics/captions.json").read_text(encoding="utf-8")
    ).items()
    assert sample == {"image_id": row["image_id"], "caption": row["caption"]}
    assert (repository / "metrics/captions" / picture).is_file()
    figures = json.loads((repository / "metrics/evaluate.json").read_text())
    assert figures["images"] == 1 and figures["cider_d"] is None
    assert figures["notes"][0].startswith("cider_d is not defined")
    shown = dvc(repository, "metrics", "show", "metrics/evaluate.json")
    assert "bleu_4" in shown and "cider_d" not in shown


def test_a_change_in_ones_own_pictures_re_runs_download(repository):
    mine = repository / "my_pictures"
    shutil.copytree(repository / "data/example", mine)
    dvc(repository, "add", "my_pictures")
    run(repository, "git", "add", "-A")
    run(repository, "git", "commit", "-qm", "my pictures")
    own = ("-S", "datasets.folder.path=my_pictures")
    apart = dvc(repository, "exp", "run", "--temp", "-n", "apart", *own, "download")
    assert "Running stage 'download'" in apart
    # The same picture in another encoding: a picture less.
    (mine / "copy.png").write_bytes(picture("red"))
    (mine / "copy.bmp").write_bytes(picture("red", "BMP"))
    with open(mine / "captions.csv", "a", encoding="utf-8") as file:
        file.write("copy.png,red\ncopy.bmp,red\n")
    dvc(repository, "exp", "run", *own, "download")
    assert sum(images(repository).values()) == 13
    (mine / "copy.png").unlink()
    output = dvc(repository, "repro", "download", ok=False)
    assert "my_pictures has 1 problem:\n  captions.csv:62: there is no file 'copy.png'" in output
    assert "Traceback" not in output
