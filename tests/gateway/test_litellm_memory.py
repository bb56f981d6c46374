"""What is dropped of litellm, and that it comes back where somebody asks for it."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.gateway.litellm_memory import lighten
from moa_tui.gateway.thread import load_litellm_stream
from moa_tui.gateway.transport import Exchange, current_exchange

if TYPE_CHECKING:
    from tests.gateway.conftest import Bench
    from tests.model_server import ModelServer

MAPS = "litellm.litellm_core_utils.get_model_cost_map"


def package(**parts: Any) -> dict[str, ModuleType]:
    """litellm's modules, with nothing in them but `parts`: what a later version may have of them."""
    modules = {name: ModuleType(name) for name in ("litellm", "litellm.main", "litellm.utils", MAPS)}
    modules["litellm"].model_cost = {"gpt": {}}  # type: ignore[attr-defined]
    for name, part in parts.items():
        where, _, attribute = name.partition("__")
        vars(modules[f"litellm.{where}" if where != "maps" else MAPS])[attribute] = part
    return modules


def test_a_version_of_litellm_without_any_of_it_is_left_as_it_is() -> None:
    modules = package()
    before = {name: set(vars(module)) for name, module in modules.items()}
    lighten(modules)
    assert {name: set(vars(module)) for name, module in modules.items()} == before


def test_the_tokenizer_is_loaded_by_whoever_counts_with_it() -> None:
    loads = []

    def load(name: str) -> str:
        loads.append(name)
        return "an encoding"

    modules = package(main____getattr__=load)
    lighten(modules)
    encoding = vars(modules["litellm.main"])["encoding"]
    assert not loads
    assert encoding.upper() == "AN ENCODING"
    assert loads == ["encoding"]


def test_the_map_of_models_is_there_once() -> None:
    class Maps:
        _loaded_catalog: Any = None

    modules = package(maps__GetModelCostMap=Maps, utils__get_bundled_model_cost_map=dict)
    lighten(modules)
    models = modules["litellm"].model_cost
    call = current_exchange.set(Exchange(()))
    assert modules["litellm.utils"].get_bundled_model_cost_map() is models
    current_exchange.reset(call)
    assert modules["litellm.utils"].get_bundled_model_cost_map() == {}
    assert dict(Maps._loaded_catalog) == models


FILES: list[dict[str, Any]] = [
    {"role": "user", "content": [{"type": "file", "file": {"file_id": "litellm_proxy/1"}}]}
]


def test_who_else_uses_litellm_gets_what_it_gives() -> None:
    """What is replaced in the calls made here stands for all others: no call is being made in a test."""
    litellm = load_litellm_stream().litellm
    given = copy.deepcopy(FILES)
    litellm.completion(
        model="gpt-4o",
        messages=given,
        mock_response="x",
        model_info={"id": "mine"},
        model_file_id_mapping={"litellm_proxy/1": {"mine": "file-1"}},
    )
    assert given[0]["content"][0]["file"]["file_id"] == "file-1"
    assert litellm.utils.get_bundled_model_cost_map() is not litellm.model_cost


def test_litellm_still_counts_tokens_where_it_is_asked_to() -> None:
    litellm = load_litellm_stream().litellm
    assert len(litellm.encoding.encode("What is a moa?")) == 6


FIRST_CALL = """
import asyncio, json, sys
from moa_tui.engine.agent import Agent
from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.thread import load_litellm_stream
from moa_tui.settings.config import Endpoint

load_litellm_stream()
before = set(sys.modules)

async def text():
    gateway = Gateway({"lab": Endpoint(base_url=sys.argv[1])}, {})
    pieces = gateway.stream(Agent(model="lab/ok@n=3"), [{"role": "user", "content": "What is a moa?"}])
    return "".join([getattr(piece, "text", "") async for piece in pieces])

print(json.dumps([asyncio.run(text()), sorted(set(sys.modules) - before), sorted(sys.modules)]))
"""
NOT_FOR_A_CHAT = {
    "litellm.proxy._types",  # the models of its proxy's requests
    "litellm.litellm_core_utils.default_encoding",  # the tokenizer's table
    "tokenizers",
    "boto3",
    "fastapi",
}


@pytest.mark.program
def test_the_first_call_loads_nothing_any_more_and_needs_no_tokenizer(server: ModelServer) -> None:
    command = [sys.executable, "-c", FIRST_CALL, server.url]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    text, loaded_by_the_call, loaded = json.loads(done.stdout)
    assert text == "answer-1-ok each model drafts "
    assert loaded_by_the_call == []
    assert not NOT_FOR_A_CHAT & set(loaded)


def test_the_rehearsal_sends_nothing(bench: Bench) -> None:
    adapter = load_litellm_stream()
    bench.engine.submit(adapter.rehearse()).result(timeout=30)
    assert bench.server.requests == []
