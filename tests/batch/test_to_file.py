"""Runs that write a file: whole, resumed after real kills, and never mixed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from captioning.batch import file_run, running
from captioning.batch.file_run import part_pictures
from captioning.batch.listing import expand
from captioning.batch.running import PictureCaptioner
from captioning.batch.to_file import Run, write_captions
from captioning.core.errors import InputError
from captioning.decoding.settings import DecodingSettings

pytestmark = pytest.mark.slow


@pytest.fixture
def small_parts(monkeypatch) -> None:
    """Parts of three pictures: one batch of the search."""
    monkeypatch.setattr(file_run, "_PART_PICTURES", 1)
    monkeypatch.setattr(running, "batch_images", lambda size: 1)


def run(output: Path, model: Path, **settings) -> Run:
    # Beams so wide that three pictures are a batch.
    return Run(output, str(model), DecodingSettings(beam_width=64, **settings))


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_all_pictures_are_in_the_file_and_the_parts_are_gone(model, photos, tmp_path):
    outcome = write_captions(run(tmp_path / "new/x.jsonl", model), expand(str(photos)))
    assert (outcome.pictures, outcome.failed) == (13, 1)
    found = rows(tmp_path / "new/x.jsonl")
    assert [row["index"] for row in found] == list(range(13))
    assert [row["path"] for row in found] == sorted(str(path) for path in photos.iterdir())
    assert [row["caption"] is None for row in found] == [bool(row["error"]) for row in found]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["x.jsonl"]


class StopError(Exception):
    """Ends a run as an interruption does."""


def stopped_run(monkeypatch, run_: Run, names: Path, after: int) -> None:
    """Start a run that ends after some rows."""
    original = PictureCaptioner.rows

    def some_rows(self, pictures):
        for done, row in enumerate(original(self, pictures)):
            if done == after:
                raise StopError
            yield row

    with monkeypatch.context() as patch:
        patch.setattr(PictureCaptioner, "rows", some_rows)
        with pytest.raises(StopError):
            write_captions(run_, expand(str(names)))


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_run_goes_on_where_it_stopped(
    suffix, model, photos, tmp_path, monkeypatch, small_parts, capsys
):
    write_captions(run(tmp_path / f"whole.{suffix}", model), expand(str(photos)))
    output = tmp_path / f"x.{suffix}"
    output.write_text("an older file")
    stopped_run(monkeypatch, run(output, model), photos, after=12)
    assert output.read_text() == "an older file"
    read: list[str] = []
    original = PictureCaptioner._extracted
    monkeypatch.setattr(
        PictureCaptioner,
        "_extracted",
        lambda self, batch: read.extend(one.path for one in batch) or original(self, batch),
    )
    capsys.readouterr()
    outcome = write_captions(run(output, model), expand(str(photos)))
    # The last of 13 pictures, and the failed one of the first part is counted again.
    assert len(read) == 1 and outcome.failed == 1
    assert "resuming: 12 of 13 pictures are done" in capsys.readouterr().err
    assert output.read_bytes() == (tmp_path / f"whole.{suffix}").read_bytes()


def test_other_settings_and_other_pictures_start_from_the_beginning(
    model, photos, tmp_path, monkeypatch, small_parts, capsys
):
    output = tmp_path / "x.jsonl"
    stopped_run(monkeypatch, run(output, model), photos, after=12)
    capsys.readouterr()
    write_captions(run(output, model, length_penalty=0.0), expand(str(photos / "00.png")))
    err = capsys.readouterr().err
    assert "resuming" not in err
    assert "parts of a run with another model, other settings or other pictures" in err
    assert len(rows(output)) == 1 and not (tmp_path / "x.jsonl.partial").exists()


def test_parts_hold_whole_batches(model, captioner):
    for settings in (DecodingSettings(), DecodingSettings("greedy"), run(Path(), model).settings):
        one = PictureCaptioner(captioner, settings)
        size = part_pictures(one)
        assert size % one.search_pictures == 0 == size % one.extraction_pictures
        assert 512 < size < 2048


def test_what_cannot_be_done_is_said_before_anything_is_read(model, photos, tmp_path):
    def untouched():
        raise AssertionError("the pictures were listed")
        yield

    with pytest.raises(InputError, match="there is no trained model in .*nowhere: .*--model"):
        write_captions(run(tmp_path / "x.csv", tmp_path / "nowhere"), untouched())
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty is empty: .*--model"):
        write_captions(run(tmp_path / "x.csv", tmp_path / "empty"), untouched())
    too_many = Run(tmp_path / "x.csv", str(model), DecodingSettings(beam_width=3), 4)
    with pytest.raises(InputError, match="4 captions need a beam width of at least 4"):
        write_captions(too_many, untouched())
    with pytest.raises(InputError, match="the list names no picture"):
        write_captions(run(tmp_path / "x.csv", model), iter(()))


def test_a_disk_that_is_full_is_said_and_nothing_is_lost(
    model, photos, tmp_path, monkeypatch, small_parts
):
    output = tmp_path / "x.csv"
    original = file_run.Parts.write

    def full(self, rows, files):
        if rows[0]["index"] >= 12:
            raise OSError(28, "No space left on device", "part")
        original(self, rows, files)

    with monkeypatch.context() as patch:
        patch.setattr(file_run.Parts, "write", full)
        message = r"part cannot be written \(No space left on device\): free some space, then run"
        with pytest.raises(InputError, match=message):
            write_captions(run(output, model), expand(str(photos)))
    write_captions(run(output, model), expand(str(photos)))
    write_captions(run(tmp_path / "whole.csv", model), expand(str(photos)))
    assert output.read_bytes() == (tmp_path / "whole.csv").read_bytes()


# Real kills.

# Small parts, and a pause before each, so that kills hit different ones.
_COMMAND = """
import sys, time
from captioning.batch import file_run, running
from captioning.cli.main import main
file_run._PART_PICTURES = 1
running.batch_images = lambda size: 12
write = file_run.Parts.write
file_run.Parts.write = lambda *arguments: time.sleep(0.05) or write(*arguments)
sys.exit(main(sys.argv[1:]))
"""


def start(folder: Path, output: Path, model: Path) -> subprocess.Popen[bytes]:
    arguments = ["caption", str(folder), "-o", str(output), "--model", str(model), "--beam", "16"]
    return subprocess.Popen(
        [sys.executable, "-c", _COMMAND, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


@pytest.mark.long
def test_killed_at_random_moments_it_ends_with_the_same_bytes(model, photos, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number:03d}.png").hardlink_to(photos / f"{number % 12:02d}.png")
    (folder / "100.png").unlink()
    (folder / "100.png").write_bytes(b"no picture")
    chance = random.Random(1)
    for suffix in ("parquet", "jsonl", "csv"):
        whole = tmp_path / f"whole.{suffix}"
        process = start(folder, whole, model)
        process.communicate()
        assert process.returncode == 1
        output, kills, resumed = tmp_path / f"x.{suffix}", 0, []
        while kills < 5:
            process, parts = start(folder, output, model), Path(f"{output}.partial")
            before = len(list(parts.glob("*/part-*")))
            # Until a few more parts are there, or one is just being written.
            target = before + chance.randint(1, 4)
            while process.poll() is None and len(list(parts.glob("*/part-*"))) < target:
                if chance.random() < 0.02 and list(parts.glob("*/.part*")):
                    break
                time.sleep(0.001)
            if process.poll() is not None:
                break
            os.killpg(process.pid, signal.SIGKILL)
            _, err = process.communicate()
            resumed.append(b"resuming: " in err)
            assert not output.exists()
            kills += 1
        process = start(folder, output, model)
        _, err = process.communicate()
        assert process.returncode == 1 and kills >= 3 and any(resumed)
        assert b"300 images; 1 failed" in err
        assert output.read_bytes() == whole.read_bytes()
        assert not Path(f"{output}.partial").exists()


@pytest.mark.long
def test_memory_does_not_grow_with_the_number_of_pictures(model, photos, tmp_path):
    peaks = []
    Image.new("RGB", (640, 480), "red").save(tmp_path / "large.jpg")
    for number in (200, 2000):
        folder = tmp_path / str(number)
        folder.mkdir()
        for each in range(number):
            (folder / f"{each:04d}.jpg").symlink_to(tmp_path / "large.jpg")
        code = (
            "import resource, sys; from captioning.cli.main import main\n"
            "status = main(sys.argv[1:])\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(status)"
        )
        arguments = ["caption", str(folder), "-o", f"{folder}.csv", "--model", str(model)]
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, check=True, text=True
        )
        peaks.append(int(done.stdout))
    # 1,800 decoded pictures would take 1.6 GB.
    assert peaks[1] < peaks[0] + 100_000
