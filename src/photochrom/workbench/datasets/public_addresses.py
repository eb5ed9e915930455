"""Tell public from internal addresses, so that a link cannot lead into the local network."""

import ipaddress
import socket

NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_global(address: str) -> bool:
    """Return whether an IP address is public, including one embedded in IPv6.

    Loopback, private, link-local, shared, reserved and multicast ones are not; what carries an IPv4
    address within IPv6 (mapped, 6to4, NAT64, Teredo) is what it carries.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(each.is_global and not each.is_multicast for each in (parsed, *_carried(parsed)))


def _carried(parsed: Address) -> list[Address]:
    if isinstance(parsed, ipaddress.IPv4Address):
        return []
    found: list[Address | None] = [parsed.ipv4_mapped, parsed.sixtofour]
    found += parsed.teredo or ()
    if parsed in NAT64:
        found.append(ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF))
    return [each for each in found if each is not None]


def addresses_of(host: str) -> list[str]:
    """Resolve a name, or an address in any spelling that the system knows.

    Raise OSError if it is unknown.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # no name at all
        raise OSError(str(error)) from error
    return sorted({str(entry[4][0]) for entry in found})


def is_literal(host: str) -> bool:
    """Return whether a host is an IP address, which needs no lookup."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
