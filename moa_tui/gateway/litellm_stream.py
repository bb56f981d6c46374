"""One streamed call through litellm, with every setting that keeps it quiet, local and truthful.

The only file that imports litellm. Its import takes seconds: `gateway/thread.py` loads this module when a
model is first needed, away from any screen.
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

from moa_tui.engine.values import Chunk, Finish, Usage
from moa_tui.errors import ModelError

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
# A Llama model's name would have it fetch a tokenizer: 23 s of frozen loop without a network.
litellm.disable_hf_tokenizer_download = True
litellm.telemetry = False
for _name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
    _log = logging.getLogger(_name)
    _log.handlers[:] = [logging.NullHandler()]  # with none at all, Python itself prints warnings
    _log.propagate = False
# pydantic says so of litellm's own types, in the middle of a call: nothing that belongs on a screen.
warnings.filterwarnings("ignore", message="Item .* on TypedDict class", category=UserWarning)
# A call cancelled in its first millisecond leaves a coroutine of litellm's own behind.
warnings.filterwarnings("ignore", message="coroutine .* was never awaited", category=RuntimeWarning)

# litellm would load these in the middle of the first answer: half a second each, on the engine's loop.
importlib.import_module("openai.resources")
litellm.token_counter(model="gpt-4", text="")

# The engine's own limits end a call; this only keeps httpx from being faster.
_TIMEOUT_SECONDS = 3600.0
# Of an error; some servers answer with a whole page.
_LONGEST_MESSAGE = 10_000


async def stream(
    model: str,
    messages: Sequence[Message],
    agent: Agent,
    *,
    api_base: str | None,
    api_key: str | None,
    priced: bool = False,
) -> AsyncGenerator[Chunk | Finish, None]:
    """The reply of `model` as it comes, then a Finish; as raw as the server sent it.

    `priced` says that the model's price is known to be litellm's: what is served at another address under the
    same name may cost anything.

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
        # Parameters a model does not know are left out. Said for each call: litellm's global switch of the
        # same name also has it swallow a 422.
        "drop_params": True,
        "stream": True,
        "stream_options": {"include_usage": True},
        # litellm's retries also repeat what cannot succeed and ignore Retry-After: the engine retries.
        "num_retries": 0,
        "max_retries": 0,
        "timeout": _TIMEOUT_SECONDS,
    }
    arguments = {name: value for name, value in arguments.items() if value is not None}
    response = None
    try:
        response = await litellm.acompletion(**arguments)
        async for chunk in response:
            kept = response.chunks
            if len(kept) > 2:
                # At the end litellm rebuilds the whole from all chunks, which nobody reads: 75 µs a chunk. It
                # needs the first one, and the provider's usage is told by one of the others.
                kept[1:] = [one for one in kept[1:] if getattr(one, "usage", None)]
            if not chunk.choices:
                continue
            delta = chunk.choices[0].delta
            if reasoning := getattr(delta, "reasoning_content", None):
                yield Chunk("reasoning", reasoning)
            if delta.content:
                yield Chunk("text", delta.content)
        yield _finish(response, model if priced else None)
    except Exception as error:
        # Whatever litellm and the clients below it raise: they have no root of their own.
        raise translate(error, model, api_base) from error
    finally:
        if response is not None:
            await response.aclose()


def missing_key(model: str) -> str | None:
    """The variable litellm would look for the model's key in, where it is a key and is not set.

    Other credentials (a cloud's profile, a project's name) can come from elsewhere than the environment.
    """
    missing = litellm.validate_environment(model)["missing_keys"]
    return missing[0] if missing and all(name.endswith(("_API_KEY", "_TOKEN")) for name in missing) else None


def _finish(response: Any, priced_model: str | None) -> Finish:
    """Why the stream ended and what it took, as the provider says; litellm invents both where it does not."""
    reason = getattr(response, "received_finish_reason", None)
    usage = next((one.usage for one in reversed(response.chunks) if getattr(one, "usage", None)), None)
    if usage is None:
        return Finish(reason)
    tokens = Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, estimated=False)
    stated = getattr(usage, "cost", None)  # OpenRouter says what it charged.
    if isinstance(stated, int | float) and not isinstance(stated, bool):
        return Finish(reason, tokens, float(stated))
    if priced_model is not None:
        with suppress(Exception):  # litellm raises bare Exceptions for a model without a price
            prompt, completion = litellm.cost_per_token(model=priced_model, usage_object=usage)
            return Finish(reason, tokens, prompt + completion)
    return Finish(reason, tokens)


