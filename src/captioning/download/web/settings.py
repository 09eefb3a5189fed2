"""Settings of the fetching of images, read from environment variables.

They say how images are fetched, not which ones, so they are not in params.yaml:

- `CAPTIONING_FETCH_PROCESSES`: number of worker processes (default: one for each CPU core);
- `CAPTIONING_FETCH_THREADS`: number of URLs that each process fetches at the same time (32);
- `CAPTIONING_FETCH_TIMEOUT`: time limit for each URL, redirects included, in seconds (30);
- `CAPTIONING_RETRY`: `1` fetches again the URLs that failed in earlier runs;
- `CAPTIONING_PRIVATE_NETWORKS`: private networks that may be fetched from, for example from a
  mirror in an intranet (`10.1.0.0/16,fd00::/8`); all other private addresses are refused.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass

from captioning.cluster.environment import NumberT, number
from captioning.core.errors import InputError
from captioning.download.web.public_addresses import Network


@dataclass(frozen=True)
class Limits:
    """Limits for each URL.

    Attributes:
        seconds: time from the first connection to the last byte, redirects included.
        body_bytes: largest size of a response's body, in bytes.
        private_networks: networks that are permitted although they are not public.
    """

    seconds: float = 30.0
    body_bytes: int = 16 << 20
    private_networks: tuple[Network, ...] = ()


@dataclass(frozen=True)
class FetchSettings:
    """All settings; the module's docstring names the environment variables.

    Attributes:
        processes: number of worker processes.
        threads: number of URLs that each process fetches at the same time.
        retry: whether URLs that failed in earlier runs are fetched again.
        limits: limits for each URL.
    """

    processes: int
    threads: int
    retry: bool
    limits: Limits


def settings_from_environment() -> FetchSettings:
    """Read the environment variables.

    Raises:
        InputError: a variable has an invalid value.
    """
    return FetchSettings(
        processes=_positive("CAPTIONING_FETCH_PROCESSES", os.cpu_count() or 1),
        threads=_positive("CAPTIONING_FETCH_THREADS", 32),
        retry=os.environ.get("CAPTIONING_RETRY", "") not in ("", "0"),
        limits=Limits(
            seconds=_positive("CAPTIONING_FETCH_TIMEOUT", Limits.seconds),
            private_networks=_networks("CAPTIONING_PRIVATE_NETWORKS"),
        ),
    )


def _positive(variable: str, default: NumberT) -> NumberT:
    value = number(variable, default)
    if value <= 0:
        raise InputError(f"{variable} is {value}, but must be greater than 0")
    return value


def _networks(variable: str) -> tuple[Network, ...]:
    parts = [part.strip() for part in os.environ.get(variable, "").split(",")]
    try:
        return tuple(ipaddress.ip_network(part) for part in parts if part)
    except ValueError as error:
        raise InputError(
            f"{variable}: {error}; give networks such as 10.1.0.0/16, separated by commas"
        ) from None
