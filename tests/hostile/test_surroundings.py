"""Attempts to have the environment's secrets go to a server, or a screen, that they are not for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from moa_tui.engine.agent import Agent
from moa_tui.errors import ModelError, UntrustedServerError
from moa_tui.gateway.answers import Answers
from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.thread import EngineThread, load_litellm_stream
from moa_tui.gateway.transport import Exchange
from moa_tui.settings.config import Endpoint
from tests.helpers import recipe
from tests.hostile.raw_server import RawServer, chunk, ending, head, sending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRETS = {
    "OPENAI_ORG_ID": "canary-org",
    "OPENAI_ORGANIZATION": "canary-organization",
    "OPENAI_PROJECT_ID": "canary-project",
    "OPENAI_CUSTOM_HEADERS": "X-Lab: canary-custom\nAuthorization: Bearer canary-gateway",
    "OPENAI_ADMIN_KEY": "canary-admin",
    "ANTHROPIC_CUSTOM_HEADERS": "X-Lab: canary-custom",
    "ANTHROPIC_AUTH_TOKEN": "canary-token",
}


@pytest.fixture(scope="module")
def engine(litellm_is_loaded: None) -> Iterator[EngineThread]:
    with EngineThread() as thread:
        load_litellm_stream()
        yield thread


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer(sending(head(), chunk("hello"), ending())) as server:
        yield server


@pytest.fixture
def ask(engine: EngineThread, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ask an agent with this environment, which litellm and the clients below it see as well."""

    def ask(agent: dict[str, Any], environ: dict[str, str], endpoint: str = "http://127.0.0.1:9") -> Any:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        gateway = Gateway({"lab": Endpoint(base_url=endpoint)}, environ)

        async def call() -> None:
            async for _ in gateway.stream(Agent(**agent), [{"role": "user", "content": "secret plan"}]):
                pass

        return engine.submit(call()).exception(timeout=30)

    return ask


@pytest.mark.parametrize("provider", ["openai", "cerebras", "anthropic", "groq", "ollama_chat", "lm_studio"])
def test_a_recipes_server_is_sent_no_header_of_the_environment(
    provider: str, ask: Any, server: RawServer
) -> None:
    ask({"model": f"{provider}/x", "api_base": f"{server.root}/v1"}, SECRETS)
    assert "canary" not in server.requests[0].head


def test_nor_is_an_endpoint_of_the_config(ask: Any, server: RawServer) -> None:
    ask({"model": "lab/x"}, SECRETS, f"{server.root}/v1")
    assert "canary" not in server.requests[0].head


def test_nor_is_a_provider_of_another_name(ask: Any, server: RawServer) -> None:
    environ = {"CEREBRAS_API_BASE": f"{server.root}/v1", "CEREBRAS_API_KEY": "key-of-cerebras", **SECRETS}
    ask({"model": "cerebras/x"}, environ)
    assert "canary" not in server.requests[0].head
    assert "authorization: bearer key-of-cerebras" in server.requests[0].head


def test_where_openais_own_key_goes_those_headers_go_as_well(ask: Any, server: RawServer) -> None:
    environ = {**SECRETS, "OPENAI_BASE_URL": f"{server.root}/v1", "OPENAI_API_KEY": "key-of-openai"}
    ask({"model": "openai/x"}, environ)
    sent = server.requests[0].head
    assert "openai-organization: canary-org\r\n" in sent
    assert "openai-project: canary-project\r\n" in sent
    assert "x-lab: canary-custom\r\n" in sent
    assert "canary-admin" not in sent


