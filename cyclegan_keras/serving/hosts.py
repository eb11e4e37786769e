"""Tells requests of the server's own page from those that a foreign page makes a browser send.

A page of another site can have the browser send requests to this computer, and its own name can be
made to lead here (DNS rebinding). The headers Host and Origin, which no page can forge, tell.
"""

import ipaddress
import re
from collections.abc import Iterable

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_HOST = re.compile(r"([a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::(\d{1,5}))?", re.ASCII)


def is_loopback(host: str) -> bool:
    """Tells whether only this computer can reach a server that listens there.

    Args:
        host: A name or an address, such as "127.0.0.1".
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def in_address(host: str) -> str:
    """Writes a host as addresses have it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


class Hosts:
    """The names under which a server answers.

    Args:
        host: Where it listens, such as "127.0.0.1", or "0.0.0.0" for all of the computer's
            addresses.
        port: Where it listens.
        more: Further names that lead to it, such as that of a proxy, whatever their port.
    """

    def __init__(self, host: str, port: int, more: Iterable[str] = ()) -> None:
        self._names = {*LOOPBACK_NAMES, in_address(host.lower())}
        self._port = str(port)
        self._more = {name.lower() for name in more}
        # An address cannot be rebound, as a name can.
        self._takes_addresses = not is_loopback(host)

    def is_own(self, host: str) -> bool:
        """Tells whether a request was meant for this server.

        Args:
            host: Its header Host.
        """
        found = _HOST.fullmatch(host.lower())
        if found is None:
            return False
        name, port = found[1], found[2] or "80"
        if name in self._more:
            return True
        is_known = name in self._names or (self._takes_addresses and _is_address(name))
        return is_known and port == self._port

    def is_own_page(self, origin: str, host: str) -> bool:
        """Tells whether a request was sent by this server's own page.

        Args:
            origin: Its header Origin, "null" for a page from disk.
            host: Its header Host, which `is_own`.
        """
        return origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
