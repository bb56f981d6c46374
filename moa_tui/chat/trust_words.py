"""The question whether prompts may go to servers that the person has not set up, in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias

from moa_tui.text.safe import quoted_name, spelled_out

if TYPE_CHECKING:
    from collections.abc import Sequence

TrustAnswer: TypeAlias = Literal["once", "always", "never"]

_LONGEST_PATH = 24  # characters
_ADDRESS = re.compile(r"(https?://)([^/?#]*)(.*)", re.DOTALL)


def question(places: Sequence[tuple[str, str | None]]) -> str:
    """The question in a line, with how many servers and keys it is about."""
    servers = len({server for server, _ in places})
    keys = len({key for _, key in places if key is not None})
    counted = f"{servers} server{'' if servers == 1 else 's'}"
    with_keys = f"with {keys} of your keys" if keys else "without a key"
    return f"Send to {counted} not set up, {with_keys}?"


def who_sends(recipe: str) -> str:
    """The line below the question: which recipe would send what."""
    return f"Recipe {quoted_name(recipe)} would send your prompts there, with all that was said before:"


def server_line(number: int, server: str, key: str | None, arrow: str = "→") -> str:
    """A server with its key: numbered, so that none can look like two."""
    return f"{number}. {spelled_out(key or 'no key')} {arrow} {short_server(server)}"


def short_server(server: str) -> str:
    """An address with its host whole, the middle of a long path left out, and without a password.

    What is no address, and may be anybody's text, stands between quotes.
    """
    parts = _ADDRESS.fullmatch(server)
    if parts is None:
        words = spelled_out(" ".join(server.split()))
        return words if words.replace("-", "").replace("_", "").isalnum() else f'"{words}"'
    scheme, netloc, path = parts.groups()
    if len(path) > _LONGEST_PATH:
        path = f"{path[: _LONGEST_PATH // 2]}…{path[-_LONGEST_PATH // 2 + 1 :]}"
    return spelled_out(f"{scheme}{netloc.rpartition('@')[2]}{path}")
