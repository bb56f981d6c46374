"""What a failed connection comes to: to which server or proxy it went, what happened, and what to do next.

The exceptions are those of the operating system, of ssl, httpx and aiohttp, in whatever litellm wraps them.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from moa_tui.errors import ModelError
from moa_tui.gateway.destinations import means_this_machine, shown_address
from moa_tui.gateway.tls import tls_fault

if TYPE_CHECKING:
    from collections.abc import Iterable

# The names of what httpx and aiohttp raise for a connection that was lost, or never made.
_LOST_CONNECTIONS = {
    "ReadError",
    "RemoteProtocolError",
    "ConnectError",
    "WriteError",
    "ConnectTimeout",
    "ClientPayloadError",
    "ProxyError",
}
# What a server of TLS sends to a client that speaks plain http: the beginning of an alert, as in a repr.
_TLS_ALERT = re.compile(r"\\x15\\x03[\s\\]")


@dataclass(frozen=True, slots=True)
class Proxy:
    """The proxy of a call: its address without user name and password, and the variable that names it.

    `variable` is None where the operating system's settings name the proxy.
    """

    address: str
    variable: str | None

    def __str__(self) -> str:
        named = f", which {self.variable} names" if self.variable else ""
        return f"the proxy {self.address}{named}"

    @property
    def way_out(self) -> str:
        """What a user can do about it."""
        where = f"{self.variable} or NO_PROXY" if self.variable else "the system's settings of proxies"
        return f"correct {where}"


def proxy_of(address: str) -> Proxy | None:
    """The proxy that a call to `address` goes through; None for none, as for this machine.

    It is looked up as litellm's transport does.
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return None
    if not host or means_this_machine(host) or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    value = proxies.get(parts.scheme) or proxies.get("all")
    if not value:
        return None
    names = (f"{parts.scheme}_proxy", "all_proxy")
    variable = next(
        (name for name, text in os.environ.items() if name.lower() in names and text == value), None
    )
    scheme = value.partition("://")[0] if "://" in value else "http"
    # A password may hold any character, also those that end a host's name.
    place = value.rpartition("@")[2] if "@" in value else value.rpartition("://")[2]
    host_and_port = re.match(r"[\w.:\[\]-]*", place)
    return Proxy(f"{scheme}://{host_and_port[0] if host_and_port else ''}"[:200], variable)


def connection_fault(causes: Iterable[BaseException], address: str | None) -> ModelError | None:
    """The ModelError for a connection that was refused, lost or not safe; None for other errors.

    `causes` are the error and all that led to it; `address` is of the server that was asked, where known.
    """
    causes = list(causes)
    names = {type(cause).__name__ for cause in causes}
    server = shown_address(address) if address else "the server"
    proxy = proxy_of(address) if address else None
    for cause in causes:
        # aiohttp's own errors are ssl's as well, without what those hold.
        if isinstance(cause, ssl.SSLError) and type(cause).__module__ == "ssl":
            fault = tls_fault(cause, server, os.environ)
            return through(fault, proxy) if proxy is not None else fault
    if proxy is not None and (its_own := _proxy_fault(causes, names, server, proxy)) is not None:
        return its_own
    where = f" at {server}" if address else ""
    if _is_host_unknown(causes):
        return ModelError("connection", f"host not found{where}; is the address right, is there a network?")
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return ModelError("connection", f"connection refused{where}; is the server running?")
    texts = [str(cause)[:1_000] for cause in causes]
    if any("SSL handshake" in text for text in texts):
        plain = server.replace("https://", "http://", 1)
        said = f"{server} does not answer in TLS: is it a plain http server? Write {plain}"
        return ModelError("tls", said)
    if server.startswith("http://") and any(map(_TLS_ALERT.search, texts)):
        return ModelError("tls", f"{server} answers in TLS alone: write https:// in its address")
    if names & _LOST_CONNECTIONS or any(isinstance(cause, ConnectionError) for cause in causes):
        hint = ""
        if "ServerDisconnectedError" in names and server.startswith("http://"):
            hint = " before it answered; if the server expects TLS, write https:// in its address"
        return ModelError("connection", f"the connection was lost{where}{hint}")
    if "HttpProcessingError" in names:
        said = f"what answers{where} does not speak HTTP as a model server does; are host and port right?"
        return ModelError("malformed", said)
    return None


def _proxy_fault(
    causes: list[BaseException], names: set[str], server: str, proxy: Proxy
) -> ModelError | None:
    """The ModelError for what a proxy did or did not; None where that is not known to be the proxy's doing.

    With a proxy, nothing but the proxy itself is connected to.
    """
    for cause in causes:
        if type(cause).__name__ == "ClientHttpProxyError":
            status = getattr(cause, "status", 0)
            if status == 407:
                return _wants_password(proxy)
            said = f"{proxy}, did not open a connection to {server}: HTTP status {status}; {proxy.way_out}"
            return ModelError("connection" if status >= 500 else "forbidden", said)
    if not proxy.address.startswith(("http://", "https://")):
        return ModelError("connection", f"{proxy}, is of a kind that cannot be used; {proxy.way_out}")
    if _is_host_unknown(causes):
        return ModelError("connection", f"the host of {proxy}, was not found; {proxy.way_out}")
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        said = f"{proxy}, refused the connection; is it running? Else {proxy.way_out}"
        return ModelError("connection", said)
    if names & _LOST_CONNECTIONS or any(isinstance(cause, ConnectionError) for cause in causes):
        return ModelError("connection", f"the connection to {server} was lost, through {proxy}")
    return None


def through(failure: ModelError, proxy: Proxy) -> ModelError:
    """The failure of a call that went through `proxy`, which it names."""
    if failure.status_code == 407:
        return _wants_password(proxy)
    was_not_sent = failure.status_code is None and failure.kind in ("forbidden", "not_found", "bad_request")
    if was_not_sent or proxy.address in failure.message:
        return failure
    failure.message = f"{failure.message} (asked through {proxy})"
    return failure


def _wants_password(proxy: Proxy) -> ModelError:
    variable = proxy.variable or "HTTPS_PROXY"
    return ModelError(
        "forbidden",
        f"{proxy}, wants a user name and a password, or other ones; write them into {variable} as "
        "http://USER:PASSWORD@HOST:PORT",
        407,
    )


def _is_host_unknown(causes: Iterable[BaseException]) -> bool:
    return any(isinstance(cause, socket.gaierror) or "DNSError" in type(cause).__name__ for cause in causes)
