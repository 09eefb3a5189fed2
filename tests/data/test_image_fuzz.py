"""Damaged images are used or refused: no traceback, no hang, no write outside, no program."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import picture_fuzz
import pytest
from imports import ROOT

from captioning.data.images.decode import decode_image
from captioning.data.images.formats import FORMATS, HEIF


def fuzz(form: str, count: int, folder: Path) -> dict[str, int]:
    """Read mutations in a process of its own; return how many had which outcome."""
    script = ROOT / "tests/helpers/picture_fuzz.py"
    done = subprocess.run(
        [sys.executable, script, form, str(count), folder / "inside"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=20 * 60,
    )
    assert done.returncode == 0, done.stderr
    # The library libtiff itself prints what it does not like, such as "Fax4Decode: Bad code word".
    assert done.stderr == "" or (form == "TIFF" and ".py" not in done.stderr), done.stderr
    assert [path.name for path in folder.iterdir()] == ["inside"]
    outcomes = ast.literal_eval(done.stdout.splitlines()[-1])
    assert sum(outcomes.values()) == count
    return dict(outcomes)


def test_the_fuzz_covers_every_format_that_is_read() -> None:
    assert set(picture_fuzz.FORMATS) == {*FORMATS, "MPO", HEIF}


@pytest.mark.parametrize("form", picture_fuzz.FORMATS)
def test_the_images_are_valid_before_they_are_damaged(form: str) -> None:
    if form == HEIF:
        pytest.importorskip("pillow_heif")
    for data in picture_fuzz.valid_images(form):
        assert decode_image(data, form).size in ((36, 24), (24, 36))


@pytest.mark.parametrize(
    "action",
    ["open('/tmp/x', 'w')", "os.open('../x', os.O_CREAT)", "subprocess.run('true')"],
)
def test_the_fuzz_notices_what_is_forbidden(action: str, tmp_path: Path) -> None:
    code = (
        "import os, subprocess, picture_fuzz, pathlib\n"
        f"picture_fuzz.forbid_all_but(pathlib.Path('.'))\nopen('x', 'w').close()\n{action}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT / 'tests/helpers'}:{ROOT / 'src'}", "HOME": str(tmp_path)},
    )
    assert done.returncode == 3 and done.stderr.startswith("forbidden: ")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_few_mutations_are_used_or_refused(form: str, tmp_path: Path) -> None:
    outcomes = fuzz(form, 30, tmp_path)
    assert outcomes["used"] and outcomes["truncated or corrupt image"]


@pytest.mark.long
@pytest.mark.parametrize("form", picture_fuzz.FORMATS)
def test_three_hundred_mutations_of_every_format_are_used_or_refused(
    form: str, tmp_path: Path
) -> None:
    if form == HEIF:
        pytest.importorskip("pillow_heif")
    outcomes = fuzz(form, 300, tmp_path)
    assert outcomes["used"] and outcomes["truncated or corrupt image"]
