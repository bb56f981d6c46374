"""One streamed call through litellm, which is kept from printing, downloading and inventing numbers.

This is the only module that imports litellm. The import takes seconds, so `gateway/thread.py` loads this
module when a model is first needed, on a thread that no screen waits for.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import re
import socket
import warnings
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from moa_tui.engine.amounts import dollars, token_count, wait_seconds
from moa_tui.engine.values import Chunk, Finish, Usage
from moa_tui.errors import ModelError
from moa_tui.text.safe import one_line

# Both are read while litellm is imported: its map comes from its own package instead of the network, and a
# .env file in the working directory is not taken for the user's environment.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["LITELLM_MODE"] = "PRODUCTION"

import litellm

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from datetime import datetime

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.values import Message
    from moa_tui.errors import FailureKind

litellm.suppress_debug_info = True
# For a Llama model litellm would download a tokenizer; without a network that froze the loop for 23 s.
litellm.disable_hf_tokenizer_download = True
litellm.telemetry = False
for _name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
    _log = logging.getLogger(_name)
    _log.handlers[:] = [logging.NullHandler()]  # with none at all, Python itself prints warnings
    _log.propagate = False
# pydantic warns of litellm's own types in the middle of a call, which would write over a screen.
warnings.filterwarnings("ignore", message="Item .* on TypedDict class", category=UserWarning)
# It also warns of values of another type than litellm says, which any server may send.
warnings.filterwarnings("ignore", message="Pydantic serializer warnings", category=UserWarning)
# A call cancelled in its first millisecond leaves a coroutine of litellm's own behind.
warnings.filterwarnings("ignore", message="coroutine .* was never awaited", category=RuntimeWarning)

# litellm would load these in the middle of the first answer: half a second each, on the engine's loop.
importlib.import_module("openai.resources")
litellm.token_counter(model="gpt-4", text="")

# The engine's own limits end a call; this is long enough that httpx does not do so before.
_TIMEOUT_SECONDS = 3600.0
# Characters of an error's message; some servers answer with a whole page.
_LONGEST_MESSAGE = 10_000
_LONGEST_REASON = 200


async def stream(
    model: str,
    messages: Sequence[Message],
    agent: Agent,
    *,
    api_base: str | None,
    api_key: str | None,
    priced: bool = False,
) -> AsyncGenerator[Chunk | Finish, None]:
    """Yield the reply of `model` piece by piece, as raw as the server sent it, then a Finish.

    `priced` is true where the model's price is the one that litellm knows; what is served under the same name
    at another address may cost anything.

    Raises ModelError. Closing the generator, or cancelling the task that reads it, closes the connection.
    """
    arguments = {
        "model": model,
        "messages": list(messages),
        "temperature": agent.temperature,
        "top_p": agent.top_p,
        "max_tokens": agent.max_tokens,
        "api_base": api_base,
        "api_key": api_key,
        **agent.extra,
        # Parameters that a model does not know are left out. litellm's global setting of the same name would
        # make it swallow a 422 as well.
        "drop_params": True,
        "stream": True,
        "stream_options": {"include_usage": True},
        # The engine retries. litellm's retries repeat what cannot succeed and ignore Retry-After.
        "num_retries": 0,
        "max_retries": 0,
        "timeout": _TIMEOUT_SECONDS,
    }
    arguments = {name: value for name, value in arguments.items() if value is not None}
    response = None
    try:
        response = await litellm.acompletion(**arguments)
        async for chunk in response:
            received = response.chunks
            if len(received) > 2:
                # At the end litellm rebuilds the whole from all chunks, at 75 µs each, and nobody reads it.
                # It needs the first chunk, and one of the others has the provider's usage.
                received[1:] = [kept for kept in received[1:] if getattr(kept, "usage", None)]
            if not chunk.choices:
                continue
            delta = chunk.choices[0].delta
            if reasoning := getattr(delta, "reasoning_content", None):
                yield Chunk("reasoning", reasoning)
            if delta.content:
                yield Chunk("text", delta.content)
        yield _finish(response, model if priced else None)
    except Exception as error:
        if _failed_at_its_usage(response, error):
            yield Finish(_finish_reason(response))
            return
        # What litellm and the clients below it raise has no common base class.
        raise translate(error, model, api_base) from error
    finally:
        if response is not None:
            await response.aclose()


def missing_key(model: str) -> str | None:
    """The variable in which litellm looks for the model's key; None where it is set or no key is needed.

    Other credentials, such as a cloud's profile, may come from elsewhere than the environment.
    """
    missing = litellm.validate_environment(model)["missing_keys"]
    return missing[0] if missing and all(name.endswith(("_API_KEY", "_TOKEN")) for name in missing) else None


def _failed_at_its_usage(response: Any, error: Exception) -> bool:
    """True where the reply was whole and only what the server states of its usage cannot be read.

    The usage comes behind the finish reason. What the server itself reports as an error is no ValueError.
    """
    return getattr(response, "received_finish_reason", None) is not None and _caused_by(error, (ValueError,))


def _finish(response: Any, priced_model: str | None) -> Finish:
    """Why the stream ended, the tokens it used and what they cost, as far as that is known.

    Reason and tokens are the provider's: litellm invents them where the provider sends none.
    """
    reason = _finish_reason(response)
    usage = next((chunk.usage for chunk in reversed(response.chunks) if getattr(chunk, "usage", None)), None)
    if usage is None:
        return Finish(reason)
    prompt_tokens, completion_tokens = (
        token_count(getattr(usage, name, None) or 0) for name in ("prompt_tokens", "completion_tokens")
    )
    stated = dollars(getattr(usage, "cost", None))  # OpenRouter sends what it charged.
    # litellm makes zeros of what the server left out, and no request takes no token at all.
    if prompt_tokens is None or completion_tokens is None or not (prompt_tokens or completion_tokens):
        return Finish(reason, cost=stated)
    tokens = Usage(prompt_tokens, completion_tokens, estimated=False)
    if stated is not None:
        return Finish(reason, tokens, stated)
    if priced_model is not None:
        with suppress(Exception):  # litellm raises bare Exceptions for a model without a price
            prompt, completion = litellm.cost_per_token(model=priced_model, usage_object=usage)
            return Finish(reason, tokens, prompt + completion)
    return Finish(reason, tokens)


def _finish_reason(response: Any) -> str | None:
    """The provider's own finish reason, which may be any text, on one line; None where it gave none."""
    reason = getattr(response, "received_finish_reason", None)
    return one_line(str(reason)[:_LONGEST_REASON]) if reason else None