def translate(error: Exception, model: str, api_base: str | None = None) -> ModelError:
    """What litellm or a client below it raised, as the one error the engine knows."""
    # A fault in the middle of a stream comes wrapped, with a status that litellm made up.
    inner = getattr(error, "original_exception", None)
    midstream = inner is not None
    root = inner if isinstance(inner, Exception) else error
    message = _provider_message(root)
    status = getattr(root, "status_code", None)
    status = status if isinstance(status, int) else None
    if (lost := _lost_connection(error, api_base)) is not None:
        return lost
    if _caused_by(error, (json.JSONDecodeError, UnicodeDecodeError)):
        return ModelError("malformed", f"the server sent what is no valid reply: {message}")
    if midstream:
        return ModelError("server", f"the server reported an error in the middle of its reply: {message}")
    if "LLM Provider NOT provided" in message or "Unmapped LLM provider" in message:
        return ModelError(
            "not_found",
            f"{model}: no such provider. Write provider/model with a provider that litellm knows, or define "
            f"the first part as an endpoint in the config: [endpoints.{model.partition('/')[0]}]",
        )
    if status is None:
        return ModelError("malformed", f"{type(root).__name__}: {message}")
    return ModelError(_kind(root, status, message), message, status, _retry_after(root))


def _kind(root: Exception, status: int, message: str) -> FailureKind:
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


def _lost_connection(error: Exception, api_base: str | None) -> ModelError | None:
    """A connection that was refused, reset or never found its host, in words."""
    where = f" at {api_base}" if api_base else ""
    chain = _chain(error)
    if any(isinstance(one, socket.gaierror) or "DNSError" in type(one).__name__ for one in chain):
        return ModelError("connection", f"host not found{where}; is the address right, is there a network?")
    if any(isinstance(one, ConnectionRefusedError) for one in chain):
        return ModelError("connection", f"connection refused{where}; is the server running?")
    names = {type(one).__name__ for one in chain}
    lost = {
        "ReadError",
        "RemoteProtocolError",
        "ConnectError",
        "WriteError",
        "ConnectTimeout",
        "ClientPayloadError",
    }
    if names & lost or any(isinstance(one, ConnectionError) for one in chain):
        return ModelError("connection", f"the connection was lost{where}")
    return None


def _chain(error: BaseException) -> list[BaseException]:
    """The error and all that led to it, whichever way it was linked."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in seen:
            seen.append(one)
            inner = getattr(one, "original_exception", None)
            waiting += [one.__cause__, one.__context__, inner if isinstance(inner, BaseException) else None]
    return seen


def _caused_by(error: Exception, kinds: tuple[type[BaseException], ...]) -> bool:
    return any(isinstance(one, kinds) for one in _chain(error))


_LITELLM_PREFIX = re.compile(
    r"^(?:(?:litellm\.)?[A-Z]\w*(?:Error|Exception|Timeout)(?: Error)?:\s+)*"
    r"(?:litellm\.\w+:\s*)?(?:\w*Exception - )?"
)


def _provider_message(root: Exception) -> str:
    """The provider's own words, without what litellm puts around them."""
    text = str(getattr(root, "message", None) or root)[:_LONGEST_MESSAGE]
    text = _LITELLM_PREFIX.sub("", text).split(" Original exception:")[0].strip()
    if text.startswith("{"):
        with suppress(ValueError, AttributeError, TypeError):
            said = json.loads(text)
            said = said.get("error", said)
            text = str(said["message"] if isinstance(said, dict) and "message" in said else said)
    elif "<html" in text.lower() or "<!doctype" in text.lower():
        text = " ".join(re.sub(r"<[^<>]*>", " ", text).split())
    return text or type(root).__name__


def _retry_after(root: Exception) -> float | None:
    """Seconds the server asks to wait, from whichever of its headers says so."""
    headers = getattr(root, "litellm_response_headers", None)
    if headers is None:
        headers = getattr(getattr(root, "response", None), "headers", None)
    if not headers:
        return None
    with suppress(ValueError, TypeError, KeyError):
        return float(headers["retry-after-ms"]) / 1000
    with suppress(ValueError, TypeError, KeyError):
        return float(headers["retry-after"])
    with suppress(ValueError, TypeError, KeyError):
        until: datetime = parsedate_to_datetime(headers["retry-after"])
        return max(0.0, (until - until.now(until.tzinfo)).total_seconds())
    return None
