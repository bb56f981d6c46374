"""The runs of one selection with fake models, where what calls cost is known."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast

from moa_tui.cli.select_run import SelectionRun, SelectOptions
from moa_tui.engine.agent import Sampling
from moa_tui.evaluation.benchmarks import open_input
from moa_tui.evaluation.grade import model_judge
from moa_tui.evaluation.select import Selection
from moa_tui.evaluation.select_trials import Trials, contenders_of, first_turns

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from moa_tui.chat.backend import Backend
    from moa_tui.recipes.catalog import RecipeCatalog
    from tests.fakes import FakeGateway


def test_a_price_cap_holds_over_all_trials_and_can_be_raised(
    backend: Backend, gateway: FakeGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each call costs a tenth of a cent; one at a time, so that what is held for others does not count."""
    gateway.price = 1e-6
    models = gateway.stream
    file = tmp_path / "in.jsonl"
    file.write_text('{"prompt": "question 1"}\n{"prompt": "question 2"}\n')
    prompts = open_input(file)
    contenders, _ = contenders_of(["a", "b"], (), Sampling(max_tokens=10))
    trials = Trials(contenders, contenders[0], first_turns(prompts))
    root = tmp_path / "chosen"
    selection = Selection(trials, model_judge("judge"), "a", root, prompts.sha256, prompts.format)
    plain: dict[str, Any] = dict.fromkeys(field.name for field in fields(SelectOptions))
    plain |= {
        "folder": root,
        "reuse": (),
        "concurrency": 1,
        "schedule": "prompt",
        "skip_bad": False,
        "quiet": True,
    }

    def code(max_cost: float) -> int:
        options = SelectOptions(**plain | {"max_cost": max_cost})
        catalog = cast("RecipeCatalog", None)  # Nothing is proposed, so that no recipe is written.
        return SelectionRun(options, selection, prompts, backend, catalog).code()

    def calls() -> int:
        return sum(map(len, models.asked.values()))

    assert code(0.0065) == 1
    assert calls() == 7
    assert "no recipe is proposed yet" in capsys.readouterr().err
    # Nothing is left of the same cap, whatever was paid in which folder.
    assert code(0.0065) == 1
    assert calls() == 7
    assert code(0.0105) == 1
    assert calls() == 11
