"""What the whole of Conceptual Captions costs: `python -m benchmarks.conceptual_captions`.

Bytes, hours and machines follow from rates; every rate is an option, its default is what the README
says was measured or assumed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields

from captioning.experiments.tables import Table

_HOUR = 3600


@dataclass(frozen=True)
class Rates:
    """What the costs are computed from.

    Args:
        urls: in the list of the train and validation splits.
        alive: share of the URLs that still give an image.
        source_bytes: of an image as its site sends it.
        raw_bytes: of an image in the raw table.
        feature_bytes: of an image's features and tokens.
        download_rate: URLs a second that one machine fetches.
        raw_seconds: of one core to check an image and write it to the raw table.
        extraction_rate: images a second of one core without a cluster.
        cluster_share: of that rate that is left on a cluster.
        start_seconds: until a cluster is at work.
        link: bytes a second between one machine and the object store.
        cores: of one machine.
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
        """Images that arrive."""
        return self.urls * self.alive


def costs(rates: Rates, machines: int) -> dict[str, tuple[float, float]]:
    """Bytes and hours of every step, on that many machines.

    Machines fetch and extract side by side; the raw table is checked and written, and files go to
    and from the store, by the machine that runs the pipeline.
    """
    raw, features = rates.images * rates.raw_bytes, rates.images * rates.feature_bytes
    extraction = rates.images / (rates.extraction_rate * rates.cores * machines)
    if machines > 1:
        extraction = extraction / rates.cluster_share + rates.start_seconds
    copies = (raw, features) if machines > 1 else (0.0, 0.0)
    seconds = {
        "fetch the pictures": (
            rates.images * rates.source_bytes,
            rates.urls / (rates.download_rate * machines),
        ),
        "check them, write data/raw": (raw, rates.images * rates.raw_seconds),
        "data/raw to the store": (copies[0], copies[0] / rates.link),
        "extract, write data/features": (features, extraction),
        "the features from the store": (copies[1], copies[1] / rates.link),
    }
    return {step: (size, spent / _HOUR) for step, (size, spent) in seconds.items()}


def table(rates: Rates, clusters: Sequence[int]) -> Table:
    """Steps by clusters of so many machines: gigabytes, then hours; at the end machine hours."""
    columns = [costs(rates, machines) for machines in clusters]
    rows = []
    for step in columns[0]:
        size = max(column[step][0] for column in columns)
        rows.append([step, f"{size / 1e9:,.0f} GB", *(_hours(c[step][1]) for c in columns)])
    totals = [sum(hours for _, hours in column.values()) for column in columns]
    rows.append(["in all", "", *map(_hours, totals)])
    working = ("fetch the pictures", "extract, write data/features")
    machine_hours = [
        total + (machines - 1) * sum(column[step][1] for step in working)
        for total, machines, column in zip(totals, clusters, columns, strict=True)
    ]
    rows.append(["machine hours", "", *map(_hours, machine_hours)])
    names = [f"{machines} machine{'s'[: machines > 1]}" for machines in clusters]
    title = f"{rates.images / 1e6:.2f} million images, {rates.cores:g} cores a machine, hours"
    return Table(title, ["", "bytes", *names], rows)


def _hours(hours: float) -> str:
    return f"{hours:.2f}" if hours else ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.conceptual_captions", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--machines", type=int, nargs="+", default=[1, 8, 32])
    for field in fields(Rates):
        option = f"--{field.name.replace('_', '-')}"
        parser.add_argument(option, type=float, default=field.default, help="(%(default)g)")
    options = vars(parser.parse_args(arguments))
    clusters = options.pop("machines")
    print(table(Rates(**options), clusters).markdown())


if __name__ == "__main__":
    main()
