"""Places in params.yaml become paths on this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import file_server
import pytest

from captioning.core.errors import InputError
from captioning.download.sources.locate import locate

DATA = b"an archive"
MD5 = hashlib.md5(DATA).hexdigest()
OTHER = "0" * 32


# Fixtures: a local HTTP server, and an environment that only the test sets.
server = file_server.server
environment = file_server.cache


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A local file with the checksum `MD5`."""
    path = tmp_path / "files" / "a b.zip"
    path.parent.mkdir()
    path.write_bytes(DATA)
    return path


def test_a_local_file_is_used_in_place(file, monkeypatch):
    monkeypatch.setenv("HOME", str(file.parent))
    for place in (str(file), "~/a b.zip"):
        assert locate(place, MD5) == locate(place, None) == file


def test_a_local_folder_is_used_in_place(file):
    assert locate(str(file.parent), None) == file.parent


def test_a_wrong_checksum_is_refused(file):
    with pytest.raises(InputError, match=rf"a b\.zip: its MD5 sum is {MD5}, expected {OTHER}"):
        locate(str(file), OTHER)


def test_a_url_is_downloaded_into_the_cache(server, tmp_path):
    path = locate(f"{server.url}Flickr8k%20text.zip", file_server.MD5)
    assert path.read_bytes() == file_server.DATA
    assert path == tmp_path / "cache" / file_server.MD5 / "Flickr8k text.zip"
    assert [place for place, _ in server.requests] == ["/files/Flickr8k%20text.zip"]


@pytest.mark.parametrize("place", ["/nowhere/a b.zip", "https://example.invalid/x/a%20b.zip"])
def test_a_file_that_is_not_local_may_come_from_the_source_in_the_environment(
    file, place, monkeypatch
):
    monkeypatch.setenv("CAPTIONING_SOURCE", str(file.parent))
    assert locate(place, MD5) == file


def test_the_source_in_the_environment_does_not_replace_a_local_file(file, monkeypatch):
    monkeypatch.setenv("CAPTIONING_SOURCE", "/nowhere")
    assert locate(str(file), MD5) == file


@pytest.mark.parametrize(
    ("place", "md5", "message"),
    [
        (
            "https://example.org/a.zip",
            None,
            r"^https://example\.org/a\.zip is downloaded, so it needs an MD5 sum",
        ),
        ("ftp://example.org/a.zip", MD5, "only http, https and local folders"),
        ("nowhere/a.zip", None, r"the file or folder nowhere/a\.zip does not exist"),
        (
            "nowhere/a.zip",
            MD5,
            r"source nowhere is not an existing folder, but should contain a\.zip",
        ),
        (".", MD5, "is a folder, and folders have no MD5 sum: set the sum to null"),
    ],
)
def test_places_that_cannot_be_used_are_named(place, md5, message):
    with pytest.raises(InputError, match=message):
        locate(place, md5)
