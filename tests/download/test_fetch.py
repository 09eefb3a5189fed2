"""Files are fetched once, checked, cached and resumed, whatever the server does."""

from __future__ import annotations

import hashlib
import socket
import threading
from pathlib import Path

import file_server
import pytest
from file_server import DATA, MD5, NAME, Server
from tenacity import wait_none

from captioning.core.errors import InputError
from captioning.download.sources.fetch import fetch
from captioning.download.sources.resumable_download import ATTEMPTS

# Fixtures: a local HTTP server, and an environment that only the test sets.
server = file_server.server
cache = file_server.cache


def get(server: Server, md5: str = MD5) -> Path:
    """Fetch the server's file, without waiting between attempts."""
    return fetch(server.url, NAME, md5, wait=wait_none())


def requested_ranges(server: Server) -> list[str | None]:
    """The Range header of every request."""
    return [wanted for _, wanted in server.requests]


def test_download_is_kept_under_its_checksum(server: Server, cache: Path) -> None:
    path = get(server)
    assert path == cache / MD5 / NAME
    assert path.read_bytes() == DATA
    assert get(server) == path
    assert server.requests == [("/files/Flickr8k%20text.zip", None)]
    assert {entry.name for entry in path.parent.iterdir()} <= {NAME, "lock"}


def test_damaged_file_in_the_cache_is_fetched_again(server: Server) -> None:
    path = get(server)
    path.write_bytes(b"damaged")
    assert get(server).read_bytes() == DATA
    assert len(server.requests) == 2


def test_interrupted_download_is_resumed_where_it_stopped(server: Server) -> None:
    server.faults = [("cut", 500_000), ("cut", 300_000)]
    assert get(server).read_bytes() == DATA
    first, second, third = requested_ranges(server)
    assert first is None
    assert second is not None
    assert third is not None
    offsets = [int(s.removeprefix("bytes=").removesuffix("-")) for s in (second, third)]
    assert 0 < offsets[0] <= 500_000 < offsets[1] <= 800_000


def test_partial_file_of_an_earlier_run_is_resumed(server: Server, cache: Path) -> None:
    server.faults = [("cut", 500_000)] + [("status", 503)] * (ATTEMPTS - 1)
    with pytest.raises(InputError, match="status 503"):
        get(server)
    (partial,) = cache.glob("*/*.partial")
    kept = partial.stat().st_size
    assert 0 < kept <= 500_000
    server.requests.clear()
    assert get(server).read_bytes() == DATA
    assert requested_ranges(server) == [f"bytes={kept}-"]


def test_download_starts_over_if_the_server_ignores_ranges(server: Server) -> None:
    server.ranges = False
    server.faults = [("cut", 500_000)]
    assert get(server).read_bytes() == DATA
    assert len(server.requests) == 2


def test_download_starts_over_if_the_file_has_changed(server: Server) -> None:
    server.data, server.etag = bytes(len(DATA)), '"version 0"'
    server.faults = [("cut", 500_000)] + [("status", 503)] * (ATTEMPTS - 1)
    with pytest.raises(InputError, match="status 503"):
        get(server)
    server.data, server.etag = DATA, '"version 1"'
    assert get(server).read_bytes() == DATA


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_download_is_not_resumed_without_a_strong_validator(
    server: Server, etag: str | None
) -> None:
    server.etag = etag
    server.faults = [("cut", 500_000)]
    assert get(server).read_bytes() == DATA
    assert requested_ranges(server) == [None, None]


def test_wrong_range_of_bytes_is_not_appended(server: Server) -> None:
    server.content_range = f"bytes 7-{len(DATA) - 1}/{len(DATA)}"
    server.faults = [("cut", 500_000)]
    assert get(server).read_bytes() == DATA
    assert requested_ranges(server)[2] is None


def test_download_starts_over_if_the_range_is_beyond_the_end(server: Server) -> None:
    server.faults = [("cut", 500_000), ("status", 416)]
    assert get(server).read_bytes() == DATA
    assert requested_ranges(server)[2] is None


def test_server_error_is_retried(server: Server) -> None:
    server.faults = [("status", 500), ("status", 429)]
    assert get(server).read_bytes() == DATA
    assert len(server.requests) == 3


