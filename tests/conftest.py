"""Fixtures of more than one file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from experiments import make_repository

from captioning.experiments import significance

# As `captioning.cluster.ray` does; some tests import Ray before.
os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"

# Files that take a minute or more: begun first, so that no process ends up alone with one.
LONGEST = ("test_kills.py", "test_repro.py", "test_cluster.py", "test_parts.py", "test_backends.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(LONGEST)))


@pytest.fixture(scope="session")
def experiments(tmp_path_factory) -> Path:
    """The root of a repository with experiments (see experiments.py); not to be changed."""
    return make_repository(tmp_path_factory.mktemp("experiments"))


@pytest.fixture
def fewer_exchanges(monkeypatch) -> int:
    """Quicker p-values; returns the number of exchanges."""
    monkeypatch.setattr(significance, "EXCHANGES", 1000)
    return 1000
