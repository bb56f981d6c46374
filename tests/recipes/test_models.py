"""The models of a machine with these keys, endpoints and servers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.gateway import discovery
from moa_tui.gateway.discovery import LocalModel, LocalServer
from moa_tui.gateway.gateway import Gateway
from moa_tui.recipes.models import ModelCatalog, ModelChoice
from moa_tui.settings.config import Endpoint, Settings
from tests.model_server import ModelServer

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "sk-canary-20c4e1"


def models(environ: dict[str, str], **endpoints: Endpoint) -> ModelCatalog:
    return ModelCatalog(Settings(endpoints=endpoints), Gateway(endpoints, environ), environ)


@pytest.fixture
def only_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """No local server is looked for, whatever the machine the test runs on has."""
    monkeypatch.setattr(discovery, "default_servers", lambda environ: ())


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def test_models_at_hand_come_first_with_where_they_are_and_what_they_cost(
    servers: dict[str, tuple[LocalModel, ...]],
) -> None:
    servers["ollama"] = (LocalModel("qwen3:14b", 14),)
    servers["vllm"] = (LocalModel("served", 7),)
    servers["lab"] = (LocalModel("own"),)
    lab = Endpoint(base_url="http://127.0.0.1:2/v1", key_env="LAB_KEY")
    choices = models({"OPENAI_API_KEY": CANARY}, lab=lab).models()
    ollama, vllm, endpoint, *rest = choices
    assert ollama.name == "ollama_chat/qwen3:14b"
    assert (ollama.where, ollama.prompt_price, ollama.context_tokens) == ("ollama", 0.0, 16_384)
    assert ollama.api_base == "http://127.0.0.1:11434"
    assert vllm == ModelChoice("openai/served", "vllm", api_base="http://127.0.0.1:8000/v1"), (
        "what else is asked is not known"
    )
    assert (endpoint.name, endpoint.where, endpoint.prompt_price) == ("lab/own", "lab", 0.0)
    assert endpoint.missing_key == "LAB_KEY"
    by_name = {choice.name: choice for choice in rest}
    assert by_name["gpt-6-luna"].missing_key is None
    assert (by_name["gpt-6-luna"].context_tokens or 0) > 100_000
    assert (by_name["gpt-6-luna"].completion_price or 0) > 0
    assert by_name["claude-haiku-5-5"].missing_key == "ANTHROPIC_API_KEY"
    names = [choice.name for choice in choices]
    assert names.index("gpt-6-luna") < names.index("demo/terse") < names.index("claude-haiku-5-5")
    assert CANARY not in repr(choices)


@pytest.mark.usefixtures("only_endpoints")
def test_an_endpoint_is_asked_for_its_models_with_its_own_key(server: ModelServer) -> None:
    server.models = ["ok", "nomic-embed-text"]
    lab = Endpoint(base_url=server.url, key_env="LAB_KEY")
    gone = Endpoint(base_url="http://127.0.0.1:9/v1")
    choices = models({"LAB_KEY": CANARY}, lab=lab, gone=gone).models()
    assert [choice.name for choice in choices if choice.where in ("lab", "gone")] == ["lab/ok"]


def test_the_key_is_sent_to_the_endpoint_and_stays_in_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, str]] = []

    class Connection:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        def request(self, method: str, path: str, headers: dict[str, str]) -> None:
            sent.append({"method": method, "path": path, **headers})
            raise OSError("no answer")

        def close(self) -> None: ...

    monkeypatch.setattr("http.client.HTTPConnection", Connection)
    endpoints = {"lab": Endpoint(base_url="http://lab.example/v1/", key_env="LAB_KEY")}
    candidates = discovery.endpoint_servers(endpoints, {"LAB_KEY": CANARY})
    assert CANARY not in repr(candidates)
    assert discovery.find_servers(candidates) == ()
    assert sent == [
        {
            "method": "GET",
            "path": "/v1/models",
            "Accept": "application/json",
            "Authorization": f"Bearer {CANARY}",
        }
    ]
    monkeypatch.setattr(
        discovery, "_ask", lambda server, tell: tell(replace(server, models=(LocalModel("m"),)))
    )
    (found,) = discovery.find_servers(candidates)
    assert found == LocalServer("lab", "http://lab.example/v1", "openai", (LocalModel("m"),))


def test_the_situation_names_keys_and_servers_but_no_key(servers: dict[str, tuple[LocalModel, ...]]) -> None:
    servers["ollama"] = (LocalModel("qwen3:14b", 14),)
    situation = models({"GOOGLE_API_KEY": CANARY}).situation()
    assert situation.keys == {"gemini": "GOOGLE_API_KEY"}
    (ollama,) = situation.servers
    assert (ollama.name, ollama.url, ollama.models) == ("ollama", "http://127.0.0.1:11434", ("qwen3:14b",))
    assert CANARY not in repr(situation)
