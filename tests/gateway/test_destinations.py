"""Where an agent's calls go: the address, the key, and whether the person has set both up."""

from __future__ import annotations

import pytest

from moa_tui.engine.agent import Agent
from moa_tui.gateway.destinations import address_of, destination, is_loopback
from moa_tui.settings.config import Endpoint


@pytest.mark.parametrize(
    ("address", "is_here"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("https://localhost/v1", True),
        ("http://[::1]:8000", True),
        ("http://127.0.0.1.nip.io/v1", False),
        ("http://localhost.example/v1", False),
        ("http://127.1/v1", False),
        ("http://[::ffff:127.0.0.1]/v1", False),
        ("ftp://127.0.0.1/", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_this_machine_is_known_by_its_plain_names_alone(address: str, is_here: bool) -> None:
    assert is_loopback(address) is is_here


@pytest.mark.parametrize(
    ("provider", "environ", "address"),
    [
        ("openai", {}, None),
        ("openai", {"OPENAI_API_BASE": "https://b/v1"}, "https://b/v1"),
        ("openai", {"OPENAI_API_BASE": "https://b/v1", "OPENAI_BASE_URL": "https://a/v1"}, "https://a/v1"),
        ("groq", {"OPENAI_BASE_URL": "https://a/v1"}, None),
        ("lm_studio", {}, "http://127.0.0.1:1234/v1"),
        ("ollama", {"OLLAMA_API_BASE": "http://gpu:11434"}, "http://gpu:11434"),
        ("openai", {"USE_LITELLM_PROXY": "True", "LITELLM_PROXY_API_BASE": "http://p"}, "http://p"),
    ],
)
def test_the_environment_moves_an_address_and_it_is_shown(
    provider: str, environ: dict[str, str], address: str | None
) -> None:
    assert address_of(provider, environ) == address
    place = destination(Agent(model=f"{provider}/x"), provider, {}, environ)
    assert place.is_set_up
    assert place.server == (address or provider)
    assert place.is_own_address is (address is None)


def test_words_name_server_key_and_model() -> None:
    lab = {"lab": Endpoint(base_url="http://lab:1/v1", key_env="LAB_KEY")}
    place = destination(Agent(model="lab/x"), "lab", lab, {})
    assert place.words == "http://lab:1/v1, with the key in LAB_KEY (lab/x)"
    keyless = destination(Agent(model="openai/x", api_base="http://127.0.0.1:1/v1"), "openai", {}, {})
    assert keyless.words == "http://127.0.0.1:1/v1, without a key (openai/x)"
    assert keyless.mark != place.mark
