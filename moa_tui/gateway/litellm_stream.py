"""One streamed call through litellm, which is kept from printing, downloading and inventing numbers.

This is the only module that imports litellm. The import takes seconds, so `gateway/thread.py` loads this
module when a model is first needed, on a thread that no screen waits for.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import re
import sys
import warnings
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakSet

from moa_tui.engine.amounts import dollars, token_count
from moa_tui.engine.values import Chunk, Finish
from moa_tui.errors import ModelError
from moa_tui.gateway.connection_faults import proxy_of, through
from moa_tui.gateway.destinations import means_this_machine
from moa_tui.gateway.litellm_errors import translate
from moa_tui.gateway.litellm_memory import lighten, skip_in_calls
from moa_tui.gateway.pending_request import PendingRequest
from moa_tui.gateway.transport import Exchange, admitted, current_exchange, send_bounded
from moa_tui.gateway.wire_body import in_pieces, read_body
from moa_tui.gateway.wire_reader import WireReader
from moa_tui.gateway.wire_reply import WireReply

# These are read while litellm is imported: its map comes from its own package instead of the network, a .env
# file in the working directory is not taken for the user's environment, and litellm does not look for secrets
# in what servers send, which takes the cube of its length (the gateway masks keys itself).
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["LITELLM_MODE"] = "PRODUCTION"
os.environ["LITELLM_DISABLE_REDACT_SECRETS"] = "true"
# litellm's transport chooses proxies itself; aiohttp would choose them once more, and read ~/.netrc.
os.environ["AIOHTTP_TRUST_ENV"] = "False"

import httpx
import litellm
from litellm.litellm_core_utils import secret_redaction
from litellm.litellm_core_utils.litellm_logging import Logging
from litellm.llms.custom_httpx import aiohttp_transport
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, blocked_cookie_jar
from litellm.llms.ollama.common_utils import OllamaModelInfo
from litellm.llms.openai.common_utils import BaseOpenAILLM
from multidict import CIMultiDict, CIMultiDictProxy

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence

    from moa_tui.engine.values import Message
    from moa_tui.gateway.cache_marks import MarkedMessage

litellm.suppress_debug_info = True
# For a Llama model litellm would download a tokenizer; without a network that froze the loop for 23 s.
litellm.disable_hf_tokenizer_download = True
litellm.telemetry = False
# litellm prints what goes wrong, and the clients below it would write prompts where OPENAI_LOG asks for that.
for _name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "openai", "anthropic", "httpx", "httpcore"):
    _log = logging.getLogger(_name)
    _log.handlers[:] = [logging.NullHandler()]  # with none at all, Python itself prints warnings
    _log.propagate = False
# pydantic warns of litellm's own types in the middle of a call, which would write over a screen.
warnings.filterwarnings("ignore", message="Item .* on TypedDict class", category=UserWarning)
# It also warns of values of another type than litellm says, which any server may send.
warnings.filterwarnings("ignore", message="Pydantic serializer warnings", category=UserWarning)
# A call cancelled in its first millisecond leaves a coroutine of litellm's own behind.
warnings.filterwarnings("ignore", message="coroutine .* was never awaited", category=RuntimeWarning)

lighten(sys.modules)

# The OpenAI SDK would send the headers and names that its variables hold to whatever server it asks. The
# gateway says where those go.
importlib.import_module("openai._client").os = SimpleNamespace(environ={})  # type: ignore[attr-defined]

# The engine's own limits end a call; this is long enough that httpx does not do so before.
_TIMEOUT_SECONDS = 3600.0

# Some parts of litellm look for secrets whatever its setting says.
secret_redaction._SECRET_RE = secret_redaction._INTERNAL_DETAIL_RE = re.compile(r"(?!)")


def _as_ascii(text: str) -> str:
    """`text` with a question mark for each character that is not ASCII."""
    return text.encode("ascii", "replace").decode("ascii")


class _Transport(aiohttp_transport.LiteLLMAiohttpTransport):  # type: ignore[misc]
    """litellm's own transport, with a bound for what comes in and no proxy between here and this machine."""

    made: ClassVar[WeakSet[_Transport]] = WeakSet()

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.made.add(self)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await send_bounded(request, super().handle_async_request)

    async def _make_aiohttp_request(self, *arguments: Any, **more: Any) -> Any:
        """litellm's request, whose reply has headers that httpx takes: it refuses what is not ASCII."""
        response = await super()._make_aiohttp_request(*arguments, **more)
        headers = response.headers.items()
        if not all(name.isascii() and value.isascii() for name, value in headers):
            response._headers = CIMultiDictProxy(
                CIMultiDict((_as_ascii(name), _as_ascii(value)) for name, value in headers)
            )
            response._cache.pop("headers", None)
        return response

    def _proxy_from_env(self, url: httpx.URL) -> str | None:
        if means_this_machine(url.host):
            return None
        proxy: str | None = super()._proxy_from_env(url)
        return proxy


