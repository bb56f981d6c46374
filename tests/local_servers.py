"""Local model servers as they answer: the replies of their lists, in the forms that their makers document.

A reply here is cut to what tells one server from another; the names of keys and values are theirs.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from moa_tui.gateway.discovery import LocalServer

if TYPE_CHECKING:
    from moa_tui.gateway.discovery import Protocol

Json = dict[str, Any]


class ListingServer:
    """A server on loopback that answers each path with its reply, else with 404; a context manager.

    `replies` maps "/path", or "/path MODEL" for a question about one model, to a JSON value, to bytes as they
    are, or to a status and one of these. `asked` are the paths in the order in which they were asked for.
    """

    def __init__(self, name: str, protocol: Protocol, replies: dict[str, Any]) -> None:
        self.replies = replies
        self.asked: list[str] = []
        listing = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(self.path)

            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(f"{self.path} {question['model']}")

            def _answer(self, asked: str) -> None:
                listing.asked.append(asked)
                reply = listing.replies.get(asked, (404, {"error": "not found"}))
                status, value = reply if isinstance(reply, tuple) else (200, reply)
                body = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        root = f"http://127.0.0.1:{self._server.server_port}"
        self.candidate = LocalServer(name, root if protocol == "ollama" else f"{root}/v1", protocol)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def ollama_entry(
    name: str, billions: str, gigabytes: float, quantization: str = "Q4_K_M", **others: object
) -> Json:
    """An entry of Ollama's /api/tags."""
    details = {"format": "gguf", "family": "llama", "families": ["llama"], "parent_model": ""}
    details |= {"parameter_size": billions, "quantization_level": quantization}
    entry = {"name": name, "model": name, "modified_at": "2025-10-03T23:34:03.409490317-07:00"}
    return {**entry, "size": int(gigabytes * 1e9), "digest": "a2af6cc3eb7f", "details": details, **others}


def llama_cpp_replies(model: str, slots: int, slot_tokens: int) -> dict[str, Any]:
    """What llama.cpp's server answers, as build 11549 does."""
    meta = {"vocab_type": 2, "n_vocab": 49152, "n_ctx": slot_tokens, "n_ctx_train": 8192, "n_embd": 576}
    meta |= {"n_params": 134_515_008, "size": 96_576_768, "ftype": "Q4_1"}
    entry = {"id": model, "aliases": [model], "tags": [], "object": "model", "created": 1795797808}
    entry |= {"architecture": {"input_modalities": ["text"], "output_modalities": ["text"]}}
    props = {"default_generation_settings": {"params": {"n_predict": -1}, "n_ctx": slot_tokens}}
    props |= {"total_slots": slots, "model_path": model, "modalities": {"vision": False, "audio": False}}
    return {
        "/v1/models": {"object": "list", "data": [{**entry, "owned_by": "llamacpp", "meta": meta}]},
        "/props": props,
    }


def vllm_replies(*models: str, context: int | None = 40_960) -> dict[str, Any]:
    """What vLLM answers; a LoRA adapter names the model that it belongs to as its parent."""
    entries = [
        {"id": model, "object": "model", "created": 1755478424, "owned_by": "vllm", "root": model}
        | {"parent": None if model == models[0] else models[0], "max_model_len": context}
        | {"permission": [{"object": "model_permission", "allow_create_engine": False}]}
        for model in models
    ]
    return {"/v1/models": {"object": "list", "data": entries}}


LM_STUDIO_LIST = {
    "object": "list",
    "data": [
        {"id": name, "object": "model", "owned_by": "organization_owner"}
        for name in ("google/gemma-4-26b-a4b", "qwen2-vl-7b-instruct", "vectors-of-meaning")
    ],
}
# LM Studio from 0.4 on.
LM_STUDIO_V1 = {
    "models": [
        {
            "type": "llm",
            "publisher": "google",
            "key": "google/gemma-4-26b-a4b",
            "display_name": "Gemma 4 26B A4B",
            "quantization": {"name": "Q4_K_M", "bits_per_weight": 4},
            "size_bytes": 17_990_911_801,
            "params_string": "26B-A4B",
            "loaded_instances": [
                {"id": "google/gemma-4-26b-a4b", "config": {"context_length": 4096, "parallel": 4}}
            ],
            "max_context_length": 262_144,
            "format": "gguf",
        },
        {
            "type": "llm",
            "key": "qwen2-vl-7b-instruct",
            "quantization": {"name": "4bit", "bits_per_weight": 4},
            "size_bytes": 4_700_000_000,
            "params_string": "7B",
            "loaded_instances": [],
            "max_context_length": 32_768,
        },
        {
            "type": "embedding",
            "key": "vectors-of-meaning",
            "loaded_instances": [],
            "max_context_length": 2048,
        },
    ]
}
# LM Studio from 0.3.6 on.
LM_STUDIO_V0 = {
    "object": "list",
    "data": [
        {
            "id": "google/gemma-4-26b-a4b",
            "object": "model",
            "type": "llm",
            "compatibility_type": "gguf",
            "quantization": "Q4_K_M",
            "state": "loaded",
            "max_context_length": 262_144,
            "loaded_context_length": 8192,
        },
        {
            "id": "qwen2-vl-7b-instruct",
            "object": "model",
            "type": "vlm",
            "compatibility_type": "mlx",
            "quantization": "4bit",
            "state": "not-loaded",
            "max_context_length": 32_768,
        },
        {"id": "vectors-of-meaning", "object": "model", "type": "embeddings", "state": "not-loaded"},
    ],
}
