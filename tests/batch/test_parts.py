"""Finished parts are kept, checked, and never mixed with those of another run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from captioning.batch.parts import Parts, files_checksum, partial_folder
from captioning.batch.pictures import Picture
from captioning.batch.rows import Row
from captioning.core.errors import InputError
from captioning.core.opening import DamagedError


@pytest.fixture
def pictures(tmp_path: Path) -> list[Picture]:
    """Five pictures, the last of which is not there."""
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(bytes(number))
    return [Picture(number, str(tmp_path / f"{number}.png")) for number in range(5)]


@pytest.fixture
def parts(tmp_path: Path, pictures: list[Picture]) -> Parts:
    """Three parts, of which the first and the last are written."""
    (tmp_path / "partial").mkdir()
    parts = Parts(tmp_path / "partial", "fingerprint", 2, len(pictures))
    for group in (pictures[:2], pictures[4:]):
        write(parts, group)
    return parts


def write(parts: Parts, group: list[Picture]) -> None:
    rows = [Row(picture, ("a dog",), (-1.0,)).columns(1) for picture in group]
    parts.write(rows, files_checksum(group))


def test_the_parts_that_are_not_written_are_missing(parts, pictures):
    finished = parts.finished(pictures)
    assert parts.number == 3 and finished == {0, 2}
    assert sum(parts.size(part, len(pictures)) for part in finished) == 3
    assert list(parts.missing(pictures, finished)) == [pictures[2:4]]
    write(parts, pictures[2:4])
    assert [row["index"] for rows in parts.rows() for row in rows] == [0, 1, 2, 3, 4]


def test_a_part_whose_files_have_changed_is_missing(parts, pictures):
    status = Path(pictures[1].path).stat()
    Path(pictures[1].path).write_bytes(b"xyz")
    assert parts.finished(pictures) == {2}
    Path(pictures[1].path).write_bytes(bytes(1))
    os.utime(pictures[1].path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert parts.finished(pictures) == {0, 2}
    Path(pictures[4].path).touch()
    assert parts.finished(pictures) == {0}


@pytest.mark.parametrize("damage", [b"", b"{}", None])
def test_a_damaged_part_is_missing_and_not_read(damage, parts, pictures):
    path = parts.folder / "part-00000000.json"
    path.write_bytes(path.read_bytes().replace(b"dog", b"cat") if damage is None else damage)
    assert parts.finished(pictures) == {2}
    with pytest.raises(DamagedError, match="part-00000000.json is damaged .* same command again"):
        list(parts.rows())


def test_parts_of_another_run_are_not_used_until_the_file_is_written(parts, pictures, tmp_path):
    other = Parts(tmp_path / "partial", "other", 2, len(pictures))
    assert not other.finished(pictures) and other.has_others and not parts.has_others
    assert parts.finished(pictures) == {0, 2}
    other.remove()
    assert not (tmp_path / "partial").exists()


def test_two_processes_do_not_write_one_file(tmp_path):
    output = tmp_path / "x.csv"
    code = (
        "import sys; from pathlib import Path\n"
        "from captioning.batch.parts import partial_folder\n"
        "with partial_folder(Path(sys.argv[1])): print('locked', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(output)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == b"locked\n"
        message = r"x\.csv is being written by another process: wait for it"
        with pytest.raises(InputError, match=message), partial_folder(output):
            pass
        other.kill()
    with partial_folder(output) as folder:
        assert folder == tmp_path / "x.csv.partial"


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").touch()
    for output in (tmp_path / "file/x.csv", tmp_path / f"{'x' * 250}.csv"):
        with pytest.raises(InputError, match=r"\.csv cannot be written \("), partial_folder(output):
            pass
