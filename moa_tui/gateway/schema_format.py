"""Which models a JSON Schema is sent to as a response format, beside the words that ask for the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moa_tui.engine.parameters import is_optional_format
from moa_tui.gateway.destinations import PLAIN_PROTOCOLS
from moa_tui.gateway.thread import load_litellm_stream

if TYPE_CHECKING:
    from moa_tui.gateway.routes import Route


def with_possible_format(parameters: dict[str, Any], route: Route, provider: str | None) -> dict[str, Any]:
    """The parameters, without a response format that only helps where the model cannot be held to it.

    Each provider has a parameter of its own for it, which litellm knows. It is not asked of a provider for
    which it might sign in to find the answer.
    """
    wanted = parameters.get("response_format")
    if not is_optional_format("response_format", wanted):
        return parameters
    is_plain = route.is_endpoint or provider in PLAIN_PROTOCOLS
    if is_plain and load_litellm_stream().holds_to_schema(route.model, route.api_base, wanted):
        return parameters
    return {name: value for name, value in parameters.items() if name != "response_format"}
