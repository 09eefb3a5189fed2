"""Measure training and decoding on synthetic features, on any device that JAX finds.

`python -m benchmarks.gpu` needs Keras and JAX (on an NVIDIA GPU `jax[cuda12]`), but neither
TensorFlow nor data. Only execution is timed: everything is compiled before, inputs are on the
device, and a run ends when its results are available.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

# Keras reads this when it is imported.
os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
from tabulate import tabulate

from benchmarks.device_work import Decoding, Setting, Training, matmul_rate, seconds_per_call
from captioning.core.files import write_json
from captioning.params.stages import load_params

_ROOT = Path(__file__).parent.parent
_PRECISIONS = ("float32", "bfloat16")
_WORK = {"training": Training, "greedy": Decoding, "beam": Decoding}
_HEADER = (
    "work", "precision", "layers", "units", "images", "ms", "captions/s", "images/s", "TFLOP/s",
    "share of peak",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the JSON file if one is named."""
    options = _options(arguments)
    # Keras takes the seeds of initial weights from `random`; its own function for that would import
    # TensorFlow.
    random.seed(0)
    params = load_params(options.params)
    peaks = {p: matmul_rate(p, options.matmul, options.seconds) for p in options.precisions}
    rows = []
    for precision, layers, units, images, work in product(
        options.precisions, options.layers, options.units, options.images, options.work
    ):
        setting = Setting(work, precision, layers, units, images, options.captions, options.length)
        print(*setting.cells(), file=sys.stderr, flush=True)
        rows.append(measure(setting, params, peaks[precision], options.seconds))
        # Otherwise programs and arrays of earlier sizes would fill the device.
        jax.clear_caches()
        keras.backend.clear_session()
    device = jax.devices()[0]
    machine = {
        "device": f"{device.platform}: {device.device_kind}",
        "jax": jax.__version__,
        "keras": keras.__version__,
        "matmul_flops_per_second": peaks,
        "tensorflow_imported": "tensorflow" in sys.modules,
    }
    for precision, rate in peaks.items():
        print(f"{machine['device']}, matrix product in {precision}: {rate / 1e12:.2f} TFLOP/s")
    print(f"{options.captions} captions of {options.length} tokens for each image")
    print(tabulate([_cells(row) for row in rows], _HEADER, disable_numparse=True))
    if options.json:
        write_json(options.json, {"machine": machine, "rows": rows})


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__.partition("\n")[0]
    )
    on_cpu = jax.default_backend() == "cpu"
    add = parser.add_argument
    add("--quick", action="store_true", help="one small size, as a short trial")
    add("--layers", type=int, nargs="+", default=[2, 4, 8], help="numbers of decoder layers")
    add("--units", type=int, nargs="+", default=[256, 512, 1024], help="widths of the decoder")
    add("--images", type=int, nargs="+", default=[64, 512], help="numbers of images in a batch")
    add("--captions", type=int, default=5, help="captions of an image, in training")
    add("--length", type=int, default=16, help="tokens of a caption, with [START] and [END]")
    add("--precisions", nargs="+", choices=_PRECISIONS, default=_PRECISIONS, help="default: both")
    add("--work", nargs="+", choices=_WORK, default=list(_WORK), help="default: all")
    add(
        "--matmul",
        type=int,
        default=1024 if on_cpu else 8192,
        help="side of the matrices for the peak rate",
    )
    add("--seconds", type=float, default=1.0, help="duration of each measurement")
    add("--params", type=Path, default=_ROOT / "params.yaml", help="file of all other settings")
    add("--json", type=Path, help="file for all figures")
    options = parser.parse_args(arguments)
    if options.quick:
        options.layers, options.units, options.images = [1], [64], [4]
        options.length, options.matmul, options.seconds = 8, 256, 0.05
    return options


def measure(setting: Setting, params: Any, peak: float, seconds: float) -> dict[str, Any]:
    """Time one kind of work at one size.

    Returns:
        The setting; number of `parameters`; `seconds` for a step or batch; `captions_per_second`;
        `images_per_second`; `flops` that it needs; `flops_per_second`; `share_of_peak`. If the
        device runs out of memory, the setting and `failure` only.
    """
    try:
        work = _WORK[setting.work](setting, params)
        taken = seconds_per_call(work, seconds)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return {**setting.as_json(), "failure": "out of memory"}
    return {
        **setting.as_json(),
        "parameters": work.parameters,
        "seconds": taken,
        "captions_per_second": work.captions / taken,
        "images_per_second": setting.images / taken,
        "flops": work.flops,
        "flops_per_second": work.flops / taken,
        "share_of_peak": work.flops / taken / peak,
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    setting = tuple(str(row[name]) for name in ("work", "precision", "layers", "units", "images"))
    if "failure" in row:
        return (*setting, row["failure"], "", "", "", "")
    return (
        *setting,
        f"{row['seconds'] * 1e3:.2f}",
        f"{row['captions_per_second']:,.0f}",
        f"{row['images_per_second']:,.0f}",
        f"{row['flops_per_second'] / 1e12:.3g}",
        f"{row['share_of_peak']:.1%}",
    )


if __name__ == "__main__":
    main()