def translate(error: Exception, model: str, api_base: str | None = None) -> ModelError:
    """The ModelError for what litellm or a client below it raised."""
    # An error in the middle of a stream comes wrapped, with a status that litellm made up.
    inner = getattr(error, "original_exception", None)
    is_midstream = inner is not None
    root = inner if isinstance(inner, Exception) else error
    message = _provider_message(root)
    status = getattr(root, "status_code", None)
    status = status if isinstance(status, int) and 100 <= status <= 599 else None
    if (connection_error := _connection_error(error, api_base)) is not None:
        return connection_error
    if _caused_by(error, (json.JSONDecodeError, UnicodeDecodeError)):
        return ModelError("malformed", f"the server sent what is no valid reply: {message}")
    if is_midstream:
        return ModelError("server", f"the server reported an error in the middle of its reply: {message}")
    if "LLM Provider NOT provided" in message or "Unmapped LLM provider" in message:
        return ModelError(
            "not_found",
            f"{model}: no such provider. Write provider/model with a provider that litellm knows, or define "
            f"the first part as an endpoint in the config: [endpoints.{model.partition('/')[0]}]",
        )
    if status is None:
        return ModelError("malformed", f"{type(root).__name__}: {message}")
    return ModelError(_failure_kind(root, status, message), message, status, _retry_after(root))


