"""Connect to public IP addresses only.

The URLs of a list come from strangers. A URL, a redirect or a name server may lead to this
machine, to others in its network, or to a cloud's metadata service. The address that is checked is
the one that the connection is then made to. So neither unusual notations
(`http://2130706433/` is 127.0.0.1) nor a host name whose address changes between the check and the
connection can circumvent the check.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# IPv6 prefix in which NAT64 translators embed IPv4 addresses (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class PrivateAddressError(Exception):
    """A host that has only private addresses."""


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet.

    >>> is_public("8.8.8.8"), is_public("169.254.169.254"), is_public("::ffff:127.0.0.1")
    (True, False, False)
    """
    parsed = _embedded_ipv4(ipaddress.ip_address(address.partition("%")[0]))
    return parsed.is_global and not parsed.is_multicast


def connect(
    host: str, port: int, timeout: float | None, private_networks: Sequence[Network]
) -> socket.socket:
    """Connect to the first permitted address of a host that answers.

    Args:
        host: host name or IP address.
        port: TCP port.
        timeout: seconds to wait for each address; None waits without limit.
        private_networks: networks that are permitted although they are not public.

    Raises:
        PrivateAddressError: none of the host's addresses is permitted.
        OSError: the host name has no address, or no permitted address answers.
    """
    failure: OSError | None = None
    for *_, endpoint in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        address = str(endpoint[0])
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


def _embedded_ipv4(address: Address) -> Address:
    """The IPv4 address that an IPv6 address contains, if any; else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
