"""What is measured: each part runs its sides in turns and makes its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks import decoding, extraction, reading, training
from benchmarks.alternate import Factory, Measured, alternate
from benchmarks.data import BenchData
from benchmarks.machine import Ceilings
from benchmarks.report import Row, compare

EPOCHS = 3


@dataclass
class Bench:
    """One run of the benchmark.

    Args:
        data: what it works on.
        runs: of every side.
        generated: images that `simple_gen` captions in a run.
        decoder_steps: training steps of the decoder that captions are compared with.
        extracted: images extracted in a run, a multiple of 32.
        split_images: test images that our decoders caption; None means all.
        input_steps: steps in a run of the comparison with a repeated batch.
    """

    data: BenchData
    runs: int = 3
    generated: int = 8
    decoder_steps: int = 600
    extracted: int = 256
    split_images: int | None = None
    input_steps: int = 20
    ceilings: dict[str, float] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def sides(self, part: str, sides: Mapping[str, Factory], runs: int) -> dict[str, Measured]:
        """Run a part's sides in turns and keep all that they tell."""
        measured = alternate(sides, runs)
        self.details[part] = {
            name: {
                "rates": side.rates,
                "processor_rates": side.processor_rates,
                "peak_bytes": side.peak_bytes,
                **side.facts,
            }
            for name, side in measured.items()
        }
        return measured

    def measure_machine(self) -> None:
        """Fill `ceilings`."""
        self.ceilings |= self.sides("machine", {"machine": (Ceilings, {})}, 1)["machine"].facts

    def ceiling(self, precision: str = "float32") -> tuple[str, float]:
        """Of matrix products."""
        return f"{precision} products", self.ceilings[f"matmul_{precision}"]

    def training(self) -> list[Row]:
        """Captions a second, in both precisions; the cache's size."""
        data = {"data": self.data}
        ours = {**data, "epochs": EPOCHS}
        sides: dict[str, Factory] = {
            "tutorial": (training.TutorialTraining, data),
            "float32": (training.OurTraining, {**ours, "precision": "float32"}),
            "bfloat16": (training.OurTraining, {**ours, "precision": "bfloat16"}),
            "tutorial's decoder": (
                training.OurTraining,
                {**ours, "precision": "float32", "as_tutorial": True},
            ),
        }
        found = self.sides("training", sides, EPOCHS * training.RUNS_PER_EPOCH)
        reference = found.pop("tutorial")
        theirs = reference.facts["losses"]
        rows = []
        for name, side in found.items():
            losses = side.facts["losses"]
            rows.append(
                compare(
                    f"training, {name}",
                    "captions/s",
                    reference,
                    side,
                    target=4.0 if name == "bfloat16" else None,
                    work=side.facts["flops_per_caption"],
                    ceiling=self.ceiling("bfloat16" if name == "bfloat16" else "float32"),
                    note=f"validation loss by epoch {losses}, the tutorial's {theirs}",
                )
            )
        cache = reference.facts["cache_bytes_per_image"]
        records = self.data.features(), self.data.tokens()
        stored = sum(s["bytes"] for r in records for s in r.splits["train"])
        each = stored / records[0].count("train")
        return [
            *rows,
            Row("cache of features and tokens", "bytes/image", cache, each, cache / each, 9),
        ]

    def decoding(self) -> list[Row]:
        """Greedy against `simple_gen`; beam search against greedy."""
        data = {"data": self.data}
        self.sides("decoder", {"train": (decoding.Train, {**data, "steps": self.decoder_steps})}, 1)
        ours = {**data, "images": self.split_images}
        sides: dict[str, Factory] = {
            "simple_gen": (decoding.SimpleGen, {**data, "images": self.generated}),
        }
        for kind, precision in (("greedy", "float32"), ("greedy", "bfloat16"), ("beam", "float32")):
            arguments = {**ours, "decoder": kind, "precision": precision}
            sides[f"{kind}, {precision}"] = (decoding.Ours, arguments)
        found = self.sides("decoding", sides, self.runs)
        captions = found["greedy, float32"].facts["captions"]
        said = found["simple_gen"].facts["captions"]
        found["simple_gen"] = decoding.of_all_images(found["simple_gen"], said, captions)
        return [
            self._greedy(found, "float32", said),
            self._greedy(found, "bfloat16", captions),
            compare(
                "decoding, beam of 3 against greedy, float32",
                "images/s",
                found["greedy, float32"],
                found["beam, float32"],
                0.4,
            ),
        ]

    def _greedy(self, found: dict[str, Measured], precision: str, wanted: list[list[int]]) -> Row:
        """Greedy decoding against the reference; its captions against those `wanted`."""
        ours = found[f"greedy, {precision}"]
        pairs = list(zip(wanted, ours.facts["captions"], strict=False))
        same = sum(said == captions for said, captions in pairs)
        return compare(
            f"decoding, greedy, {precision}",
            "images/s",
            found["simple_gen"],
            ours,
            200,
            ours.facts["flops_per_image"],
            self.ceiling(precision),
            note=f"{same} of {len(pairs)} captions are the same, token by token",
        )

    def extraction(self) -> list[Row]:
        """From encoded images to feature maps."""
        arguments = {"data": self.data, "images": self.extracted}
        sides: dict[str, Factory] = {
            "tutorial": (extraction.Tutorial, arguments),
            "ours": (extraction.Ours, arguments),
        }
        found = self.sides("extraction", sides, self.runs)
        ours = found["ours"]
        work = ours.facts["flops_per_image"]
        return [
            compare("extraction", "images/s", found["tutorial"], ours, 1.8, work, self.ceiling())
        ]

    def reading(self) -> list[Row]:
        """A shuffled epoch against reading the same files."""
        sides: dict[str, Factory] = {
            "sequential": (reading.Sequential, {"data": self.data}),
            "batches": (reading.Batches, {"data": self.data}),
        }
        found = self.sides("reading", sides, self.runs)
        return [
            compare(
                "reading a shuffled epoch from disk",
                "bytes/s",
                found["sequential"],
                found["batches"],
                0.5,
            )
        ]

    def input_ahead(self) -> list[Row]:
        """Train steps on real input against steps on a repeated batch."""
        arguments = {"data": self.data, "precision": "float32", "steps": self.input_steps}
        sides: dict[str, Factory] = {
            "repeated": (training.InputAhead, {**arguments, "repeated": True}),
            "real": (training.InputAhead, {**arguments, "repeated": False}),
        }
        found = self.sides("input", sides, self.runs)
        return [
            compare(
                "train steps, real input against batches in memory",
                "steps/s",
                found["repeated"],
                found["real"],
            )
        ]


PARTS: dict[str, Callable[[Bench], list[Row]]] = {
    "training": Bench.training,
    "decoding": Bench.decoding,
    "extraction": Bench.extraction,
    "reading": Bench.reading,
    "input": Bench.input_ahead,
}