# Every asynchronous client of litellm's own gets its transport from this class, whatever the environment
# says ...
aiohttp_transport.LiteLLMAiohttpTransport = _Transport
AsyncHTTPHandler.should_use_aiohttp_transport = staticmethod(lambda: True)
# ... and those that the OpenAI SDK would make by itself are this one. It keeps no cookies, for it is shared.
litellm.aclient_session = BaseOpenAILLM._get_async_http_client()
litellm.aclient_session.cookies = blocked_cookie_jar()

# Some of litellm's code makes clients of its own. Whatever they are, they send through one of these two.
_send_at_once = httpx.HTTPTransport.handle_request
_send = httpx.AsyncHTTPTransport.handle_async_request


def _handle_request(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
    admitted(request.url)
    return _send_at_once(self, request)


async def _handle_async_request(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
    return await send_bounded(request, partial(_send, self))


httpx.HTTPTransport.handle_request = _handle_request  # type: ignore[method-assign]
httpx.AsyncHTTPTransport.handle_async_request = _handle_async_request  # type: ignore[method-assign]
# A provider of litellm's that is built on aiohttp alone, where nothing bounds what a server sends.
_UNBOUNDED_PROVIDERS = {"aiohttp_openai"}


async def close_connections() -> None:
    """Close the connections that were kept open on the running loop, which is about to end."""
    loop = asyncio.get_running_loop()
    for transport in list(_Transport.made):
        session = transport.client
        if getattr(session, "_loop", None) is loop and not session.closed:
            await session.close()


def _no_model_info(
    self: object, model: str, api_base: object = None, api_key: object = None
) -> dict[str, Any]:
    """What litellm would ask of Ollama's default address after each call, whatever address the call had."""
    return {
        "key": model,
        "litellm_provider": "ollama",
        "mode": "chat",
        "input_cost_per_token": 0.0,
        "output_cost_per_token": 0.0,
        "max_tokens": None,
        "max_input_tokens": None,
        "max_output_tokens": None,
    }


OllamaModelInfo.get_runtime_model_info = _no_model_info

# A model may say the same a hundred times.
litellm.REPEATED_STREAMING_CHUNK_LIMIT = sys.maxsize


skip_in_calls(Logging)


async def stream(
    model: str,
    messages: Sequence[Message | MarkedMessage],
    parameters: Mapping[str, Any],
    *,
    api_base: str | None,
    api_key: str | None,
    addresses: Iterable[str] | None,
    headers: Mapping[str, str],
    priced: bool = False,
) -> AsyncGenerator[Chunk | Finish, None]:
    """Yield the reply of `model` piece by piece, as raw as the server sent it, then a Finish.

    `addresses` are on the servers that the call may reach; None where only litellm knows. `headers` are sent
    with it. `priced` is true where the model's price is the one that litellm knows; what is served under the
    same name at another address may cost anything.

    Raises ModelError. Closing the generator, or cancelling the task that reads it, closes the connection.
    """
    if model.partition("/")[0] in _UNBOUNDED_PROVIDERS:
        raise ModelError("bad_request", f"{model}: this provider cannot be used; write openai/ in its place")
    most_tokens = parameters.get("max_tokens") or parameters.get("max_completion_tokens")
    exchange = Exchange(addresses, token_count(most_tokens), headers)
    current_exchange.set(exchange)
    priced_model = model if priced else None
    reader = WireReader()
    pending = exchange.pending = PendingRequest(
        partial(_ask, _request(model, messages, parameters, api_base, api_key))
    )
    try:
        await pending.reply()
        body = exchange.body
        # Where litellm has read the reply already, it makes a stream of a whole answer.
        if is_unread := body is not None and not body.was_read:
            async with aclosing(read_body(body, reader)) as chunks:
                async for chunk in chunks:
                    yield chunk
        if is_unread and not reader.is_foreign:
            yield _priced(reader.reply, priced_model)
            if (problem := reader.reply.problem()) is not None:
                raise problem
        else:
            async with aclosing(_read_by_litellm(await pending.response(), priced_model)) as items:
                async for item in items:
                    yield item
            # litellm may have taken the place where the reply was cut for its end. What it asks of others
            # beside a reply that is read here, and may not, is no fault of that reply.
            if exchange.failure is not None:
                raise exchange.failure
    except Exception as error:
        # What the transport saw is the cause of whatever litellm and the clients below it made of it. What
        # they raise has no common base class.
        server = api_base or next(iter(addresses or ()), None)
        failure = error if isinstance(error, ModelError) else exchange.failure
        if failure is None:
            failure = translate(error, model, server)
        if server and (proxy := proxy_of(server)) is not None:
            failure = through(failure, proxy)
        raise failure from (None if failure is error else error)
    finally:
        try:
            await pending.aclose()  # First, since nobody can close a body that litellm's task is reading.
        finally:
            if exchange.body is not None:
                await exchange.body.aclose()


async def rehearse() -> None:
    """Make a call that is refused before anything is sent, so that litellm loads what it loads at the first.

    That takes 0.2 s and more, half of it on the loop.
    """
    with suppress(ModelError):
        async for _ in stream(
            "openai/none",
            [{"role": "user", "content": "none"}],
            {"stream_options": {"include_usage": True}},
            api_base="http://localhost/v1",
            api_key="none",
            addresses=(),
            headers={},
        ):
            pass


async def _ask(request: Mapping[str, Any]) -> Any:
    """litellm's stream of the reply to a request that has been sent."""
    response = await litellm.acompletion(**request)
    if getattr(response, "completion_stream", response) is None:
        await response.fetch_stream()  # Gemini's request is sent no earlier.
    return response


def _priced(reply: WireReply, priced_model: str | None) -> Finish:
    """The end of a reply, with what it cost where only litellm knows the price."""
    finish = reply.finish()
    tokens = finish.usage
    if finish.cost is not None or tokens is None or priced_model is None:
        return finish
    usage = litellm.Usage(
        prompt_tokens=tokens.prompt_tokens,
        completion_tokens=tokens.completion_tokens,
        total_tokens=tokens.prompt_tokens + tokens.completion_tokens,
        prompt_tokens_details={
            "cached_tokens": tokens.cached_tokens,
            "cache_creation_tokens": tokens.cache_write_tokens,
        },
        cache_creation_input_tokens=tokens.cache_write_tokens,
        cache_read_input_tokens=tokens.cached_tokens,
    )
    return replace(finish, cost=_cost(priced_model, usage))


def _cost(priced_model: str, usage: Any) -> float | None:
    """What the tokens cost in US dollars by litellm's list; None where it has no price."""
    with suppress(Exception):  # litellm raises bare Exceptions for a model without a price
        prompt, completion = litellm.cost_per_token(model=priced_model, usage_object=usage)
        return float(prompt + completion)
    return None


async def _read_by_litellm(response: Any, priced_model: str | None) -> AsyncGenerator[Chunk | Finish, None]:
    """A reply in a protocol that only litellm reads, such as the Responses API or Bedrock's."""
    # For plain completions litellm gives a generator, which notes nothing of what it has given.
    notes = response if hasattr(response, "chunks") else SimpleNamespace(chunks=[])
    try:
        async for chunk in response:
            if notes is not response:
                notes.chunks.append(chunk)
            if len(notes.chunks) > 2:
                _forget(notes.chunks)
            if not chunk.choices:
                continue
            if notes is not response and (reason := chunk.choices[0].finish_reason):
                notes.received_finish_reason = reason
            delta = chunk.choices[0].delta
            async for piece in in_pieces(getattr(delta, "reasoning_content", None) or ""):
                yield Chunk("reasoning", piece)
            async for piece in in_pieces(delta.content or ""):
                yield Chunk("text", piece)
    except ValueError as error:
        # The reply was whole where only what follows the finish reason, its usage, cannot be read.
        if getattr(response, "received_finish_reason", None) is None or isinstance(error, ModelError):
            raise
    yield _finish(notes, priced_model)


def _request(
    model: str,
    messages: Sequence[Message | MarkedMessage],
    parameters: Mapping[str, Any],
    api_base: str | None,
    api_key: str | None,
) -> dict[str, Any]:
    """The arguments of litellm's call."""
    arguments = {
        "model": model,
        "messages": list(messages),
        "api_base": api_base,
        "api_key": api_key,
        **parameters,
        # Parameters that a model does not know are left out. litellm's global setting of the same name would
        # make it swallow a 422 as well.
        "drop_params": True,
        "stream": True,
        # The engine retries. litellm's retries repeat what cannot succeed and ignore Retry-After.
        "num_retries": 0,
        "max_retries": 0,
        "timeout": _TIMEOUT_SECONDS,
    }
    return {name: value for name, value in arguments.items() if value is not None}


def _forget(received: list[Any]) -> None:
    """Remove the chunks from litellm's list that nobody needs: it rebuilds the whole from them at the end.

    That takes 75 µs for each. The first is needed, and of those with the provider's usage some are: a server
    may send it with every chunk.
    """
    with_usage = [chunk for chunk in received[1:] if getattr(chunk, "usage", None)]
    received[1:] = [*with_usage[:2], *with_usage[2:][-2:]]


def provider_of(model: str, api_base: str | None) -> str | None:
    """The provider whose address and key litellm uses for a model; None where it knows none.

    Only for models of a provider that needs no more than a key: for some others litellm signs in here.
    """
    try:
        return str(litellm.get_llm_provider(model, api_base=api_base)[1])
    except litellm.exceptions.BadRequestError:
        return None


def takes_effort(model: str, api_base: str | None) -> bool:
    """False where litellm leaves out the reasoning effort of a request to the model, which it does unasked.

    For a model that was asked just now: to ask litellm for the provider may sign in there.
    """
    try:
        name, provider, *_ = litellm.get_llm_provider(model, api_base=api_base)
    except litellm.exceptions.BadRequestError:
        return True
    parameters = litellm.get_supported_openai_params(model=name, custom_llm_provider=provider)
    return parameters is None or "reasoning_effort" in parameters


def holds_to_schema(model: str, api_base: str | None, response_format: Mapping[str, Any]) -> bool:
    """True where litellm passes a response format on, as the parameter that the model's server has for it.

    For some models it would force the call of a tool instead, which does not go with thinking, or ask for a
    reply in one piece. For a provider that needs no more than a key, as `provider_of`.
    """
    try:
        name, provider, *_ = litellm.get_llm_provider(model, api_base=api_base)
        sent = litellm.utils.get_optional_params(
            model=name, custom_llm_provider=provider, response_format=dict(response_format), drop_params=True
        )
    except Exception:  # litellm has no one class for what it cannot put
        return False
    return "tools" not in sent and not sent.get("fake_stream")


def missing_key(model: str) -> str | None:
    """The variable in which litellm looks for the model's key; None where it is set or no key is needed.

    Other credentials, such as a cloud's profile, may come from elsewhere than the environment.
    """
    missing = litellm.validate_environment(model)["missing_keys"]
    return missing[0] if missing and all(name.endswith(("_API_KEY", "_TOKEN")) for name in missing) else None


def _finish(response: Any, priced_model: str | None) -> Finish:
    """Why the stream ended, the tokens it used and what they cost, as far as that is known.

    Reason and tokens are the provider's: litellm invents them where the provider sends none. It keeps the
    reason in one of two places, by the provider.
    """
    reply = WireReply()
    reply.end(
        getattr(response, "received_finish_reason", None)
        or getattr(response, "intermittent_finish_reason", None)
    )
    usage = next((chunk.usage for chunk in reversed(response.chunks) if getattr(chunk, "usage", None)), None)
    if usage is not None:
        details = getattr(usage, "prompt_tokens_details", None)
        reply.count(
            getattr(usage, "prompt_tokens", None) or 0,
            getattr(usage, "completion_tokens", None) or 0,
            getattr(details, "cached_tokens", None),
            getattr(details, "cache_write_tokens", None),
        )
        reply.cost = dollars(getattr(usage, "cost", None))  # OpenRouter sends what it charged.
        if reply.cost is None and reply.tokens is not None and priced_model is not None:
            reply.cost = _cost(priced_model, usage)
    return reply.finish()
