"""Fetch the URLs of one shard with img2dataset (https://github.com/rom1504/img2dataset)."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from captioning.core.errors import InputError
from captioning.download.web.limited_urlopen import limited_urlopen
from captioning.download.web.resizer import Resizer
from captioning.download.web.settings import Limits

#: A shard as img2dataset passes it around: its number, and the path of the file with its URLs.
Shard = tuple[int, str]

#: Column of the result file that holds the images.
IMAGE_COLUMN = "jpg"
_COLUMNS = ["line", "url"]
# Number of digits to which img2dataset pads the shard's number in file names.
_DIGITS = 5


def check_installed() -> None:
    """Check that img2dataset can be imported.

    Raises:
        InputError: img2dataset is not installed, or `imghdr`, a module that it needs and that
            Python 3.13 no longer includes.
    """
    if any(importlib.util.find_spec(name) is None for name in ("img2dataset", "imghdr")):
        raise InputError(
            "img2dataset, which fetches this dataset's images, is not installed: "
            "run `pip install -e '.[web]'`"
        )


def write_urls(path: Path, lines: list[int], urls: list[str]) -> None:
    """Write the URLs of a shard to a file, in the format that img2dataset's downloader reads."""
    table = pa.table({"line": pa.array(lines, pa.int64()), "url": pa.array(urls, pa.string())})
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)


def result_path(folder: Path, shard: int) -> Path:
    """The Parquet file that img2dataset writes for a shard: one row per URL, even if it failed."""
    return folder / f"{shard:0{_DIGITS}d}.parquet"


def stats_path(folder: Path, shard: int) -> Path:
    """The file of counts that img2dataset writes last; a shard without it is incomplete."""
    return folder / f"{shard:0{_DIGITS}d}_stats.json"


@dataclass(frozen=True)
class ShardFetcher:
    """Fetches the URLs of one shard; it is sent to worker processes, also on other machines.

    Attributes:
        folder: folder where the results are written.
        image_size: largest shorter side of a stored image, in pixels.
        threads: number of URLs that are fetched at the same time.
        limits: limits for each URL.
    """

    folder: str
    image_size: int
    threads: int
    limits: Limits

    def __call__(self, shard: Shard) -> tuple[bool, Shard]:
        """Fetch a shard, as img2dataset's distributors call it.

        Returns:
            Whether the shard is complete, and the shard itself.
        """
        with limited_urlopen(self.limits):
            complete, _ = self._downloader()(shard)
        return bool(complete), shard

    def _downloader(self) -> Any:
        """img2dataset's downloader, which calls this project's `urlopen` and `Resizer`."""
        from img2dataset.downloader import Downloader
        from img2dataset.writer import ParquetSampleWriter

        return Downloader(
            sample_writer_class=ParquetSampleWriter,
            resizer=Resizer(self.image_size),
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
            # img2dataset's defaults: images whose X-Robots-Tag header has one of these are skipped.
            disallowed_header_directives=["noai", "noimageai", "noindex", "noimageindex"],
        )