@pytest.mark.parametrize("name", ["openai._base_client", "httpx", "httpcore.http11", "anthropic", "LiteLLM"])
def test_no_client_below_writes_what_it_sends(
    name: str, engine: EngineThread, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = logging.StreamHandler()
    logging.getLogger().addHandler(handler)
    try:
        logging.getLogger(name).error("secret plan")
    finally:
        logging.getLogger().removeHandler(handler)
    assert "secret plan" not in "".join(capsys.readouterr())


ADDRESSES = [
    "http://user:canary@127.0.0.1:9/v1",
    "http://canary@127.0.0.1:9/v1",
    "http://a@b:canary@127.0.0.1:9/v1",
    "http://127.0.0.1:9/v1?key=canary",
    "http://127.0.0.1:9/v1?a=b@c&key=canary#canary",
    "http://127.0.0.1:9/v1#canary",
    f"http://user:{'canary' * 100}@127.0.0.1:9/v1",
    "user:canary@127.0.0.1:9/v1",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    ("provider", "variable"), [("openai", "OPENAI_BASE_URL"), ("ollama", "OLLAMA_API_BASE")]
)
def test_what_an_address_of_the_environment_holds_is_shown_nowhere(
    provider: str, variable: str, address: str, tmp_path: Path
) -> None:
    answers = Answers(tmp_path / "trusted-servers.json")
    gateway = Gateway({}, {variable: address, "LAB_KEY": "key-of-the-lab"}, answers=answers)
    thief = recipe([{"model": f"{provider}/x", "api_key_env": "LAB_KEY"}])
    with pytest.raises(UntrustedServerError) as caught:
        gateway.check_keys(thief)
    answers.give(caught.value.servers, "always")
    shown = [str(caught.value), answers.path.read_text() if answers.path else ""]
    shown += [place.words for place in gateway.destinations(thief)]
    shown.append(gateway.facts(thief.lineup[0][0]).endpoint)
    assert "canary" not in str(shown)
    assert "127.0.0.1:9/v1" in shown[0]
    gateway.check_keys(thief)


def test_a_refused_address_is_named_without_what_else_stands_in_it() -> None:
    with pytest.raises(ModelError) as caught:
        Exchange(["http://user:canary@lab.example/v1?key=canary"]).admit(
            httpx.URL("http://me:canary@evil.example/canary?key=canary#canary")
        )
    assert "canary" not in caught.value.message
    Exchange(["http://user:canary@lab.example/v1"]).admit(httpx.URL("http://user:canary@lab.example/v1/chat"))


KEYS = [
    ("gemini", "GEMINI_API_BASE", "GEMINI_API_KEY", "GOOGLE_API_KEY"),
    ("mistral", "MISTRAL_AZURE_API_BASE", "MISTRAL_API_KEY", "MISTRAL_AZURE_API_KEY"),
    ("openai", "OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_ADMIN_KEY"),
    ("together_ai", "TOGETHER_AI_API_BASE", "TOGETHERAI_API_KEY", "TOGETHER_API_KEY"),
    ("perplexity", "PERPLEXITY_API_BASE", "PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"),
    ("ollama", "OLLAMA_API_BASE", "OLLAMA_API_KEY", "OPENAI_API_KEY"),
    ("ollama_chat", "OLLAMA_API_BASE", "OLLAMA_API_KEY", "OPENAI_API_KEY"),
    ("lm_studio", "LM_STUDIO_API_BASE", "LM_STUDIO_API_KEY", "OPENAI_API_KEY"),
    ("llamafile", "LLAMAFILE_API_BASE", "LLAMAFILE_API_KEY", "OPENAI_API_KEY"),
]


@pytest.mark.parametrize(("provider", "address", "named", "other"), KEYS)
def test_the_key_that_is_named_is_the_one_that_is_sent(
    provider: str, address: str, named: str, other: str, ask: Any, server: RawServer
) -> None:
    environ = {address: f"{server.root}/v1", named: "canary-named", other: "canary-other"}
    place = Gateway({}, environ).destinations(recipe([{"model": f"{provider}/x"}]))[0]
    assert (place.key, place.is_set_up) == (named, True)
    ask({"model": f"{provider}/x"}, environ)
    assert "canary-named" in server.requests[0].head
    assert "canary-other" not in server.requests[0].head + server.requests[0].line


@pytest.mark.parametrize(("provider", "address", "named", "other"), KEYS)
def test_no_key_is_sent_where_none_is_named(
    provider: str, address: str, named: str, other: str, ask: Any, server: RawServer
) -> None:
    """Not even to this machine, by a recipe that names the server itself."""
    environ = {address: "http://127.0.0.1:9/v1", named: "canary-named", other: "canary-other"}
    agent = {"model": f"{provider}/x", "api_base": f"{server.root}/v1"}
    assert Gateway({}, environ).destinations(recipe([agent]))[0].key is None
    ask(agent, environ)
    assert "canary" not in server.requests[0].head + server.requests[0].line


def test_an_address_that_litellm_does_not_heed_is_not_passed_over(ask: Any, server: RawServer) -> None:
    """Mistral's models are asked at Mistral's own address by litellm, whatever MISTRAL_API_BASE says."""
    environ = {"MISTRAL_API_BASE": f"{server.root}/v1", "MISTRAL_API_KEY": "canary-named"}
    failure = ask({"model": "mistral/x"}, environ)
    assert failure.kind == "forbidden"
    assert "gone to https://api.mistral.ai" in failure.message
    assert not server.requests


def test_litellms_proxy_is_sent_its_own_key(ask: Any, server: RawServer) -> None:
    environ = {"USE_LITELLM_PROXY": "true", "LITELLM_PROXY_API_BASE": server.root, **SECRETS}
    environ |= {"LITELLM_PROXY_API_KEY": "key-of-proxy", "OPENAI_API_KEY": "canary-openai"}
    ask({"model": "openai/x"}, environ)
    assert "bearer key-of-proxy" in server.requests[0].head
    assert "canary" not in server.requests[0].head
    with pytest.raises(UntrustedServerError):
        Gateway({}, environ).check_keys(recipe([{"model": "openai/x", "api_key_env": "OPENAI_API_KEY"}]))