def _failure_kind(root: Exception, status: int, message: str) -> FailureKind:
    """The kind of failure that an HTTP status and the provider's message stand for."""
    if isinstance(root, litellm.exceptions.ContextWindowExceededError):
        return "context"
    if isinstance(root, litellm.exceptions.ContentPolicyViolationError):
        return "filtered"
    if status == 429:
        exhausted = re.search(
            r"insufficient_quota|exceeded your (?:\w+ )?quota|billing", message, re.IGNORECASE
        )
        return "quota" if exhausted else "rate_limit"
    kinds: dict[int, FailureKind] = {401: "auth", 402: "payment", 403: "forbidden", 404: "not_found"}
    if status in kinds:
        return kinds[status]
    return "server" if status >= 500 or status in (408, 409) else "bad_request"


# The names of what httpx and aiohttp raise for a connection that was lost.
_LOST_CONNECTIONS = {
    "ReadError",
    "RemoteProtocolError",
    "ConnectError",
    "WriteError",
    "ConnectTimeout",
    "ClientPayloadError",
}


def _connection_error(error: Exception, api_base: str | None) -> ModelError | None:
    """The ModelError for a connection refused or lost, or a host not found; None for other errors."""
    where = f" at {api_base}" if api_base else ""
    causes = _causes(error)
    if any(isinstance(cause, socket.gaierror) or "DNSError" in type(cause).__name__ for cause in causes):
        return ModelError("connection", f"host not found{where}; is the address right, is there a network?")
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return ModelError("connection", f"connection refused{where}; is the server running?")
    names = {type(cause).__name__ for cause in causes}
    if names & _LOST_CONNECTIONS or any(isinstance(cause, ConnectionError) for cause in causes):
        return ModelError("connection", f"the connection was lost{where}")
    return None


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


def _caused_by(error: Exception, kinds: tuple[type[BaseException], ...]) -> bool:
    return any(isinstance(cause, kinds) for cause in _causes(error))


_LITELLM_PREFIX = re.compile(
    r"^(?:(?:litellm\.)?[A-Z]\w*(?:Error|Exception|Timeout)(?: Error)?:\s+)*"
    r"(?:litellm\.\w+:\s*)?(?:\w*Exception - )?"
)


def _provider_message(root: Exception) -> str:
    """The provider's own message, without what litellm puts around it, JSON and HTML tags."""
    text = str(getattr(root, "message", None) or root)[:_LONGEST_MESSAGE]
    text = _LITELLM_PREFIX.sub("", text).split(" Original exception:")[0].strip()
    if text.startswith("{"):
        with suppress(ValueError, AttributeError, TypeError):
            body = json.loads(text)
            error = body.get("error", body)
            text = str(error["message"] if isinstance(error, dict) and "message" in error else error)
    elif "<html" in text.lower() or "<!doctype" in text.lower():
        text = " ".join(re.sub(r"<[^<>]*>", " ", text).split())
    return text or type(root).__name__


def _retry_after(root: Exception) -> float | None:
    """The seconds that the server asks to wait, from whichever of its headers says so; None for none."""
    headers = getattr(root, "litellm_response_headers", None)
    if headers is None:
        headers = getattr(getattr(root, "response", None), "headers", None)
    if not headers:
        return None
    milliseconds, stated = headers.get("retry-after-ms"), headers.get("retry-after")
    if (wait := wait_seconds(milliseconds)) is not None:
        return wait / 1000
    if (wait := wait_seconds(stated)) is not None:
        return wait
    with suppress(ValueError, TypeError, OverflowError):
        until: datetime = parsedate_to_datetime(stated)
        return wait_seconds(max(0.0, (until - until.now(until.tzinfo)).total_seconds()))
    return None
