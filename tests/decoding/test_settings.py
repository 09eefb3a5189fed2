"""Settings of decoding are checked as those in params.yaml are, each in one line."""

from __future__ import annotations

import dataclasses

import pytest
from imports import ROOT

from captioning.core.errors import InputError
from captioning.decoding.settings import DecodingSettings
from captioning.params.stages import load_params


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decoder": "best"}, "decoder: Input should be 'greedy', 'sample' or 'beam'"),
        ({"beam_width": 0, "seed": -1}, r"beam_width: .*\(found 0\); seed: .*\(found -1\)"),
        ({"temperature": 0.0}, "temperature: .*greater than or equal to 0.001"),
        ({"temperature": "hot"}, "temperature: .*valid number"),
        ({"top_p": 0.0, "decoder": "sample"}, "top_p: .*greater than 0"),
        ({"beam_width": 6, "beam_groups": 4}, "width of 6 does not make 4 equal groups"),
        ({"top_k": 5}, "top_k has an effect only on sampling"),
        ({"top_p": 0.5, "decoder": "greedy"}, "top_p has an effect only on sampling"),
        ({"beam_groups": 3, "decoder": "sample"}, "beam_groups has an effect only on beam search"),
        ({"diversity": 0.5}, "diversity has an effect only between groups"),
    ],
    ids=str,
)
def test_wrong_settings_are_refused_in_one_line(settings, message):
    with pytest.raises(InputError, match=message) as raised:
        DecodingSettings(**settings)
    assert "\n" not in str(raised.value)


def test_the_defaults_are_those_of_params_but_for_the_seed():
    params = DecodingSettings.of(load_params(ROOT / "params.yaml").evaluate)
    assert params == DecodingSettings(seed=params.seed)


def test_numbers_that_change_no_graph_are_left_out_of_it():
    numbers = {"temperature": 0.5, "top_p": 0.9, "seed": 3, "length_penalty": 2.0}
    one = DecodingSettings("sample", top_k=4, **numbers)
    other = one.with_changes(temperature=2.0, top_p=0.1, seed=4, length_penalty=0.0)
    assert one.graph == other.graph == one.graph.graph
    beams = DecodingSettings(beam_width=4, beam_groups=2, diversity=1.0)
    assert beams.graph == beams.with_changes(diversity=2.0, length_penalty=0.5).graph
    changes = [{"top_k": 5}, {"top_p": None}, {"minimum_length": 1}, {"no_repeat_ngram": 2}]
    graphs = {one.graph, *(one.with_changes(**change).graph for change in changes)}
    assert len(graphs) == 5
    assert beams.graph != beams.with_changes(beam_width=6).graph


def test_a_setting_that_does_not_exist_is_named():
    with pytest.raises(InputError, match="'colour' is no setting of decoding: use decoder"):
        DecodingSettings().with_changes(colour=1)


def test_every_setting_of_decoding_is_one_of_params():
    names = {field.name for field in dataclasses.fields(DecodingSettings)}
    assert names <= set(load_params(ROOT / "params.yaml").evaluate.model_dump())
