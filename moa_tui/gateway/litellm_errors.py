"""What goes wrong in litellm, or in a client below it, as a ModelError.

Only what the transport has not seen comes here: a refusal by litellm itself, a lost connection, and replies
in the protocols that litellm reads.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from moa_tui.errors import ModelError
from moa_tui.gateway.connection_faults import connection_fault
from moa_tui.gateway.error_reply import failure_kind, said
from moa_tui.gateway.waits import retry_after

if TYPE_CHECKING:
    from moa_tui.errors import FailureKind

# Characters of an error's text that are read.
_LONGEST_MESSAGE = 10_000


def translate(error: Exception, model: str, api_base: str | None = None) -> ModelError:
    """The ModelError for what litellm or a client below it raised."""
    # An error in the middle of a stream comes wrapped, with a status that litellm made up.
    inner = getattr(error, "original_exception", None)
    is_midstream = inner is not None
    root = inner if isinstance(inner, Exception) else error
    message = _provider_message(root)
    status = getattr(root, "status_code", None)
    status = status if isinstance(status, int) and 100 <= status <= 599 else None
    causes = _causes(error)
    if (fault := connection_fault(causes, api_base)) is not None:
        return fault
    if package := next((cause.name for cause in causes if isinstance(cause, ModuleNotFoundError)), None):
        package = package.partition(".")[0]
        return ModelError(
            "bad_request",
            f"{model}: litellm reaches it only with the Python package {package}, which is not installed; "
            f"install it where moa-tui is (pip install {package}), or ask another model",
        )
    if any(isinstance(cause, json.JSONDecodeError | UnicodeDecodeError) for cause in causes):
        return ModelError("malformed", f"the server sent what is no valid reply: {message}")
    if isinstance(root, AttributeError | LookupError | TypeError):
        return ModelError("malformed", f"{model}: litellm cannot read what the server sent")
    if is_midstream:
        return ModelError("server", f"the server reported an error in the middle of its reply: {message}")
    if "LLM Provider NOT provided" in message or "Unmapped LLM provider" in message:
        return ModelError(
            "not_found",
            f"{model}: no such provider. Write provider/model with a provider that litellm knows, or define "
            f"the first part as an endpoint in the config: [endpoints.{model.partition('/')[0]}]",
        )
    if status is None:
        return ModelError("malformed", f"the server's reply could not be read ({message})")
    return ModelError(_kind(root, status, message), message, status, _retry_after(root))


def _kind(root: Exception, status: int, message: str) -> FailureKind:
    """The kind of failure that litellm's exception stands for."""
    if type(root).__name__ == "ContextWindowExceededError":
        return "context"
    if type(root).__name__ == "ContentPolicyViolationError":
        return "filtered"
    return failure_kind(status, message)


def _causes(error: BaseException) -> list[BaseException]:
    """The error and all that led to it, by whatever attribute that is linked."""
    causes: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop()
        if cause is not None and cause not in causes:
            causes.append(cause)
            inner = getattr(cause, "original_exception", None)
            waiting += [cause.__cause__, cause.__context__]
            waiting.append(inner if isinstance(inner, BaseException) else None)
    return causes


def _provider_message(root: Exception) -> str:
    """The provider's own message, without what litellm puts around it, JSON and HTML tags."""
    return said(str(getattr(root, "message", None) or root)[:_LONGEST_MESSAGE]) or "no word why"


def _retry_after(root: Exception) -> float | None:
    """The seconds that the server asks to wait; None for none."""
    headers = getattr(root, "litellm_response_headers", None)
    if headers is None:
        headers = getattr(getattr(root, "response", None), "headers", None)
    return retry_after(headers) if headers else None