def test_permanent_server_error_names_the_url(server: Server) -> None:
    server.faults = [("status", 500)] * ATTEMPTS
    pattern = (
        rf"{server.url}Flickr8k%20text\.zip .*{ATTEMPTS} attempts failed.*: status 500.*_SOURCE"
    )
    with pytest.raises(InputError, match=pattern):
        get(server)
    assert len(server.requests) == ATTEMPTS


def test_missing_file_fails_at_once(server: Server) -> None:
    server.faults = [("status", 404)]
    pattern = r"text\.zip cannot be downloaded \(status 404 Not Found\): .*CAPTIONING_SOURCE"
    with pytest.raises(InputError, match=pattern):
        get(server)
    assert len(server.requests) == 1


def test_unreachable_server_is_named_with_the_alternative() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(
            InputError, match=rf"{url}/a\.zip cannot be downloaded.*CAPTIONING_SOURCE"
        ):
            fetch(url, "a.zip", MD5, wait=wait_none())


def test_download_with_a_wrong_checksum_is_deleted_and_both_sums_are_named(
    server: Server, cache: Path
) -> None:
    wrong = "0" * 32
    pattern = rf"MD5 sum of {NAME} is {MD5}, expected {wrong}; the download was deleted: try again"
    with pytest.raises(InputError, match=pattern):
        get(server, wrong)
    assert {path.name for path in (cache / wrong).iterdir()} <= {"lock"}


def test_concurrent_fetches_download_once(server: Server) -> None:
    threads = [threading.Thread(target=get, args=(server,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 1


def test_local_file_is_used_in_place(tmp_path: Path, cache: Path) -> None:
    (tmp_path / NAME).write_bytes(DATA)
    assert fetch(str(tmp_path), NAME, MD5) == tmp_path / NAME
    assert not cache.exists()


def test_local_file_with_a_wrong_checksum_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"other")
    found = hashlib.md5(b"other").hexdigest()
    with pytest.raises(InputError, match=rf"{NAME}: its MD5 sum is {found}, expected {MD5}: put"):
        fetch(str(tmp_path), NAME, MD5)
    assert (tmp_path / NAME).read_bytes() == b"other"


def test_missing_local_file_or_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"source {tmp_path} does not contain the file a\.zip"):
        fetch(str(tmp_path), "a.zip", MD5)
    with pytest.raises(
        InputError, match=r"nowhere is not an existing folder, but should contain a\.zip"
    ):
        fetch(str(tmp_path / "nowhere"), "a.zip", MD5)


def test_file_without_a_checksum_is_fetched_once(server: Server, cache: Path) -> None:
    path = fetch(server.url, NAME, None, folder="Train", wait=wait_none())
    assert path.read_bytes() == DATA and path.parent.parent == cache
    assert fetch(server.url, NAME, None, folder="Train", wait=wait_none()) == path
    assert server.requests == [("/files/Train/Flickr8k%20text.zip", None)]
    other = fetch(server.url, NAME, None, folder="Validation", wait=wait_none())
    assert other != path


def test_local_file_may_be_in_the_folder_or_the_subfolder(tmp_path: Path) -> None:
    (tmp_path / "Train").mkdir()
    (tmp_path / "Train" / NAME).write_bytes(b"below")
    assert fetch(str(tmp_path), NAME, None, folder="Train") == tmp_path / "Train" / NAME
    (tmp_path / NAME).write_bytes(DATA)
    assert fetch(str(tmp_path), NAME, MD5, folder="Train") == tmp_path / NAME


def test_source_in_the_environment_replaces_the_one_in_the_params(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAPTIONING_SOURCE", server.url)
    assert fetch("/nowhere", NAME, MD5).read_bytes() == DATA


def test_other_protocols_are_refused() -> None:
    with pytest.raises(InputError, match=r"ftp://host: only http, https and local folders"):
        fetch("ftp://host", NAME, MD5)


def test_cache_that_cannot_be_written_is_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CAPTIONING_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"cannot be stored in the cache .*set CAPTIONING_CACHE"):
        get(server)
