"""The benchmarks of growth, devices and costs report what they should; no time is checked."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from imports import ROOT
from small_repository import SMALL, run

from benchmarks import conceptual_captions, growth

SMALL_MODEL = {key: value for key, value in SMALL.items() if not key.startswith("datasets.")}


def measured(stage: str, factor: int, images: int, peak: int, seconds: float) -> dict[str, object]:
    figures = {"peak_bytes": peak, "seconds": seconds, "cpu_seconds": seconds}
    return {"stage": stage, "factor": factor, "images": images, **figures}


def test_growth_is_what_an_image_more_costs():
    runs = [
        measured(stage, factor, images, peak, seconds)
        for stage in growth.STAGES
        for factor, images, peak, seconds in ((1, 100, 5000, 2.0), (4, 400, 5300, 5.0))
    ]
    summary = growth.growth(runs)
    assert [row["stage"] for row in summary] == list(growth.STAGES)
    assert summary[0] == {
        "stage": "download",
        "peak_bytes": [5000, 5300],
        "seconds": [2.0, 5.0],
        "cpu_seconds": [2.0, 5.0],
        "peak_ratio": 1.06,
        "bytes_per_image": [1],
        "cpu_seconds_per_image": [0.01],
    }
    assert len(growth.table(summary, [1, 4]).splitlines()) == 2 + len(growth.STAGES)


def test_all_splits_grow_in_proportion():
    assert growth.images(16, 1) == {"train": 16, "validation": 2, "test": 4}
    assert growth.images(16, 4) == {"train": 64, "validation": 8, "test": 16}


def test_a_stage_that_fails_is_shown(tmp_path):
    with pytest.raises(SystemExit, match="no such thing"):
        growth.run([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path)


def test_peak_memory_is_the_child_s_own(tmp_path):
    code = (
        "import json, sys; from pathlib import Path; from benchmarks import growth\n"
        "command = [sys.executable, '-c', 'x = b\"x\" * (200 << 20)']\n"
        "print(json.dumps(growth.run(command, Path(sys.argv[1]))))"
    )
    usage = json.loads(run(ROOT, sys.executable, "-c", code, str(tmp_path), errors=False))
    assert 200 << 20 < usage["peak_bytes"] < 400 << 20
    assert usage["seconds"] > 0


@pytest.mark.long
@pytest.mark.slow
def test_growth_measures_every_stage(tmp_path, capsys):
    params, out = tmp_path / "params.yaml", tmp_path / "growth.json"
    growth.write_params(ROOT / "params.yaml", params, SMALL_MODEL)
    arguments = ["--images", "16", "--factors", "1", "--params", str(params), "--json", str(out)]
    growth.main(arguments)
    report = json.loads(out.read_text())
    assert [row["stage"] for row in report["runs"]] == list(growth.STAGES)
    for row in report["runs"]:
        assert row["images"] == 22
        assert row["peak_bytes"] > 20 << 20 and row["cpu_seconds"] > 0 and row["seconds"] > 0
    assert "evaluate" in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.slow
def test_devices_are_measured_without_tensorflow(tmp_path):
    out: Path = tmp_path / "gpu.json"
    printed = run(
        ROOT, sys.executable, "-m", "benchmarks.gpu", "--quick", "--json", str(out), errors=False
    )
    report = json.loads(out.read_text())
    assert not report["machine"]["tensorflow_imported"]
    assert report["machine"]["matmul_flops_per_second"].keys() == {"float32", "bfloat16"}
    works = [(row["precision"], row["work"]) for row in report["rows"]]
    kinds = ("training", "greedy", "beam")
    assert works == [(p, kind) for p in ("float32", "bfloat16") for kind in kinds]
    for row in report["rows"]:
        assert row["flops_per_second"] == pytest.approx(row["flops"] / row["seconds"])
        assert row["images_per_second"] == pytest.approx(row["images"] / row["seconds"])
        assert row["share_of_peak"] > 0
        assert f"{row['captions_per_second']:,.0f}" in printed


def test_costs_follow_from_the_rates():
    rates = conceptual_captions.Rates(
        urls=3600, alive=0.5, extraction_rate=1, cores=1, cluster_share=0.5, start_seconds=0
    )
    alone, cluster = (conceptual_captions.costs(rates, machines) for machines in (1, 10))
    extract = "extract, write data/features"
    assert alone[extract] == (1800 * rates.feature_bytes, 0.5)
    assert cluster[extract] == pytest.approx((1800 * rates.feature_bytes, 0.5 / 10 / 0.5))
    assert alone["copy data/raw to the store"] == (0, 0)
    assert cluster["fetch the images"][1] == pytest.approx(1 / rates.download_rate / 10)


def test_docs_cluster_shows_the_computed_costs_of_conceptual_captions(capsys):
    conceptual_captions.main([])
    printed = table_rows(capsys.readouterr().out)
    assert len(printed) == 8
    documented = table_rows((ROOT / "docs/cluster.md").read_text(encoding="utf-8"))
    for row in printed:
        assert row in documented


def table_rows(markdown: str) -> list[list[str]]:
    """The cells of every table row, without the lines under the headers."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if set("".join(row)) != {"-"}]
