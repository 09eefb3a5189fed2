"""Filling a store: URLs that have no outcome yet are fetched, shard by shard."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from string import punctuation
from urllib.parse import quote

from filelock import FileLock
from tqdm import tqdm

from captioning.core.errors import InputError
from captioning.download.web.fetcher import (
    Shard,
    ShardFetcher,
    check_installed,
    result_path,
    stats_path,
    write_urls,
)
from captioning.download.web.outcome_store import Block, OutcomeStore, reason_of
from captioning.download.web.settings import FetchSettings
from captioning.download.web.workers import run_shards

# A share says little of fewer URLs.
_ENOUGH = 1000
_ATTEMPTS = 3
_WORK = "work"

FailureLimit = Callable[[Mapping[str | None, int]], None]


def fetch_missing(
    store: OutcomeStore,
    blocks: Callable[[], Iterable[Block]],
    image_size: int,
    settings: FetchSettings,
    limit: FailureLimit,
) -> None:
    """Fetch what a store lacks of some blocks.

    A run that was killed loses the blocks it was at. Two processes that want the same fetch it
    once.

    Args:
        store: to be filled.
        blocks: iterates over them, as often as it is called.
        image_size: pixels of the shorter side of what is kept.
        settings: how.
        limit: called with this run's counts so far (see `OutcomeStore.counts`), once there are
            enough of them; raises if too many failed.

    Raises:
        InputError: img2dataset is missing, a shard can't be stored, a worker process dies again
            and again, or what `limit` raises.
    """
    store.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(store.folder / "lock"):
        _remove_unfinished(store)
        run = store.next_run()
        for _ in range(_ATTEMPTS):
            try:
                return _fetch(store, run, blocks, image_size, settings, limit)
            except BrokenProcessPool:
                continue
    raise InputError(
        f"fetching into {run}: worker processes died {_ATTEMPTS} times, perhaps for lack of "
        "memory: lower CAPTIONING_FETCH_PROCESSES or CAPTIONING_FETCH_THREADS and try again"
    )


def _fetch(
    store: OutcomeStore,
    run: Path,
    blocks: Callable[[], Iterable[Block]],
    image_size: int,
    settings: FetchSettings,
    limit: FailureLimit,
) -> None:
    """One attempt; blocks that an earlier attempt of the same run finished are left out."""
    counts: Counter[str | None] = Counter()
    unfinished: list[int] = []
    with tqdm(unit=" URLs", desc=f"fetching {store.folder.name}", disable=None) as bar:

        def finished(shard: Shard, whole: bool) -> None:
            number, _ = shard
            if not (whole and stats_path(run, number).exists()):
                unfinished.append(number)
                return
            new = _shard_counts(run, number)
            bar.update(sum(new.values()))
            counts.update(new)
            if sum(counts.values()) >= _ENOUGH:
                limit(counts)

        fetcher = ShardFetcher(str(run), image_size, settings.threads, settings.limits)
        shards = _shards(store, run, blocks(), settings.retry)
        run_shards(fetcher, shards, settings.processes, finished)
    if unfinished:
        raise InputError(
            f"{len(unfinished)} shards can't be stored in {run} (see the messages above): "
            "`dvc repro` goes on from what was finished"
        )
    shutil.rmtree(run / _WORK, ignore_errors=True)


def _shards(
    store: OutcomeStore, run: Path, blocks: Iterable[Block], retry: bool
) -> Iterator[Shard]:
    """Write what each shard is to fetch as it is asked for."""
    for block in blocks:
        if stats_path(run, block.number).exists():
            continue
        lines = store.missing(block, retry)
        if not lines:
            continue
        check_installed()
        folder = run / _WORK
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{block.number}.arrow"
        # As browsers do with what a URL may not hold: spaces and letters beyond ASCII.
        urls = [quote(line.url, safe=punctuation) for line in lines]
        write_urls(path, [line.number for line in lines], urls)
        yield block.number, str(path)


def _shard_counts(run: Path, number: int) -> Counter[str | None]:
    """One shard's figures by reason."""
    stats = json.loads(stats_path(run, number).read_text(encoding="utf-8"))
    counts: Counter[str | None] = Counter()
    for failure, count in stats["status_dict"].items():
        counts[None if failure == "success" else reason_of(failure)] += count
    return counts


def _remove_unfinished(store: OutcomeStore) -> None:
    """Remove what a killed run left half written."""
    for run in store.runs():
        shutil.rmtree(run / _WORK, ignore_errors=True)
        for path in run.glob("*.parquet"):
            if not stats_path(run, int(path.stem)).exists():
                result_path(run, int(path.stem)).unlink()
