"""What a stage prints: where its results are, or one line about what stopped it."""

from __future__ import annotations

import ast
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from imports import ROOT
from stage_definitions import STAGES

from captioning.core.errors import InputError
from captioning.core.files import write_json
from captioning.data.record_writer import write_shards
from captioning.features.write_features import feature_spec
from captioning.stage import main as stage
from captioning.stage.main import stage_main


@pytest.fixture(autouse=True)
def any_params(monkeypatch):
    monkeypatch.setattr(stage, "load_params", lambda: None)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "No space left on device: free some space, then run `dvc repro`"),
        (errno.EROFS, "Read-only file system: make the folder writable, then run `dvc repro`"),
        (errno.ENAMETOOLONG, "File name too long: use a shorter path, then run `dvc repro`"),
        (errno.EACCES, "Permission denied: make the folder writable, then run `dvc repro`"),
    ],
)
def test_a_disk_or_path_that_cannot_be_used_is_reported_in_one_line(code, advice):
    def work(_):
        raise OSError(code, os.strerror(code), "data/x")

    with pytest.raises(SystemExit, match=f"error: data/x: {advice}"):
        stage_main(work)


def test_other_operating_system_errors_keep_their_traceback():
    def work(_):
        raise OSError(errno.EMFILE, "too many")

    with pytest.raises(OSError, match="too many"):
        stage_main(work)


@pytest.mark.slow
@pytest.mark.parametrize("allocate", [np.zeros, tf.zeros], ids=["numpy", "tensorflow"])
def test_too_little_memory_is_reported_in_one_line(allocate):
    def work(_):
        allocate((1 << 26, 1 << 26))

    with pytest.raises(SystemExit, match="error: not enough memory: lower .*batch_images.*repro`"):
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


@pytest.mark.slow
def test_ctrl_c_says_how_to_resume(tmp_path):
    script = tmp_path / "work.py"
    script.write_text(
        "import signal, time\nfrom captioning.stage import main\nmain.load_params = lambda: None\n"
        # A process in the background may have inherited that the signal is ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def work(_):\n    print('working', flush=True)\n    time.sleep(60)\n"
        "main.stage_main(work)\n"
    )
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "working\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=20)[1]
    assert process.returncode == 130
    assert errors == "interrupted: run `dvc repro` again to resume\n"


def test_lines_of_a_stage_reach_a_log_at_once_and_in_order(tmp_path):
    script = tmp_path / "work.py"
    script.write_text(
        "import os, sys\nfrom captioning.stage import main\nmain.load_params = lambda: None\n"
        "def work(_):\n"
        "    for number in range(20):\n"
        "        print('out', number)\n"
        "        print('error', number, file=sys.stderr)\n"
        "        os.write(2, f'raw {number}\\n'.encode())\n"
        "main.stage_main(work, 'data/work', 'metrics/work.json')\n"
    )
    command = [sys.executable, script]
    output = subprocess.check_output(command, stderr=subprocess.STDOUT, text=True)
    expected = [f"{kind} {number}" for number in range(20) for kind in ("out", "error", "raw")]
    assert output.splitlines() == [*expected, "work: data/work, metrics/work.json"]


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_names_all_that_it_writes(name):
    tree = ast.parse((ROOT / f"stages/{name}.py").read_text(encoding="utf-8"))
    constants = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    (call,) = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "stage_main"
    )
    values = [constants[a.id] if isinstance(a, ast.Name) else a for a in call.args[1:]]
    declared = STAGES[name]
    metrics = [path for entry in declared["metrics"] for path in entry]
    plots = [next(iter(p)) if isinstance(p, dict) else p for p in declared.get("plots", [])]
    assert [ast.literal_eval(value) for value in values] == [*declared["outs"], *metrics, *plots]
