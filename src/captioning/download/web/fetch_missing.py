"""Fetch the URLs that have no outcome yet, shard by shard, and add them to an `OutcomeStore`."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from filelock import FileLock
from tqdm import tqdm

from captioning.core.errors import InputError
from captioning.download.web.limited_urlopen import escaped
from captioning.download.web.outcome_store import Block, OutcomeStore, reason_of
from captioning.download.web.run_shards import run_shards
from captioning.download.web.settings import FetchSettings
from captioning.download.web.shard_fetcher import (
    Shard,
    ShardFetcher,
    check_installed,
    result_path,
    stats_path,
    write_urls,
)

# The share of failures is not checked before so many URLs have been tried.
_MIN_URLS_FOR_SHARE = 1000
# A run is repeated if a worker process dies.
_ATTEMPTS = 3
_URL_LISTS = "work"

FailureCheck = Callable[[Mapping[str | None, int]], None]


def fetch_missing(
    store: OutcomeStore,
    blocks: Callable[[], Iterable[Block]],
    image_size: int,
    settings: FetchSettings,
    check_failures: FailureCheck,
) -> None:
    """Fetch all URLs of some blocks for which the store has no outcome.

    If the run is killed, only the blocks that it was working on are lost. If two processes need
    the same URLs, these are fetched only once.

    Args:
        store: the store to fill.
        blocks: function that returns an iterator over the blocks; it is called several times.
        image_size: largest shorter side of a stored image, in pixels.
        settings: settings of the fetching.
        check_failures: called with this run's counts (see `OutcomeStore.counts`) after every
            shard, as soon as enough URLs have been tried; raises `InputError` if too many failed.

    Raises:
        InputError: img2dataset is not installed, a shard cannot be stored, worker processes keep
            dying, or `check_failures` raises it.
    """
    store.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(store.folder / "lock"):
        _remove_incomplete_shards(store)
        run = store.next_run()
        for _ in range(_ATTEMPTS):
            try:
                return _fetch(store, run, blocks, image_size, settings, check_failures)
            except BrokenProcessPool:
                continue
    raise InputError(
        f"fetching into {run} failed: worker processes died {_ATTEMPTS} times, perhaps for lack of "
        "memory; lower CAPTIONING_FETCH_PROCESSES or CAPTIONING_FETCH_THREADS and try again"
    )


def _fetch(
    store: OutcomeStore,
    run: Path,
    blocks: Callable[[], Iterable[Block]],
    image_size: int,
    settings: FetchSettings,
    check_failures: FailureCheck,
) -> None:
    """Make one attempt; blocks that an earlier attempt of the same run completed are skipped."""
    counts: Counter[str | None] = Counter()
    incomplete: list[int] = []
    with tqdm(unit=" URLs", desc=f"fetching {store.folder.name}", disable=None) as bar:

        def on_finished(shard: Shard, complete: bool) -> None:
            number, _ = shard
            if not (complete and stats_path(run, number).exists()):
                incomplete.append(number)
                return
            new = _shard_counts(run, number)
            bar.update(sum(new.values()))
            counts.update(new)
            if sum(counts.values()) >= _MIN_URLS_FOR_SHARE:
                check_failures(counts)

        fetcher = ShardFetcher(str(run), image_size, settings.threads, settings.limits)
        shards = _shards(store, run, blocks(), settings.retry)
        run_shards(fetcher, shards, settings.processes, on_finished)
    if incomplete:
        raise InputError(
            f"{len(incomplete)} shards could not be stored in {run} (see the messages above); the "
            "others are kept: check the disk, then run `dvc repro` to fetch the rest"
        )
    shutil.rmtree(run / _URL_LISTS, ignore_errors=True)


def _shards(
    store: OutcomeStore, run: Path, blocks: Iterable[Block], retry: bool
) -> Iterator[Shard]:
    """Yield a shard for each block with missing URLs, just after writing its list of URLs."""
    for block in blocks:
        if stats_path(run, block.number).exists():
            continue
        lines = store.missing(block, retry)
        if not lines:
            continue
        check_installed()
        folder = run / _URL_LISTS
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{block.number}.arrow"
        urls = [escaped(line.url) for line in lines]
        write_urls(path, [line.number for line in lines], urls)
        yield block.number, str(path)


def _shard_counts(run: Path, number: int) -> Counter[str | None]:
    """Number of URLs of one shard by reason of failure; None counts the successes."""
    stats = json.loads(stats_path(run, number).read_text(encoding="utf-8"))
    counts: Counter[str | None] = Counter()
    for failure, count in stats["status_dict"].items():
        counts[None if failure == "success" else reason_of(failure)] += count
    return counts


def _remove_incomplete_shards(store: OutcomeStore) -> None:
    """Remove the incomplete files that a killed run left behind."""
    for run in store.runs():
        shutil.rmtree(run / _URL_LISTS, ignore_errors=True)
        for path in run.glob("*.parquet"):
            if not stats_path(run, int(path.stem)).exists():
                result_path(run, int(path.stem)).unlink()
