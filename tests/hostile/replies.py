"""A server of hostile replies, and the twenty and more kinds of content that they are made of.

It runs in a process of its own, so that its work is not taken for the program's: `python -m
tests.hostile.replies PORT_FILE`. A model's name says what it answers: `PLACE.CONTENT.SIZE[.CODING]`, as in
`error.pem.25000` or `event.brackets.1000000.gzip`. It speaks the protocols of OpenAI, Ollama and Anthropic.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
import time
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Content that is repeated up to the size that is asked for.
CONTENTS = {
    "pem": "-----BEGIN PRIVATE KEY-----",
    "pem_value": "private_key=-----BEGIN A PRIVATE KEY-----",
    "keys": "sk-abcdefghij api_key='abcdefghij' ",
    "bearer": "Bearer abcdefghijkl Basic abcdefghijkl ",
    "passwords": "my_password=a&client_secret: b ",
    "logins": "://user:word@host ",
    "login_run": "://:",
    "jwt": "eyJabcdefghijkl.a.",
    "service": '{"type":"service_account"',
    "brackets": "[",
    "braces": '{"error":',
    "pairs": "[],",
    "objects": '{"a":{}},',
    "numbers": "1,",
    "digits": "7",
    "backslashes": "\\",
    "quotes": '"',
    "spaces": " ",
    "newlines": "\n",
    "fields": "data:\n",
    "events": "data: {}\n\n",
    "pings": ": ping\n\n",
    "letters": "a",
    "words": "word ",
    "emails": "name@example.org https://a.example/?key=abcdefgh ",
    "base64": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=",
    "unicode": "e\u0301\u4e2d\U0001f98a\u200d",
    "controls": "\x9b\u202e\x1b[31m\x1b]0;",
    "html": "<html><body><p class='x'>Bad gateway</p>",
    "tags": "<",
    "rate": "rate ",
    "zeros": "\0",
}
PLACES = {
    "error": "the body of an HTTP error, as it is",
    "error_json": "the message in the JSON of an HTTP error",
    "stream": "the body of a stream, as it is",
    "event": "one event of a stream, as it is",
    "text": "the text of one chunk of a stream",
    "texts": "the texts of a stream's chunks, 200 characters each",
    "midstream": "the message of an error in the middle of a stream",
    "midstream_raw": "the error in the middle of a stream, as it is",
    "body": "one JSON document where a stream was asked for",
}
BLOCK = 65_536


def repeated(content: str, size: int) -> Iterator[bytes]:
    """About `size` bytes of the content, in blocks."""
    unit = content.encode()
    block = unit * (BLOCK // len(unit) + 1)
    for start in range(0, size, len(block)):
        yield block[: size - start]


def quoted(content: str, size: int) -> Iterator[bytes]:
    """The same as the inside of a JSON string."""
    return repeated(json.dumps(content, ensure_ascii=False)[1:-1].replace("\x7f", ""), size)


# ---- the protocols: a chunk of text, an error in a stream, around a text that comes in blocks

CHUNKS = {
    "openai": (b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"', b'"}}]}\n\n'),
    "ollama": (b'{"model":"x","message":{"role":"assistant","content":"', b'"},"done":false}\n'),
    "anthropic": (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
        b'{"type":"text_delta","text":"',
        b'"}}\n\n',
    ),
}
ERRORS = {
    "openai": (b'data: {"error":', b"}\n\n"),
    "ollama": (b'{"error":', b"}\n"),
    "anthropic": (b'event: error\ndata: {"type":"error","error":', b"}\n\n"),
}
EVENTS = {"openai": (b"data: ", b"\n\n"), "ollama": (b"", b"\n"), "anthropic": (b"data: ", b"\n\n")}
TYPES = {"openai": b"text/event-stream", "ollama": b"application/x-ndjson", "anthropic": b"text/event-stream"}


def body_of(wire: str, place: str, content: str, size: int) -> Iterator[bytes]:
    """The body of a reply, in blocks."""
    start, end = CHUNKS[wire]
    hello = start + b"hello " + end
    raw, text = repeated(content, size), quoted(content, size)
    match place:
        case "error" | "stream":
            yield from raw
        case "error_json" | "body":
            yield from itertools.chain([b'{"error":{"message":"'], text, [b'"}}'])
        case "event":
            yield from itertools.chain([hello, EVENTS[wire][0]], raw, [EVENTS[wire][1]])
        case "text":
            yield from itertools.chain([start], text, [end])
        case "texts":
            piece = b"".join(quoted(content, 200))
            block = (start + piece + end) * 200
            for _ in range(0, size, len(block)):
                yield block
        case "midstream":
            before, after = ERRORS[wire]
            yield from itertools.chain([hello, before, b'{"message":"'], text, [b'"}', after])
        case "midstream_raw":
            before, after = ERRORS[wire]
            yield from itertools.chain([hello, before], raw, [after])


def compressed(blocks: Iterator[bytes], coding: str) -> Iterator[bytes]:
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16 if coding == "gzip" else zlib.MAX_WBITS)
    for block in blocks:
        if packed := packer.compress(block):
            yield packed
    yield packer.flush()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request, one reply; the connection is closed after it."""
    with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.partition("content-length:")[2].split()[0])
        request = json.loads(await reader.readexactly(length))
        wire = "ollama" if "/api/" in head else "anthropic" if "/messages" in head else "openai"
        place, content, size, *coding = request["model"].rpartition("/")[2].split(".")
        status = b"500 Failed" if place.startswith("error") else b"200 OK"
        kind = TYPES[wire] if status[:3] == b"200" and place != "body" else b"application/json"
        blocks = body_of(wire, place, CONTENTS[content], int(size))
        if coding:
            blocks = compressed(blocks, coding[0])
            kind += b"\r\nContent-Encoding: " + coding[0].encode()
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Type: " + kind)
        writer.write(b"\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        for block in blocks:
            writer.write(f"{len(block):x}\r\n".encode() + block + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
    writer.close()


async def serve(port_file: Path) -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=2**20)
    draft = port_file.with_suffix(".part")
    draft.write_text(str(server.sockets[0].getsockname()[1]))
    draft.replace(port_file)
    await server.serve_forever()


@contextmanager
def hostile_server() -> Iterator[str]:
    """Start the server in a process of its own and stop it afterwards; its address, without a path."""
    with TemporaryDirectory() as folder:
        port_file = Path(folder) / "port"
        process = subprocess.Popen([sys.executable, "-m", "tests.hostile.replies", str(port_file)])
        try:
            while not port_file.exists():
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port_file.read_text()}"
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(Path(sys.argv[1])))
