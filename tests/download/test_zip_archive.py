"""Zip archives are read in place; damaged and malicious ones are refused."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from captioning.core.errors import InputError
from captioning.download.sources.zip_archive import ZipArchive


def make(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write an archive; return its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_members_are_read_in_any_order(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip", {"b/1.jpg": b"one", "b/": b"", "a.txt": b"two"})
    with ZipArchive(path) as archive:
        assert archive.names == ["b/1.jpg", "a.txt"]
        assert archive.read("a.txt", 3) == b"two"
        assert archive.read("b/1.jpg", 100) == b"one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zip"]


def test_members_that_macos_adds_are_left_out(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip", {"__MACOSX/b/._1.jpg": b"x", "b/1.jpg": b"y"})
    with ZipArchive(path) as archive:
        assert archive.names == ["b/1.jpg"]


def test_line_ends_are_lf_or_crlf_or_missing(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip", {"a.txt": b"one\r\ntwo\n\nfour"})
    with ZipArchive(path) as archive:
        assert list(archive.lines("a.txt", 100)) == [b"one", b"two", b"", b"four"]


@pytest.mark.parametrize("keep", [0, 10, -30])
def test_truncated_archive_is_refused_by_name(tmp_path: Path, keep: int) -> None:
    path = make(tmp_path / "cut.zip", {"a.txt": b"text" * 100})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"cut\.zip is truncated or not a zip archive"):
        ZipArchive(path)


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/etc/evil", "C:/evil", "..\\evil", "C:\\evil"]
)
def test_member_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    path = make(tmp_path / "a.zip", {"fine": b"", name: b"x"})
    with pytest.raises(
        InputError, match=r"a\.zip is not used, because its member '.*evil' leads outside"
    ):
        ZipArchive(path)


def test_symbolic_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match=r"member 'link\.jpg' is a symbolic link"):
        ZipArchive(path)


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", "one")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.jpg", "two")
    with pytest.raises(InputError, match=r"member 'a\.jpg' occurs twice"):
        ZipArchive(path)


def test_member_that_expands_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "bomb.zip", {"bomb.jpg": bytes(10_000_000)})
    assert path.stat().st_size < 20_000
    message = (
        r"bomb\.zip is not used, because its member 'bomb\.jpg' expands to more than 1,000,000 b"
    )
    with ZipArchive(path) as archive:
        with pytest.raises(InputError, match=message):
            archive.read("bomb.jpg", 1_000_000)
        with pytest.raises(InputError, match=message):
            list(archive.lines("bomb.jpg", 1_000_000))


def test_missing_member_is_named(tmp_path: Path) -> None:
    with (
        ZipArchive(make(tmp_path / "a.zip", {"a": b""})) as archive,
        pytest.raises(InputError, match=r"a\.zip has no member 'b\.txt'"),
    ):
        archive.read("b.txt", 1)


def test_damaged_member_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.txt", "the original text")
    path.write_bytes(path.read_bytes().replace(b"the original", b"the 0riginal"))
    with (
        ZipArchive(path) as damaged,
        pytest.raises(InputError, match=r"a\.zip: its member 'a\.txt' cannot be read \(Bad CRC"),
    ):
        damaged.read("a.txt", 1000)
