"""What the tests of the gateway read out of the requests that the server got."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.model_server import Request


def sent_text(request: Request) -> str:
    """The contents of all messages of a request, one below the other."""
    return "\n".join(message["content"] for message in request.body["messages"])
