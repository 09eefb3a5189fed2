"""Killed at random moments, the pipeline resumes and ends with the same bytes; see chaos.py."""

from __future__ import annotations

import random

import pytest
from chaos import STAGES, torment


@pytest.mark.slow
@pytest.mark.long
def test_eight_kills_of_each_stage_change_no_byte(tmp_path):
    kills = torment(tmp_path, 32, random.Random(7))
    assert len(kills) == 32
    assert {kill.stage for kill in kills} == set(STAGES)
    assert any(kill.writing for kill in kills)
