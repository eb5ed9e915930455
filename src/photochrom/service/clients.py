"""Identify clients, by API key or address, so that capacity is shared among them."""

import ipaddress
from collections.abc import Collection, Iterable
from contextvars import ContextVar
from hmac import compare_digest

from starlette.datastructures import Headers
from starlette.types import Scope

from photochrom.errors import InvalidValueError

FORWARDED = "X-Forwarded-For"
OWN_NETWORK_BITS = 64  # IPv6 prefix of one customer, who can change addresses within it

# The client of the current request.
CLIENT: ContextVar[str] = ContextVar("photochrom_client", default="")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parsed(address: str) -> Address | None:
    """Return an IP address; None for another text."""
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def client_of_address(address: str) -> str:
    """Return the client name for an address; IPv6 addresses count by their /64 network."""
    found = parsed(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, OWN_NETWORK_BITS), strict=False))
    return address if found is None else str(found)


class Clients:
    """Identify the client of a request.

    Parameters
    ----------
    proxies : iterable of str
        Addresses or networks of trusted proxies.
    header : str
        Header in which proxies give the client's address.

    Raises
    ------
    InvalidValueError
        If a proxy is not an address or network.
    """

    def __init__(self, proxies: Iterable[str] = (), header: str = FORWARDED) -> None:
        self._proxies = tuple(map(_network, proxies))
        self._header = header

    def name(self, scope: Scope) -> str:
        """Return the client name of a request, from its address.

        The header is ignored unless a trusted proxy sent it. Of several addresses in it, the last
        one that is not a trusted proxy counts: earlier ones can be forged.
        """
        address = (scope.get("client") or ("", 0))[0]
        if not self.is_proxy(address):
            return client_of_address(address)
        said = ",".join(Headers(scope=scope).getlist(self._header))
        for part in reversed(said.split(",")):
            named = _bare(part)
            if parsed(named) is None:
                break
            if not self.is_proxy(named):
                return client_of_address(named)
        return client_of_address(address)

    def is_proxy(self, address: str) -> bool:
        """Return whether an address belongs to a trusted proxy."""
        found = parsed(address)
        return found is not None and any(found in network for network in self._proxies)


def matching_key(keys: Collection[str], sent: bytes) -> int | None:
    """Return the index of the key that was sent; all keys are compared, in constant time."""
    found = [number for number, key in enumerate(keys) if compare_digest(sent, key.encode())]
    return found[0] if found else None


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidValueError(
            f"--proxy needs an address or a network, such as 10.0.0.2 or 10.0.0.0/24; got '{text}'."
        ) from error


def _bare(part: str) -> str:
    """Return an address without white space, brackets and port."""
    text = part.strip().strip('"')
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
