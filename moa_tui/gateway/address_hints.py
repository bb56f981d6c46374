"""What to write where a server knows no such address: a base URL ends before the protocol's paths. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

# The ends of addresses that people copy from a provider's examples. Each is a path of the protocol's own.
_OWN_PATHS = re.compile(
    r"(?:/(?:chat/completions|completions|responses|messages|embeddings|models|api/chat|api/generate))+$"
)
_VERSION = re.compile(r"/v\d+(?:alpha|beta)?\d*(?=/|$)")
# With these words a server knows the address, and refuses the model or the way of asking.
_ABOUT_MODELS = re.compile(r"\bmodels?\b(?!s?[/ ]?completions)", re.IGNORECASE)
# What servers say to plain http where they expect TLS: nginx, Go, Apache.
_WANTS_TLS = re.compile(
    r"plain http request was sent to https port|sent an http request to an https server"
    r"|speaking plain http to an ssl-enabled server",
    re.IGNORECASE,
)


def address_hint(address: str, status: int | None, said: str, *, is_ollama: bool = False) -> str | None:
    """What to write in the place of `address`, in a sentence; None where it is not known to be wrong.

    `status` and `said` are the server's answer to a request below it. `is_ollama`: it was asked in Ollama's
    own protocol, whose addresses have no version.
    """
    if status == 400 and _WANTS_TLS.search(said):
        return f"the server expects TLS: write {address.replace('http://', 'https://', 1)}"
    if status not in (404, 405):
        return None
    parts = urlsplit(address)
    path = parts.path.rstrip("/")
    base = _OWN_PATHS.sub("", path)
    versions = _VERSION.findall(base)
    if is_ollama:
        right = _VERSION.sub("", base)
    elif len(versions) > 1:
        # The version was written by hand and copied with the rest.
        right = base[: base.index(versions[0]) + len(versions[0])]
    elif versions or (base == path and _ABOUT_MODELS.search(said)):
        right = base
    else:
        right = f"{base}/v1"
    if right == path:
        return None
    return f"is the address right? Write {urlunsplit((parts.scheme, parts.netloc, right, '', ''))}"
