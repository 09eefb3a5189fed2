"""What a stage says when something outside of it stops it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from captioning import stage
from captioning.core.errors import InputError
from captioning.core.files import write_json
from captioning.data.record_writer import write_shards
from captioning.features.write_features import feature_spec
from captioning.stage import stage_main


@pytest.fixture(autouse=True)
def any_params(monkeypatch):
    monkeypatch.setattr(stage, "load_params", lambda: None)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "No space left on device: free some space; then `dvc repro` goes on"),
        (errno.EROFS, "Read-only file system: make the folder writable; then `dvc repro` goes on"),
        (errno.EACCES, "Permission denied: make the folder writable; then `dvc repro` goes on"),
    ],
)
def test_a_disk_that_takes_nothing_is_one_line(code, advice):
    def work(_):
        raise OSError(code, os.strerror(code), "data/x")

    with pytest.raises(SystemExit, match=f"error: data/x: {advice}"):
        stage_main(work)


def test_other_operating_system_errors_keep_their_traceback():
    def work(_):
        raise OSError(errno.EMFILE, "too many")

    with pytest.raises(OSError, match="too many"):
        stage_main(work)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_named_while_shards_and_figures_are_written(tmp_path):
    spec = feature_spec((1, 1, 1), "float32")
    (tmp_path / ".train-00000-of-00001.partial.tfrecord").symlink_to("/dev/full")
    records = [{"image_id": str(i), "features": [[[1.0]]]} for i in range(100_000)]
    with pytest.raises(InputError, match=r"train-00000-of-00001.tfrecord cannot be written"):
        write_shards(tmp_path, "train", spec, [records])
    (tmp_path / ".figures.partial.json").symlink_to("/dev/full")
    with pytest.raises(SystemExit, match="No space left on device: free some space"):
        stage_main(lambda _: write_json(tmp_path / "figures.json", {"a": 1}))
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_says_that_the_work_goes_on(tmp_path):
    script = tmp_path / "work.py"
    script.write_text(
        "import time\nfrom captioning import stage\nstage.load_params = lambda: None\n"
        "def work(_):\n    print('working', flush=True)\n    time.sleep(60)\n"
        "stage.stage_main(work)\n"
    )
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "working\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=20)[1]
    assert process.returncode == 130
    assert errors == "interrupted: `dvc repro` goes on from what was finished\n"
