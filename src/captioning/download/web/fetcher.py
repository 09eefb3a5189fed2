"""One shard of URLs through img2dataset (https://github.com/rom1504/img2dataset)."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from captioning.core.errors import InputError
from captioning.download.web.opener import guarded_urlopen
from captioning.download.web.pictures import Shrinker
from captioning.download.web.settings import Limits

# One of img2dataset's shards: its number, and the file of its URLs.
Shard = tuple[int, str]

IMAGE_COLUMN = "jpg"
_COLUMNS = ["line", "url"]
# img2dataset pads a shard's number to so many digits.
_DIGITS = 5


def check_installed() -> None:
    """Refuse to start without img2dataset.

    Raises:
        InputError: it, or the module that it misses in Python 3.13, is not installed.
    """
    if any(importlib.util.find_spec(name) is None for name in ("img2dataset", "imghdr")):
        raise InputError(
            "img2dataset, which fetches this dataset's pictures, is not installed: "
            "run `pip install -e '.[web]'`"
        )


def write_urls(path: Path, lines: list[int], urls: list[str]) -> None:
    """Write what a shard is to fetch, in the form that img2dataset's downloader reads."""
    table = pa.table({"line": pa.array(lines, pa.int64()), "url": pa.array(urls, pa.string())})
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)


def result_path(folder: Path, shard: int) -> Path:
    """The Parquet file that img2dataset writes for a shard: a row a URL, failures included."""
    return folder / f"{shard:0{_DIGITS}d}.parquet"


def stats_path(folder: Path, shard: int) -> Path:
    """What img2dataset writes last: a shard without it is not whole."""
    return folder / f"{shard:0{_DIGITS}d}_stats.json"


@dataclass(frozen=True)
class ShardFetcher:
    """Fetches the URLs of one shard; goes to worker processes, on other machines too.

    Attributes:
        folder: where the results go.
        image_size: pixels of the shorter side of what is kept.
        threads: URLs at once.
        limits: of each URL.
    """

    folder: str
    image_size: int
    threads: int
    limits: Limits

    def __call__(self, shard: Shard) -> tuple[bool, Shard]:
        """Fetch a shard, as a distributor of img2dataset calls it: whether it is whole, and it."""
        with guarded_urlopen(self.limits):
            whole, _ = self._downloader()(shard)
        return bool(whole), shard

    def _downloader(self) -> Any:
        """img2dataset's downloader with its Parquet writer; `urlopen` and the resizer are ours."""
        from img2dataset.downloader import Downloader
        from img2dataset.writer import ParquetSampleWriter

        return Downloader(
            sample_writer_class=ParquetSampleWriter,
            resizer=Shrinker(self.image_size),
            thread_count=self.threads,
            save_caption=False,
            extract_exif=False,
            output_folder=self.folder,
            column_list=_COLUMNS,
            timeout=self.limits.seconds,
            number_sample_per_shard=1000,
            oom_shard_count=_DIGITS,
            compute_hash="sha256",
            verify_hash_type=None,
            encode_format=IMAGE_COLUMN,
            retries=0,
            user_agent_token=None,
            # img2dataset's defaults: who says so in X-Robots-Tag is left alone.
            disallowed_header_directives=["noai", "noimageai", "noindex", "noimageindex"],
        )
