"""Models of local servers whose names cannot stand in a recipe. A server may list any text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moa_tui.cli.doctor_report import Report
from moa_tui.errors import NoLocalModelError
from moa_tui.gateway import discovery
from moa_tui.gateway.discovery import LocalModel, LocalServer
from moa_tui.gateway.gateway import Gateway
from moa_tui.recipes.catalog import RecipeCatalog
from moa_tui.recipes.local import local_recipe
from moa_tui.recipes.models import ModelCatalog
from moa_tui.settings.config import Settings
from tests.cli.shell import call
from tests.ui.chat_app import DUO, chat_app

if TYPE_CHECKING:
    from pathlib import Path

UNUSABLE = [
    "sk-proj-0123456789abcdefghij",
    "hf_abcdefghij0123456789:7b",
    "\ue000",
    "x\U000f0000",
    "\u2800\ue001",
]


def listing(*names: str, protocol: discovery.Protocol = "ollama") -> LocalServer:
    return LocalServer("ollama", "http://127.0.0.1:9", protocol, tuple(map(LocalModel, names)))


@pytest.fixture
def catalogs(tmp_path: Path) -> tuple[RecipeCatalog, ModelCatalog]:
    models = ModelCatalog(Settings(), Gateway({}, {}), {})
    return RecipeCatalog(Settings(), Gateway({}, {}), tmp_path, models.local_servers), models


@pytest.mark.parametrize("protocol", ["ollama", "openai"])
@pytest.mark.parametrize("name", UNUSABLE)
def test_a_model_that_cannot_be_an_agent_is_left_out_of_everything(
    monkeypatch: pytest.MonkeyPatch,
    catalogs: tuple[RecipeCatalog, ModelCatalog],
    name: str,
    protocol: discovery.Protocol,
) -> None:
    recipes, models = catalogs
    monkeypatch.setattr(discovery, "find_servers", lambda _: (listing(name, protocol=protocol),))
    assert not models.local_servers()
    assert all(name not in model.name for model in models.models())
    assert all(recipe.name != "local" for recipe in recipes.recipes())
    assert recipes.first(None)[0].name == "demo", "the person gets a recipe that runs"
    with pytest.raises(NoLocalModelError):
        recipes.load("local")
    with pytest.raises(NoLocalModelError, match="another name") as caught:
        local_recipe([listing(name, protocol=protocol)])
    assert "\ue000" not in str(caught.value)


def test_the_others_of_its_server_are_asked() -> None:
    recipe = local_recipe([listing(*UNUSABLE, "xai-grok-1-base-model", "gemma3:1b")])
    assert {agent.name for agent in recipe.every_agent()} == {"xai-grok-1-base-model", "gemma3:1b"}


def test_doctor_says_which_model_was_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moa_tui.cli.doctor_report.find_servers", lambda _: (listing(UNUSABLE[0], "fine"),))
    report = Report()
    lines = "\n".join(report.lines())
    assert "fine" in lines
    assert any("1 model left out" in problem and UNUSABLE[0] in problem for problem in report.problems)


def test_a_plain_question_is_answered_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "find_servers", lambda _: (listing("sk-proj-0123456789abcdefghij"),))
    shown = call("ask", "--dry-run", "hello")
    assert shown.exit_code == 0, shown.output
    assert "demo" in shown.output


@pytest.mark.parametrize(("key", "method"), [("f2", "recipes"), ("/model", "models")])
async def test_a_list_that_cannot_be_made_says_so(
    monkeypatch: pytest.MonkeyPatch, key: str, method: str
) -> None:
    def broken(_: object) -> None:
        raise ValueError("a fault")

    async with chat_app(DUO, size=(80, 24)) as bench:
        monkeypatch.setattr(RecipeCatalog if method == "recipes" else ModelCatalog, method, broken)
        if key.startswith("/"):
            await bench.submit(key)
        else:
            await bench.press(key)
        await bench.until_shown(f"{method} could not be listed", "ValueError")
        bench.app.faults.clear()
