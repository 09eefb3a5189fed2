"""The parts of the benchmark: each runs its sides in turns and returns rows of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks import captioning, decoding, extraction, reading, serving, training
from benchmarks.alternate import Factory, Measured, alternate
from benchmarks.data import BenchData
from benchmarks.machine import Ceilings
from benchmarks.report import Row, compare

EPOCHS = 3


@dataclass
class Bench:
    """One run of the benchmark.

    Args:
        data: outputs of the pipeline.
        runs: number of runs of each side.
        generated: number of images that `simple_gen` captions in a run.
        decoder_steps: number of train steps of the decoder that all sides of decoding use.
        extracted: number of images extracted in a run, a multiple of 32.
        split_images: number of test images that this project's decoders caption; None means all.
        input_steps: number of train steps in a run of the part `input`.
        served: number of images in a run of the part `serving`.
        clients: number of clients that send them.
        captioned: number of picture files captioned in a run.

    Attributes:
        ceilings: limits of the machine, see `machine.Ceilings`.
        details: results of every part and side.
    """

    data: BenchData
    runs: int = 3
    generated: int = 8
    decoder_steps: int = 600
    extracted: int = 256
    split_images: int | None = None
    input_steps: int = 20
    served: int = 256
    clients: int = 32
    captioned: int = 512
    ceilings: dict[str, float] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def sides(self, part: str, sides: Mapping[str, Factory], runs: int) -> dict[str, Measured]:
        """Run the sides of a part in turns and keep all their results."""
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
        """Measure the limits of the machine."""
        self.ceilings |= self.sides("machine", {"machine": (Ceilings, {})}, 1)["machine"].facts

    def ceiling(self, precision: str = "float32") -> tuple[str, float]:
        """Name and value of the limit for matrix products."""
        return f"{precision} products", self.ceilings[f"matmul_{precision}"]

    def training(self) -> list[Row]:
        """Captions per second in both precisions, and the size of the cache."""
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
                    note=f"validation loss after each epoch {losses}, the tutorial's {theirs}",
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
        """Greedy decoding compared with `simple_gen`; beam search compared with greedy decoding."""
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
        generated = found["simple_gen"].facts["captions"]
        found["simple_gen"] = decoding.scaled_to_all_captions(
            found["simple_gen"], generated, captions
        )
        return [
            self._greedy(found, "float32", generated),
            self._greedy(found, "bfloat16", captions),
            compare(
                "decoding, beam search of width 3 compared with greedy, float32",
                "images/s",
                found["greedy, float32"],
                found["beam, float32"],
                0.4,
            ),
        ]

    def _greedy(self, found: dict[str, Measured], precision: str, expected: list[list[int]]) -> Row:
        """Greedy decoding compared with `simple_gen`; its captions with the `expected` ones."""
        ours = found[f"greedy, {precision}"]
        pairs = list(zip(expected, ours.facts["captions"], strict=False))
        same = sum(first == second for first, second in pairs)
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
        """Extraction of feature maps from encoded images."""
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

    def captioning(self) -> list[Row]:
        """Captioning of picture files compared with extraction of their features alone."""
        arguments = {"data": self.data, "images": self.captioned}
        sides: dict[str, Factory] = {"extraction": (captioning.Extraction, arguments)}
        for decoder in ("greedy", "beam"):
            sides[decoder] = (captioning.Captioning, {**arguments, "decoder": decoder})
        found = self.sides("captioning", sides, self.runs)
        return [
            compare(
                f"captioning of files, {decoder}, compared with extraction alone",
                "images/s",
                found["extraction"],
                found[decoder],
                0.85,
                note=f"{found[decoder].facts['words']:.1f} words in a caption on average",
            )
            for decoder in ("greedy", "beam")
        ]

    def reading(self) -> list[Row]:
        """A shuffled epoch compared with reading the same files from start to end."""
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
        """Train steps on real input compared with steps on batches in memory."""
        arguments = {"data": self.data, "precision": "float32", "steps": self.input_steps}
        sides: dict[str, Factory] = {
            "repeated": (training.TrainSteps, {**arguments, "repeated": True}),
            "real": (training.TrainSteps, {**arguments, "repeated": False}),
        }
        found = self.sides("input", sides, self.runs)
        return [
            compare(
                "train steps, real input compared with batches in memory",
                "steps/s",
                found["repeated"],
                found["real"],
            )
        ]

    def serving(self) -> list[Row]:
        """The server compared with the captioner: many clients, and one."""
        data = {"data": self.data}
        few = max(self.served // 8, 1)
        sides: dict[str, Factory] = {
            "one batch": (serving.Offline, {**data, "images": self.served, "together": 4096}),
            "many clients": (
                serving.Served,
                {**data, "images": self.served, "clients": self.clients},
            ),
            "one by one": (serving.Offline, {**data, "images": few, "together": 1}),
            "one client": (serving.Served, {**data, "images": few, "clients": 1}),
        }
        found = self.sides("serving", sides, self.runs)
        return [
            self._served(found, "one batch", "many clients", f"{self.clients} clients", 0.8),
            self._served(found, "one by one", "one client", "one client", 1 / 1.3),
        ]

    def _served(
        self, found: dict[str, Measured], reference: str, side: str, who: str, target: float
    ) -> Row:
        """The server compared with the captioner itself."""
        theirs, ours = found[reference], found[side]
        pairs = zip(theirs.facts["captions"], ours.facts["captions"], strict=True)
        same = sum(first == second for first, second in pairs)
        seconds = ", ".join(
            f"{name} {1000 * value:.0f}" for name, value in ours.facts["seconds"].items()
        )
        return compare(
            f"serving {who} compared with captioning {reference}",
            "images/s",
            theirs,
            ours,
            target,
            note=f"{same} of {len(ours.facts['captions'])} captions are the same; "
            f"milliseconds for a request: {seconds}",
        )


PARTS: dict[str, Callable[[Bench], list[Row]]] = {
    "training": Bench.training,
    "decoding": Bench.decoding,
    "extraction": Bench.extraction,
    "captioning": Bench.captioning,
    "reading": Bench.reading,
    "input": Bench.input_ahead,
    "serving": Bench.serving,
}
