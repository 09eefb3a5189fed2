"""The command `captioning serve`: what it refuses to start with, and how it ends."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from imports import ROOT
from raw_table import write_scenes
from running_server import RunningServer, picture, until

from captioning.cli import serve as command
from captioning.cli.main import main
from captioning.core.errors import InputError
from captioning.serving.examples import EXAMPLES, examples_beside, read_examples


def test_without_the_extra_the_command_says_what_to_install(monkeypatch, capsys):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        command, "find_spec", lambda name: None if name == "uvicorn" else found(name)
    )
    assert main(["serve"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "error: `captioning serve` needs the packages uvicorn: run `pip install -e '.[serve]'`"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "nowhere"], "nowhere/decoder.keras is missing: run `dvc repro train`"),
        (["--examples", "nowhere"], "nowhere has no test shard (*.parquet): run `dvc repro`"),
        (["--host", "203.0.113.1"], "--host 203.0.113.1 --port 0: this address cannot be used"),
        (["--host", "no such name"], "--host no such name --port 0: this address cannot be used"),
        (["--token", ""], "--token: give at least one character"),
        (["--token", "two words"], "--token: give at least one character"),
    ],
)
def test_what_cannot_work_is_said_in_one_line_at_the_start(arguments, message, capsys):
    assert main(["serve", "--port", "0", *arguments]) == 1
    *warnings, line = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line
    assert all(warning.startswith("warning: --host ") for warning in warnings)


def test_a_port_that_is_in_use_is_named(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert main(["serve", "--port", port]) == 1
    assert f"--port {port}: this address cannot be used (Address already in use)" in (
        capsys.readouterr().err
    )


def test_other_machines_without_a_token_are_warned_of(capsys):
    arguments = ["serve", "--port", "0", "--host", "0.0.0.0", "--model", "nowhere"]
    assert main(arguments) == 1
    assert "without a token: set --token" in capsys.readouterr().err
    assert main([*arguments, "--token", "x"]) == 1
    assert "token" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"), [("--port", "65536"), ("--max-megapixels", "65"), ("--max-queue", "0")]
)
def test_limits_out_of_bounds_are_refused(option, value, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["serve", option, value])
    assert f"argument {option}: " in capsys.readouterr().err


def test_examples_are_the_first_pictures_of_the_test_split(tmp_path: Path):
    raw = write_scenes(
        tmp_path / "raw", 1, 64, train_images=1, validation_images=1, test_images=EXAMPLES + 3
    )
    examples = read_examples(raw)
    assert len(examples) == EXAMPLES and all(example.references for example in examples)
    assert {example.content_type for example in examples} <= {"image/jpeg", "image/png"}
    assert examples_beside(tmp_path / "model") == examples
    assert examples_beside(tmp_path / "elsewhere/model") == []
    with pytest.raises(InputError, match="no test shard"):
        read_examples(tmp_path)


@pytest.mark.slow
def test_sigterm_finishes_what_is_in_hand_and_ends_with_0(model_folder: Path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "captioning", "serve", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--model", str(model_folder)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    try:
        server = RunningServer(port, None)  # type: ignore[arg-type]
        until(lambda: process.poll() is not None or _is_ready(server))
        answers = []
        # Settings whose graph is not compiled yet take a while.
        settings = {"beam_width": 7, "n": 7}
        client = threading.Thread(
            target=lambda: answers.append(server.post_form([picture(1)] * 4, **settings))
        )
        client.start()
        until(lambda: b"captioning_accepted_pictures 4.0" in server.get("/metrics").body)
        process.send_signal(signal.SIGTERM)
        client.join()
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert answers[0].status == 200 and len(answers[0].json["results"]) == 4


def _is_ready(server: RunningServer) -> bool:
    try:
        return server.get("/readyz").status == 200
    except OSError:
        return False
