"""Killed at random moments, the pipeline goes on and ends with the same bytes."""

from __future__ import annotations

import random

import pytest
from chaos import STAGES, torment


@pytest.mark.slow
def test_twenty_kills_change_no_byte(tmp_path):
    kills = torment(tmp_path, 20, random.Random(7))
    assert len(kills) == 20
    assert {kill.stage for kill in kills} == set(STAGES)
    assert any(kill.writing for kill in kills)
