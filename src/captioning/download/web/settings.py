"""How pictures are fetched, from the environment: what says nothing about which ones are wanted.

`CAPTIONING_FETCH_PROCESSES` (default: one a core), `CAPTIONING_FETCH_THREADS` in each of them (32),
`CAPTIONING_FETCH_TIMEOUT` in seconds for all of one URL (30), `CAPTIONING_RETRY=1` to try those
again that failed before, `CAPTIONING_PRIVATE_NETWORKS` for mirrors in an intranet
(`10.1.0.0/16,fd00::/8`: addresses that are not refused although they are private).
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass

from captioning.core.errors import InputError
from captioning.download.web.addresses import Network
from captioning.runtime.environment import NumberT, number


@dataclass(frozen=True)
class Limits:
    """What one URL may cost and where it may lead.

    Attributes:
        seconds: from the first connection to the last byte, redirects included.
        body_bytes: of an answer.
        private_networks: addresses that are fetched from although they are not public.
    """

    seconds: float = 30.0
    body_bytes: int = 16 << 20
    private_networks: tuple[Network, ...] = ()


@dataclass(frozen=True)
class FetchSettings:
    """See the module's description of the environment."""

    processes: int
    threads: int
    retry: bool
    limits: Limits


def settings_from_environment() -> FetchSettings:
    """Read the environment.

    Raises:
        InputError: a variable has an impossible value.
    """
    return FetchSettings(
        processes=_above_zero("CAPTIONING_FETCH_PROCESSES", os.cpu_count() or 1),
        threads=_above_zero("CAPTIONING_FETCH_THREADS", 32),
        retry=os.environ.get("CAPTIONING_RETRY", "") not in ("", "0"),
        limits=Limits(
            seconds=_above_zero("CAPTIONING_FETCH_TIMEOUT", Limits.seconds),
            private_networks=_networks("CAPTIONING_PRIVATE_NETWORKS"),
        ),
    )


def _above_zero(variable: str, default: NumberT) -> NumberT:
    value = number(variable, default)
    if value <= 0:
        raise InputError(f"{variable} is {value}: it must be above 0")
    return value


def _networks(name: str) -> tuple[Network, ...]:
    parts = [part.strip() for part in os.environ.get(name, "").split(",")]
    try:
        return tuple(ipaddress.ip_network(part) for part in parts if part)
    except ValueError as error:
        raise InputError(
            f"{name}: {error}; it takes networks such as 10.1.0.0/16, separated by commas"
        ) from None
