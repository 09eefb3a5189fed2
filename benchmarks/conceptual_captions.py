"""Compute what all of Conceptual Captions would cost.

`python -m benchmarks.conceptual_captions` computes bytes and hours from rates. Every rate is an
option; the defaults are the measured or assumed rates of docs/cluster.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields

from tabulate import tabulate

_HOUR = 3600


@dataclass(frozen=True)
class Rates:
    """Rates and sizes from which the costs are computed.

    Args:
        urls: number of URLs in the indexes of the train and validation splits.
        alive: share of the URLs that still return an image.
        source_bytes: bytes of an image as its site sends it.
        raw_bytes: bytes of an image in the raw table.
        feature_bytes: bytes of the features and tokens of an image.
        download_rate: URLs per second that one machine fetches.
        raw_seconds: seconds in which one core checks an image and writes it to the raw table.
        extraction_rate: images per second of one core without a cluster.
        cluster_share: share of that rate that each core of a cluster reaches.
        start_seconds: seconds that a cluster needs to start.
        link: bytes per second between one machine and the object store.
        cores: number of cores of one machine.
    """

    urls: float = 3.33e6
    alive: float = 2 / 3
    source_bytes: float = 90e3
    raw_bytes: float = 29e3
    feature_bytes: float = 125.7e3
    download_rate: float = 830
    raw_seconds: float = 0.001
    extraction_rate: float = 59
    cluster_share: float = 0.92
    start_seconds: float = 16
    link: float = 500e6
    cores: float = 16

    @property
    def images(self) -> float:
        """Number of images that are fetched."""
        return self.urls * self.alive


def costs(rates: Rates, machines: int) -> dict[str, tuple[float, float]]:
    """Bytes and hours of every step, on this number of machines.

    All machines fetch and extract. The one that runs the pipeline checks and writes the raw table,
    and copies files to and from the object store.
    """
    raw, features = rates.images * rates.raw_bytes, rates.images * rates.feature_bytes
    extraction = rates.images / (rates.extraction_rate * rates.cores * machines)
    if machines > 1:
        extraction = extraction / rates.cluster_share + rates.start_seconds
    copies = (raw, features) if machines > 1 else (0.0, 0.0)
    seconds = {
        "fetch the images": (
            rates.images * rates.source_bytes,
            rates.urls / (rates.download_rate * machines),
        ),
        "check them, write data/raw": (raw, rates.images * rates.raw_seconds),
        "copy data/raw to the store": (copies[0], copies[0] / rates.link),
        "extract, write data/features": (features, extraction),
        "copy data/features from the store": (copies[1], copies[1] / rates.link),
    }
    return {step: (size, spent / _HOUR) for step, (size, spent) in seconds.items()}


def table(rates: Rates, clusters: Sequence[int]) -> str:
    """A Markdown table: gigabytes and, for each number of machines, hours of every step."""
    columns = [costs(rates, machines) for machines in clusters]
    rows = []
    for step in columns[0]:
        size = max(column[step][0] for column in columns)
        rows.append([step, f"{size / 1e9:,.0f} GB", *(_hours(c[step][1]) for c in columns)])
    totals = [sum(hours for _, hours in column.values()) for column in columns]
    rows.append(["total", "", *map(_hours, totals)])
    working = ("fetch the images", "extract, write data/features")
    machine_hours = [
        total + (machines - 1) * sum(column[step][1] for step in working)
        for total, machines, column in zip(totals, clusters, columns, strict=True)
    ]
    rows.append(["machine hours", "", *map(_hours, machine_hours)])
    names = [f"{machines} machine{'s'[: machines > 1]}" for machines in clusters]
    title = f"{rates.images / 1e6:.2f} million images, {rates.cores:g} cores per machine, hours"
    body = tabulate(rows, ["", "bytes", *names], tablefmt="github", disable_numparse=True)
    return f"### {title}\n\n{body}"


def _hours(hours: float) -> str:
    return f"{hours:.2f}" if hours else ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.conceptual_captions", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--machines",
        type=int,
        nargs="+",
        default=[1, 8, 32],
        help="numbers of machines (default: 1 8 32)",
    )
    for field in fields(Rates):
        option = f"--{field.name.replace('_', '-')}"
        parser.add_argument(
            option,
            type=float,
            default=field.default,
            help="see the class Rates (default: %(default)g)",
        )
    options = vars(parser.parse_args(arguments))
    clusters = options.pop("machines")
    print(table(Rates(**options), clusters))


if __name__ == "__main__":
    main()
