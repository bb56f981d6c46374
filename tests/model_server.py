"""A local model provider that answers, stalls and breaks on demand.

It speaks enough of OpenAI's and Ollama's chat protocols for a real client to talk to it, and takes its
behaviour from the model name, so the code under test is given nothing but a base URL. What follows the last
"/" of the name is read as `MODE[@key=value,...]`; `Spec` lists the parameters and `MODES` the modes::

    ok@n=200,tps=80,ttft=0.3     a heading and 200 words at 80 chunks a second, the first after 0.3 s
    hang@n=5                     a heading and 5 words, then silence on an open connection
    flaky@fail=2,key=writer      two refusals to key "writer", then good answers

In a test::

    with ModelServer() as server:
        ...  # point the client at server.url
        server.wait_for(lambda requests: requests[0].disconnected)

In a process of its own: `python -m tests.model_server --port 0 --port-file PATH`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import re
import signal
import socket
import struct
import threading
import time
from collections import Counter, defaultdict, deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn, TypeAlias, get_type_hints

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

Json: TypeAlias = dict[str, Any]
Delta: TypeAlias = tuple[str, str]
"""The delta field a chunk fills ("content", "reasoning_content", ...) and the text it puts there."""

WORDS = ("each", "model", "drafts", "a", "reply", "that", "another", "reads", "before", "it", "answers")
TOKENS_PER_WORD, PROSE_CHUNK = 1.12, 4  # of the mode `prose`: by engine.token_estimate, and words a chunk
KEEPALIVE_SECONDS = 0.2
FLUSH_SECONDS = 0.05  # before a connection is dropped: a reset discards what the client has not yet read
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Spec:
    """What one model name asks for. An unknown parameter is an error, lest a typo test something else."""

    mode: str
    ttft: float = 0.0  # seconds from the request to the first chunk, or to the refusal
    tps: float = 0.0  # chunks per second; 0 is as fast as possible
    n: int = 20  # words after the heading; -1 leaves out the heading too
    size: int = 0  # one_line: characters in all; elsewhere: characters per word, 0 for natural words
    reason: int = 10  # reasoning chunks before the content
    burst: int = 1  # chunks per TCP write
    key: str = ""  # a tag of the caller's choice; names the script and the flaky counter
    fail: int = 1  # flaky: refusals before the first good answer
    status: int = 503  # flaky: HTTP status of a refusal
    allow: int = 5  # limited: requests that are admitted in each second
    retry_after: str = "1"  # Retry-After header of flaky, limited, http429 and http503; empty for none
    limit: int = 1000  # context_once: characters of messages that fit
    finish: str = "stop"  # ends: why the answer ends, in the server's own words

    @classmethod
    def parse(cls, model: str) -> Spec:
        """Read a model name; raises ValueError where a parameter is unknown or not a number."""
        mode, _, rest = model.rpartition("/")[2].removesuffix(":latest").partition("@")
        kinds = get_type_hints(cls)
        given: Json = {"mode": mode}
        for item in filter(None, rest.split(",")):
            name, _, value = item.partition("=")
            if name not in kinds or name == "mode":
                raise ValueError(f"unknown parameter {name!r} in model name {model!r}")
            given[name] = kinds[name](value)
        return cls(**given)


@dataclass(frozen=True)
class Request:
    """A chat request as the server saw it: a snapshot, while `ended` is None, of one still being answered."""

    number: int  # from 1, in order of arrival since the last reset
    model: str
    mode: str
    key: str
    body: Json
    headers: dict[str, str]  # names in lower case
    started: float  # time.monotonic()
    ended: float | None  # time.monotonic(), None while the answer is under way
    sent_chunks: int  # content and reasoning chunks written, the heading included
    disconnected: bool  # the client left before the answer was complete

    def __str__(self) -> str:
        state = "under way" if self.ended is None else f"ended after {self.ended - self.started:.3f} s"
        gone = ", client disconnected" if self.disconnected else ""
        return f"#{self.number} {self.model}: {state}, {self.sent_chunks} chunks{gone}"


class Reply:
    """One reply in OpenAI's format: what became of it, and the tools by which a mode shapes or breaks it."""

    content_type = "text/event-stream"
    streams_by_default = False
    terminator = DONE  # ends a stream, whatever came before it
    keepalive = b": keep-alive\n\n"
    key_header = "authorization"
    own_modes: ClassVar[dict[str, Mode]] = {}  # modes of this protocol alone; they come before MODES

    def __init__(self, server: ModelServer, http: web.Request, body: Json, number: int) -> None:
        self.server, self.http, self.body, self.number = server, http, body, number
        self.started = time.monotonic()
        self.model = str(body["model"])
        self.spec = Spec.parse(self.model)
        self.headers = {name.lower(): value for name, value in http.headers.items()}
        self.sent = 0
        self.complete = False  # nothing more is to be said, so a client that leaves now misses nothing
        self.ended: float | None = None
        self.disconnected = False
        self.response = web.StreamResponse(
            headers={"Content-Type": self.content_type, "Cache-Control": "no-cache"}
        )
        self._envelopes: dict[str, tuple[bytes, bytes]] = {}

    def record(self) -> Request:
        asked = self.number, self.model, self.spec.mode, self.spec.key, self.body, self.headers
        return Request(*asked, self.started, self.ended, self.sent, self.disconnected)

    def messages(self) -> list[Json]:
        """The messages of the request, as OpenAI would be sent them."""
        messages: list[Json] = self.body.get("messages", [])
        return messages

    @property
    def sent_key(self) -> str | None:
        """The header that holds the client's key, whole."""
        return self.headers.get(self.key_header)

    # What is said.

    def heading(self) -> Delta:
        """The start of the answer, unlike that of any other request, so a test can tell who was told what."""
        return "content", f"answer-{self.number}-{self.spec.key or self.spec.mode} "

    def word(self, i: int) -> str:
        # Each hundredth one is a number, for a model that only repeats its words is stopped.
        word = f"{i} " if i and i % 100 == 0 else WORDS[i % len(WORDS)] + " "
        size = self.spec.size
        return (word * (size // len(word) + 1))[:size] if size else word

    def text(self) -> Iterator[Delta]:
        if self.spec.n >= 0:
            yield self.heading()
        for i in range(self.spec.n):
            yield "content", self.word(i)

    def thoughts(self, field: str = "reasoning_content") -> Iterator[Delta]:
        return ((field, self.word(i)) for i in range(self.spec.reason))

    # How it is written down.

    def chunk(self, delta: Json, finish: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._identity("chat.completion.chunk"), "choices": [choice]}

    def frame(self, event: Json) -> bytes:
        return b"data: " + to_json(event) + b"\n\n"

    def encode(self, delta: Delta) -> bytes:
        """One framed chunk. Everything about it but the text is serialized once per reply, to stay cheap."""
        field, text = delta
        if field not in self._envelopes:
            before, _, after = self.frame(self.chunk({field: "\0"})).partition(to_json("\0"))
            self._envelopes[field] = before, after
        before, after = self._envelopes[field]
        return before + to_json(text) + after

    def opening(self) -> bytes:
        return self.frame(self.chunk({"role": "assistant", "content": "", "refusal": None}))

    def ending(self, finish: str = "stop", *, with_usage: bool = True) -> bytes:
        last = self.frame(self.chunk({}, finish))
        if with_usage and (self.body.get("stream_options") or {}).get("include_usage"):
            last += self.frame({**self.chunk({}), "choices": [], "usage": self.usage()})
        return last + self.terminator

    def failure(self, message: str, kind: str, code: str | None = None) -> Json:
        return {"error": {"message": message, "type": kind, "param": None, "code": code}}

    def refusal(self, status: int, message: str, kind: str, code: str | None) -> Json | list[Json]:
        """The body of an HTTP error."""
        return self.failure(message, kind, code)

    def refusal_headers(self, status: int, retry_after: str) -> dict[str, str]:
        return {"Retry-After": retry_after} if retry_after else {}

    def completion(self, message: Json, finish: str) -> Json:
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return {**self._identity("chat.completion"), "choices": [choice], "usage": self.usage()}

    def usage(self) -> Json:
        prompt = sum(len(text.split()) for text in message_texts(self.messages()))
        return {"prompt_tokens": prompt, "completion_tokens": self.sent, "total_tokens": prompt + self.sent}

    def _identity(self, kind: str) -> Json:
        return {
            "id": f"chatcmpl-{self.number}",
            "object": kind,
            "created": 1_700_000_000,
            "model": self.model,
        }

    # How it is sent.

    async def begin(self) -> None:
        await self.response.prepare(self.http)
        await self.response.write(self.opening())

    async def send(self, deltas: Iterable[Delta], encode: Callable[[Delta], bytes] | None = None) -> None:
        """Write chunks at the pace of the spec, `burst` of them per TCP write.

        Each is due at an offset from the start of the request, so that late wake-ups do not add up.
        """
        pending = iter(deltas)
        while batch := list(itertools.islice(pending, max(1, self.spec.burst))):
            await self.wait_until_due(self.sent)
            await self.response.write(b"".join(map(encode or self.encode, batch)))
            self.sent += len(batch)

    async def wait_until_due(self, chunk: int) -> None:
        offset = self.spec.ttft + (chunk / self.spec.tps if self.spec.tps else 0.0)
        delay = self.started + offset - time.monotonic()
        if delay > 0:
            await asyncio.sleep(delay)

    async def end(self, last: bytes) -> web.StreamResponse:
        """Write `last` together with the end of the body: a client that hangs up on it was served in full."""
        self.complete = True
        await self.response.write_eof(last)
        return self.response

    async def whole(self, deltas: Iterable[Delta], finish: str = "stop") -> web.Response:
        pieces = list(deltas)
        await self.wait_until_due(len(pieces))
        self.sent = len(pieces)
        message: Json = {"role": "assistant", "content": ""}
        for field, text in pieces:
            message[field] = message.get(field, "") + text
        return web.json_response(self.completion(message, finish))

    async def refuse(
        self, status: int, message: str, kind: str, code: str | None = None, retry_after: str = ""
    ) -> web.Response:
        await self.wait_until_due(0)
        headers = self.refusal_headers(status, retry_after)
        return web.json_response(self.refusal(status, message, kind, code), status=status, headers=headers)


class OllamaReply(Reply):
    """The same in Ollama's format: a JSON object a line, the last of them marked as done."""

    content_type = "application/x-ndjson"
    streams_by_default = True
    terminator = b""

    def chunk(self, delta: Json, finish: str | None = None) -> Json:
        message = {"thinking" if name.startswith("reasoning") else name: text for name, text in delta.items()}
        line: Json = {"model": self.model, "created_at": "2026-01-01T00:00:00Z"}
        line |= {"message": {"role": "assistant", "content": "", **message}, "done": finish is not None}
        if finish is not None:
            usage = self.usage()
            line |= {"done_reason": finish, "total_duration": 1_000_000_000}
            line |= {"prompt_eval_count": usage["prompt_tokens"], "eval_count": usage["completion_tokens"]}
        return line

    def frame(self, event: Json) -> bytes:
        return to_json(event) + b"\n"

    def opening(self) -> bytes:
        return b""

    def ending(self, finish: str = "stop", *, with_usage: bool = True) -> bytes:
        return self.frame(self.chunk({}, finish))

    def failure(self, message: str, kind: str, code: str | None = None) -> Json:
        return {"error": message}

    def completion(self, message: Json, finish: str) -> Json:
        return self.chunk(message, finish)


def to_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def message_text(message: Json) -> str:
    content = message.get("content") or ""
    parts: list[str] = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
    return "".join(parts)


def message_texts(messages: list[Json]) -> list[str]:
    return [message_text(message) for message in messages]


# ---- modes: what a model name stands for, each a way to serve a Reply

Mode: TypeAlias = "Callable[[Reply], Awaitable[web.StreamResponse]]"


@dataclass(frozen=True)
class Answer:
    """A well-formed reply, as a stream or in one piece, whichever the request asks for."""

    deltas: Callable[[Reply], Iterable[Delta]]
    finish: str = "stop"
    with_usage: bool = True

    async def __call__(self, reply: Reply) -> web.StreamResponse:
        deltas = self.deltas(reply)
        if not reply.body.get("stream", reply.streams_by_default):
            return await reply.whole(deltas, self.finish)
        await reply.begin()
        await reply.send(deltas)
        return await reply.end(reply.ending(self.finish, with_usage=self.with_usage))


@dataclass(frozen=True)
class Fault:
    """A reply, always a stream, that gets as far as `after` and goes on as no good one would."""

    after: Literal["nothing", "headers", "text"]
    then: Mode

    async def __call__(self, reply: Reply) -> web.StreamResponse:
        if self.after == "headers":
            await reply.response.prepare(reply.http)
        elif self.after == "text":
            await reply.begin()
            await reply.send(reply.text())
        return await self.then(reply)


@dataclass(frozen=True)
class Refusal:
    """An HTTP error in place of an answer."""

    status: int
    message: str
    kind: str = "invalid_request_error"
    code: str | None = None
    retry: bool = False  # send Retry-After

    async def __call__(self, reply: Reply) -> web.StreamResponse:
        retry_after = reply.spec.retry_after if self.retry else ""
        return await reply.refuse(self.status, self.message, self.kind, self.code, retry_after)


def thought_aloud(reply: Reply) -> Iterator[Delta]:
    yield "content", "<think>"
    yield from reply.thoughts("content")
    yield "content", "</think>\n"
    yield from reply.text()


def in_one_line(reply: Reply) -> Iterator[Delta]:
    size = reply.spec.size or 1_000_000
    # The order of the words never comes again, or a program might take it for a loop.
    words = (f"{WORDS[number * number % 7919 % len(WORDS)]} {number} " for number in range(size // 4))
    line = (reply.heading()[1] + "".join(words))[:size]
    step = max(1, size // 300)
    return (("content", line[i : i + step]) for i in range(0, size, step))


def echoed(reply: Reply) -> Iterator[Delta]:
    said = [message_text(message) for message in reply.messages() if message["role"] == "user"]
    return (("content", word) for word in re.findall(r"\S+\s*|\s+", "".join(said[-1:])))


def hostile(reply: Reply) -> Iterator[Delta]:
    yield reply.heading()
    for text in ("\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\0\b", "[b]markup[/b] [/oops]", "\x1b[2J"):
        yield "content", text


def scripted(reply: Reply) -> Iterator[Delta]:
    return (("content", chunk) for chunk in reply.server.script[reply.spec.key])


def told(reply: Reply) -> Iterator[Delta]:
    """What the test's own function answers to the request, word by word."""
    text = reply.server.responder(reply.record())
    return (("content", word) for word in re.findall(r"\S+\s*|\s+", text))


def prose_words(seed: str, first: int, last: int) -> Iterator[str]:
    """Words `first` to `last` of a text of sentences and paragraphs, which is the same at each request.

    Texts whose seeds begin with the same "TOPIC-" are about the same words. A word is 1.12 tokens on average,
    by engine.token_estimate.
    """
    topic = random.Random(seed.partition("-")[0])
    about = ["".join(map(topic.choice, ("bdfklmnprst", "aeiou", "lmnrst", "aeiou"))) for _ in range(60)]
    for i in range(first, last):
        word = random.Random(f"{seed} {i}").choice((*about, "the", "of", "and", "with"))
        word = word.capitalize() if i % 12 == 0 else word
        yield word + ("." if i % 12 == 11 else "") + ("\n\n" if i % 60 == 59 else " ")


async def prose(reply: Reply) -> web.StreamResponse:
    """`n` words in sentences, four a chunk; goes on behind what an assistant's message says already.

    A limit of tokens in the request ends it, as a real server's does.
    """
    said = [message_text(message) for message in reply.messages() if message["role"] == "assistant"]
    first = sum(len(text.split()) for text in said)
    most = reply.body.get("max_completion_tokens") or reply.body.get("max_tokens")
    last = max(reply.spec.n, first + 12)
    bound = last if most is None else first + round(most / TOKENS_PER_WORD)
    words = list(prose_words(reply.spec.key, first, min(last, bound)))
    chunks = [("content", "".join(words[at : at + PROSE_CHUNK])) for at in range(0, len(words), PROSE_CHUNK)]
    return await Answer(lambda _: chunks, "length" if bound < last else "stop")(reply)


async def silence(reply: Reply) -> NoReturn:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def keepalives(reply: Reply) -> NoReturn:
    while True:
        await asyncio.sleep(KEEPALIVE_SECONDS)
        await reply.response.write(reply.keepalive)


async def endless(reply: Reply) -> web.StreamResponse:
    reply.spec = replace(reply.spec, tps=reply.spec.tps or 200.0)
    await reply.begin()
    await reply.send([reply.heading()])
    await reply.send(("content", reply.word(i)) for i in itertools.count())
    return reply.response


def dropped(*, hard: bool) -> Mode:
    """Break the connection: with RST if `hard`, which a socket that may not linger sends, else with FIN."""

    async def drop(reply: Reply) -> web.StreamResponse:
        await asyncio.sleep(FLUSH_SECONDS)
        reply.complete = True
        if (transport := reply.http.transport) is not None:
            if hard:
                no_linger = struct.pack("ii", 1, 0)
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
            transport.abort()
        return reply.response

    return drop


def ending_in(last: Callable[[Reply], bytes]) -> Mode:
    async def end(reply: Reply) -> web.StreamResponse:
        return await reply.end(last(reply))

    return end


def not_utf8(reply: Reply) -> bytes:
    return reply.encode(("content", "bad BYTES")).replace(b"BYTES", b"\xff\xfe\x80") + reply.ending()


def torn_json(reply: Reply) -> bytes:
    return reply.encode(("content", "TEAR HERE")).partition(b" HERE")[0] + b"\n\n" + reply.ending()


def error_event(reply: Reply) -> bytes:
    failure = reply.failure("The server failed while it processed the request", "server_error", "overloaded")
    return reply.frame(failure) + reply.terminator


def error_choice(reply: Reply) -> bytes:
    failure = {"error": {"code": 502, "message": "The provider disconnected"}}
    return reply.frame(reply.chunk({"content": ""}, "error") | failure) + DONE


async def comments(reply: Reply) -> web.StreamResponse:
    def encode(delta: Delta) -> bytes:
        return b": PROCESSING\r\n\r\n" + reply.encode(delta).replace(b"\n\n", b"\r\n\r\n")

    await reply.begin()
    await reply.send(reply.text(), encode)
    return await reply.end(reply.ending())


async def bare(reply: Reply) -> web.StreamResponse:
    await reply.response.prepare(reply.http)
    await reply.send(reply.text(), lambda delta: reply.frame({"choices": [{"delta": dict([delta])}]}))
    return await reply.end(reply.frame({"choices": [{"delta": {}, "finish_reason": "stop"}]}) + DONE)


async def stated_usage(reply: Reply) -> web.StreamResponse:
    await reply.begin()
    await reply.send(reply.text())
    usage = reply.frame({**reply.chunk({}), "choices": [], "usage": 0})
    usage = usage.replace(b'"usage":0', b'"usage":' + reply.server.usage_json.encode())
    return await reply.end(reply.frame(reply.chunk({}, "stop")) + usage + DONE)


async def split_utf8(reply: Reply) -> web.StreamResponse:
    await reply.begin()
    await reply.send([reply.heading()])
    for _ in range(reply.spec.n):
        torn = reply.encode(("content", "TEXT ")).replace(b"TEXT", "naïve→日本🦊".encode())
        middle = torn.index("🦊".encode()) + 2
        await reply.response.write(torn[:middle])
        await asyncio.sleep(0.01)
        await reply.response.write(torn[middle:])
        reply.sent += 1
    return await reply.end(reply.ending())


async def leak(reply: Reply) -> web.StreamResponse:
    message = f"Incorrect API key provided: {reply.sent_key}"
    return await reply.refuse(401, message, "invalid_request_error", "invalid_api_key")


async def leak_stream(reply: Reply) -> web.StreamResponse:
    await reply.begin()
    await reply.send([reply.heading()])
    failure = reply.failure(f"The provider refused {reply.sent_key}", "server_error")
    return await reply.end(reply.frame(failure) + reply.terminator)


async def ends(reply: Reply) -> web.StreamResponse:
    return await Answer(Reply.text, reply.spec.finish)(reply)


def web_page(status: int, title: str) -> Mode:
    async def show(reply: Reply) -> web.StreamResponse:
        page = f"<!doctype html><html><h1>{title}</h1></html>"
        return web.Response(status=status, text=page, content_type="text/html")

    return show


async def flaky(reply: Reply) -> web.StreamResponse:
    failures, spec = reply.server.flaky_failures, reply.spec
    if failures[spec.key] >= spec.fail:
        return await MODES["ok"](reply)
    failures[spec.key] += 1
    return await reply.refuse(spec.status, "Try again", "server_error", retry_after=spec.retry_after)


async def limited(reply: Reply) -> web.StreamResponse:
    admitted, spec, now = reply.server.admitted[reply.spec.key], reply.spec, time.monotonic()
    while admitted and admitted[0] <= now - 1:
        admitted.popleft()
    if len(admitted) < spec.allow:
        admitted.append(now)
        return await MODES["ok"](reply)
    return await reply.refuse(429, "Rate limit reached", "requests", retry_after=spec.retry_after)


async def context_once(reply: Reply) -> web.StreamResponse:
    used, limit = sum(map(len, message_texts(reply.messages()))), reply.spec.limit
    return await (MODES["ok"](reply) if used <= limit else too_long(used, limit)(reply))


async def no_schema(reply: Reply) -> web.StreamResponse:
    if "response_format" in reply.body:
        return await Refusal(400, "This response_format type is unavailable now")(reply)
    return await MODES["told"](reply)


def too_long(used: int, limit: int) -> Refusal:
    message = f"This model's maximum context length is {limit} tokens. However, you requested {used} tokens."
    return Refusal(400, message, code="context_length_exceeded")


MODES: dict[str, Mode] = {
    # Good answers: a heading of the request's own and `n` words, where nothing else is said.
    "ok": Answer(Reply.text),
    "no_usage": Answer(Reply.text, with_usage=False),  # usage is withheld even if asked for
    "length": Answer(Reply.text, "length"),
    "content_filter": Answer(Reply.text, "content_filter"),
    "ends": ends,  # for the reason `finish`
    # `reason` deltas of reasoning_content, or of the field some gateways name reasoning, before the text.
    "reasoning": Answer(lambda reply: (*reply.thoughts(), *reply.text())),
    "reasoning2": Answer(lambda reply: (*reply.thoughts("reasoning"), *reply.text())),
    "reasoning_only": Answer(Reply.thoughts),  # and never any content
    "think": Answer(thought_aloud),  # reasoning between <think> tags in the content
    "one_line": Answer(in_one_line),  # one line of `size` characters (a million) in some 300 chunks
    "echo": Answer(echoed),  # exactly the last user message
    "scripted": Answer(scripted),  # the chunks in server.script[key]
    "prose": prose,  # `n` words in sentences, as many as a limit of tokens lets through
    "told": Answer(told),  # what server.responder says
    "control": Answer(hostile),  # escape sequences, NUL, BEL and console markup
    "empty_stop": Answer(lambda reply: ()),  # well-formed, and says nothing
    # Odd on the wire, yet a careful client gets the text.
    "comments": comments,  # a comment before each chunk, CRLF line ends
    "stated_usage": stated_usage,  # whatever server.usage_json is, where the usage should be
    "bare": bare,  # chunks without id, object, created, model or index
    "split_utf8": split_utf8,  # a character torn in two by separate TCP writes
    "non_utf8": Fault("text", ending_in(not_utf8)),  # one chunk with invalid bytes, then a good end
    "bad_json": Fault("text", ending_in(torn_json)),  # one event that is not JSON, then a good end
    "json_body": lambda reply: reply.whole(reply.text()),  # one JSON document though a stream was asked for
    # Silence on an open connection, or no end.
    "hang": Fault("text", silence),
    "hang_headers": Fault("headers", silence),
    "hang_connect": Fault("nothing", silence),  # not one byte in reply
    "keepalive_hang": Fault("text", keepalives),  # only comments, for ever
    "endless": endless,  # words for ever, 200 a second unless `tps` says otherwise
    # An end before its time.
    "reset": Fault("text", dropped(hard=True)),  # TCP RST
    "reset_connect": Fault("nothing", dropped(hard=True)),
    "cut": Fault("text", dropped(hard=False)),  # FIN inside the chunked body
    "no_done": Fault("text", ending_in(lambda reply: b"")),  # nor finish_reason
    "empty": Fault("headers", ending_in(lambda reply: b"")),
    "empty_done": Fault("headers", ending_in(lambda reply: reply.terminator)),  # [DONE] and nothing else
    "error_event": Fault("text", ending_in(error_event)),  # an error object as an event
    "error_first": Fault("headers", ending_in(error_event)),  # the same in place of an answer
    "error_choice": Fault("text", ending_in(error_choice)),  # OpenRouter: an error beside the choices
    "leak_stream": leak_stream,  # one chunk, then an error event that repeats the Authorization header
    # Refusals.
    "leak": leak,  # 401 that repeats the Authorization header
    "html": web_page(200, "Please sign in"),
    "http502html": web_page(502, "502 Bad Gateway"),
    "flaky": flaky,  # HTTP `status` to the first `fail` requests with this `key`, then ok
    "limited": limited,  # HTTP 429 to more than `allow` requests with this `key` in a second, else ok
    "no_schema": no_schema,  # 400 to a response_format, in DeepSeek's words, else as `told`
    "context_once": context_once,  # 400 while the messages hold more than `limit` characters, else ok
    "http400": Refusal(400, "Invalid value for 'temperature'"),
    "http400ctx": too_long(9001, 8192),
    "http401": Refusal(401, "Incorrect API key provided: sk-wrong", code="invalid_api_key"),
    "http402": Refusal(402, "Insufficient credits", "billing_error"),
    "http403": Refusal(403, "This account may not use the model", "permission_error"),
    "http404": Refusal(404, "The model does not exist", code="model_not_found"),
    "http408": Refusal(408, "Request timed out", "timeout"),
    "http413": Refusal(413, "Request too large"),
    "http422": Refusal(422, "Unprocessable request"),
    "http429": Refusal(429, "Rate limit reached", "requests", "rate_limit_exceeded", retry=True),
    "http429_bare": Refusal(429, "Rate limit reached", "requests", "rate_limit_exceeded"),
    "http429quota": Refusal(429, "You exceeded your quota", "insufficient_quota", "insufficient_quota"),
    "http500": Refusal(500, "Internal server error", "server_error"),
    "http502": Refusal(502, "Bad gateway", "server_error"),
    "http503": Refusal(503, "Overloaded", "server_error", retry=True),
    "http529": Refusal(529, "Overloaded", "overloaded_error"),
}


class ModelServer:
    """The server on a thread of its own, so that a blocked test does not block it; a context manager.

    `models` is what the model lists show, `script` what the mode `scripted` says, `responder` what the mode
    `told` answers to a request, `usage_json` what `stated_usage` counts; a test may set all of them.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port  # 0 until a free one is found on entering
        self.flaky_failures: Counter[str] = Counter()
        self.admitted: defaultdict[str, deque[float]] = defaultdict(deque)
        self._replies: list[Reply] = []
        self._changed = threading.Condition()
        self._started: Future[None] = Future()
        self._closing = False
        self.reset()

    @property
    def root_url(self) -> str:
        """The base URL for an Ollama client."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base URL for an OpenAI client."""
        return f"{self.root_url}/v1"

    @property
    def requests(self) -> list[Request]:
        """The chat requests since the last reset, in order of arrival."""
        with self._changed:
            return [reply.record() for reply in self._replies]

    def reset(self) -> None:
        """Make the server as new: no requests, no flaky failures, the default models, nothing to say."""
        with self._changed:
            self._replies.clear()
            self.flaky_failures.clear()
            self.admitted.clear()
            self.models = ["ok"]
            self.script: dict[str, list[str]] = {}
            self.usage_json = "null"
            self.responder: Callable[[Request], str] = lambda request: f"{request.model} was told nothing"

    def wait_for(self, predicate: Callable[[list[Request]], object], timeout: float = 5) -> list[Request]:
        """Block until `predicate(requests)` holds and return those requests; AssertionError on timeout (s).

        An IndexError in the predicate counts as "not yet". Call this through `asyncio.to_thread` where the
        client under test runs on the caller's own event loop.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                requests = self.requests
                with suppress(IndexError):
                    if predicate(requests):
                        return requests
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    seen = "".join(f"\n  {request}" for request in requests) or " none"
                    raise AssertionError(f"not so within {timeout:g} s; requests seen:{seen}")
                # Chunk counts move without a notification, so look again now and then.
                self._changed.wait(min(remaining, 0.02))

    def __enter__(self) -> ModelServer:
        self._thread = threading.Thread(target=self._run, name="model-server", daemon=True)
        self._thread.start()
        self._started.result(timeout=10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        # A handler is cancelled the moment its client disconnects.
        runner = web.AppRunner(self._app(), handler_cancellation=True, access_log=None, shutdown_timeout=0.01)
        try:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self.port, backlog=1024).start()
            self.port = runner.addresses[0][1]
            self._started.set_result(None)
            await self._stop.wait()
        except OSError as error:
            self._started.set_exception(error)
        finally:
            self._closing = True
            await runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", partial(self._chat, Reply))
        app.router.add_post("/api/chat", partial(self._chat, OllamaReply))
        app.router.add_get("/v1/models", self._openai_models)
        app.router.add_get("/api/tags", self._ollama_models)
        app.router.add_get("/_requests", self._list_requests)
        app.router.add_post("/_reset", self._reset)
        return app

    async def _chat(self, reply_type: type[Reply], http: web.Request) -> web.StreamResponse:
        try:
            body = await http.json()
            with self._changed:
                reply = reply_type(self, http, body, len(self._replies) + 1)
                self._replies.append(reply)
                self._changed.notify_all()
        except (ValueError, KeyError, TypeError) as error:
            return web.json_response({"error": {"message": f"bad request: {error!r}"}}, status=400)
        try:
            modes = MODES | reply.own_modes
            return await modes.get(reply.spec.mode, MODES["http404"])(reply)
        except (asyncio.CancelledError, ConnectionError):
            reply.disconnected = not (reply.complete or self._closing)
            raise
        finally:
            with self._changed:
                reply.ended = time.monotonic()
                self._changed.notify_all()

    async def _openai_models(self, _: web.Request) -> web.Response:
        entries = [{"id": name, "object": "model", "created": 0, "owned_by": "tests"} for name in self.models]
        return web.json_response({"object": "list", "data": entries})

    async def _ollama_models(self, _: web.Request) -> web.Response:
        return web.json_response({"models": [ollama_entry(name) for name in self.models]})

    async def _list_requests(self, _: web.Request) -> web.Response:
        return web.json_response([asdict(request) for request in self.requests])

    async def _reset(self, _: web.Request) -> web.Response:
        self.reset()
        return web.Response(status=204)


def ollama_entry(model: str) -> Json:
    name = model if ":" in model else f"{model}:latest"
    family, size = ("nomic-bert", "137M") if "embed" in model else ("llama", "8.0B")
    details = {"format": "gguf", "family": family, "parameter_size": size, "quantization_level": "Q4_K_M"}
    return {"name": name, "model": name, "size": 4_000_000_000, "digest": "0" * 64, "details": details}


def main() -> None:
    parser = argparse.ArgumentParser(description="A local model provider with planted faults.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--port-file", type=Path, help="where to write the port once it is bound")
    arguments = parser.parse_args()
    # Set both: a shell starts background jobs with SIGINT ignored.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    with suppress(KeyboardInterrupt), ModelServer(arguments.port) as server:
        if arguments.port_file:
            draft = arguments.port_file.with_name(arguments.port_file.name + ".part")
            draft.write_text(str(server.port))
            draft.replace(arguments.port_file)
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
