"""Fixtures of more than one file."""

from __future__ import annotations

from pathlib import Path

import pytest
from experiments import make_repository

from captioning import significance


@pytest.fixture(scope="session")
def experiments(tmp_path_factory) -> Path:
    """The root of a repository with experiments (see experiments.py); not to be changed."""
    return make_repository(tmp_path_factory.mktemp("experiments"))


@pytest.fixture
def fewer_exchanges(monkeypatch) -> int:
    """Quicker p-values; returns the number of exchanges."""
    monkeypatch.setattr(significance, "EXCHANGES", 1000)
    return 1000
