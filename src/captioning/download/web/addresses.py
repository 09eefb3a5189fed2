"""Connecting to public addresses alone.

A list of URLs is other people's input: it, a redirect or a name server may lead to this machine,
to its neighbours or to a cloud's metadata service. What is checked is the address that is then
connected to, so that neither an odd notation (`http://2130706433/`) nor a name whose address
changes between check and use gets by.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Addresses of IPv4 written in IPv6 by translators (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class PrivateAddressError(Exception):
    """A host that has no address but private ones."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet at large.

    >>> is_public("8.8.8.8"), is_public("169.254.169.254"), is_public("::ffff:127.0.0.1")
    (True, False, False)
    """
    parsed = _unwrapped(ipaddress.ip_address(address.partition("%")[0]))
    return parsed.is_global and not parsed.is_multicast


def connect(
    host: str, port: int, timeout: float | None, private_networks: Sequence[Network]
) -> socket.socket:
    """Connect to the first address of a host that answers and may be connected to.

    Args:
        host: name or address.
        port: TCP port.
        timeout: seconds for each address; None waits forever.
        private_networks: connected to although they are not public.

    Raises:
        PrivateAddressError: none of its addresses may be connected to.
        OSError: the name has no address, or none answers.
    """
    failure: OSError | None = None
    for *_, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        address = str(place[0])
        if not (is_public(address) or _is_in(address, private_networks)):
            continue
        try:
            return socket.create_connection((address, port), timeout)
        except OSError as error:
            failure = error
    raise failure or PrivateAddressError(f"{host} has a private address")


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return any(parsed in network for network in networks)


def _unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where there is one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
