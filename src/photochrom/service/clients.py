"""Who asks: what the service has is shared out among clients, by key or by address."""

import ipaddress
from collections.abc import Collection, Iterable
from contextvars import ContextVar
from hmac import compare_digest

from starlette.datastructures import Headers
from starlette.types import Scope

from photochrom.errors import InvalidValueError

FORWARDED = "X-Forwarded-For"
OWN_NETWORK_BITS = 64  # of IPv6: what one customer has, and may change addresses in as they like

CLIENT: ContextVar[str] = ContextVar("photochrom_client", default="")  # of the request at work

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_of_address(address: str) -> str:
    """Return the name of the client that has an address: IPv6 by its network of 64 bits."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, OWN_NETWORK_BITS), strict=False))
    return str(parsed)


class Clients:
    """Finds out which client a connection's request comes from.

    Parameters
    ----------
    proxies : iterable of str
        Addresses or networks of proxies that are believed when they name a client.
    header : str
        Where they name it.

    Raises
    ------
    InvalidValueError
        If a proxy is no address.
    """

    def __init__(self, proxies: Iterable[str] = (), header: str = FORWARDED) -> None:
        self._proxies = tuple(map(_network, proxies))
        self._header = header

    def name(self, scope: Scope) -> str:
        """Name the client of a request by its address.

        A header that somebody else than a proxy of ours wrote is passed over; of several addresses
        in it the last one that is no proxy of ours counts: those before it can be invented.
        """
        address = (scope.get("client") or ("", 0))[0]
        if not self.is_proxy(address):
            return client_of_address(address)
        said = ",".join(Headers(scope=scope).getlist(self._header))
        for part in reversed(said.split(",")):
            named = _bare(part)
            if not _is_address(named):
                break
            if not self.is_proxy(named):
                return client_of_address(named)
        return client_of_address(address)

    def is_proxy(self, address: str) -> bool:
        """Return whether an address is a proxy's that is believed."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxies)


def matching_key(keys: Collection[str], sent: bytes) -> int | None:
    """Return the place of the key that was sent; every one is compared, each in constant time."""
    found = [number for number, key in enumerate(keys) if compare_digest(sent, key.encode())]
    return found[0] if found else None


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidValueError(
            f"--proxy needs an address or a network, such as 10.0.0.2 or 10.0.0.0/24; it is "
            f"'{text}'."
        ) from error


def _bare(part: str) -> str:
    """Take white space, brackets and port away."""
    text = part.strip().strip('"')
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
