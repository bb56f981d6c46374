"""Who is a candidate, what a selection takes, and what its trials come to, without a wire."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moa_tui.engine.agent import Sampling
from moa_tui.engine.plan import ModelFacts
from moa_tui.engine.values import CallId, Failure, Reply
from moa_tui.errors import UsageError
from moa_tui.evaluation.benchmarks import open_input
from moa_tui.evaluation.folder import RunFolder
from moa_tui.evaluation.judging.questions import Candidate, Given
from moa_tui.evaluation.judging.scores import Score
from moa_tui.evaluation.manifest import InputFacts, Manifest
from moa_tui.evaluation.select import (
    SelectFigures,
    Selection,
    baseline_of,
    check_prices,
    expected_stages,
    recipe_of,
    total_of,
    unlikeness_of,
)
from moa_tui.evaluation.select_choice import Budget, Choice, choose
from moa_tui.evaluation.select_report import Alike, select_report
from moa_tui.evaluation.select_trials import (
    ROLES,
    Answers,
    Role,
    Trials,
    candidate_name,
    contenders_of,
    first_turns,
)
from moa_tui.evaluation.values import BulkPrompt, RunKey
from tests.evaluation.conftest import prompts
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.engine.agent import Agent

WARM = Sampling(temperature=0.7, max_tokens=100)


def facts(agent: Agent) -> ModelFacts:
    """Three models at a hundred thousandth of a dollar a token, and one on this machine."""
    if agent.model == "unknown":
        return ModelFacts("lab")
    is_local = agent.model == "local"
    price = 0.0 if is_local else 1e-5
    return ModelFacts("lab", prompt_price=price, completion_price=price, is_local=is_local)


def selection(*names: str, number: int = 2, baseline: str | None = None, **budget: float) -> Selection:
    contenders, _ = contenders_of(names, (), WARM)
    trials = Trials(contenders, contenders[0], tuple(prompts(number)))
    against = baseline_of(trials, "jsonl", baseline)
    return Selection(
        trials, recipe(["judge"]), against, Path("nowhere"), "0" * 64, "jsonl",
        Budget(int(budget.get("calls", 4)), budget.get("price")),
    )  # fmt: skip


def figures(
    chosen: Selection,
    scores: Mapping[str, Mapping[Role, float]],
    answers: Mapping[str, str] | None = None,
    cost: float = 0.01,
) -> SelectFigures:
    """The figures where each candidate has the same score in a role on all prompts."""
    given: dict[Role, list[Candidate]] = {role: [] for role in ROLES}
    judged = []
    for contender in chosen.trials.contenders:
        for role in ROLES:
            name = candidate_name(contender.name, role)
            text = (answers or {}).get(contender.name, f"{contender.name} says so")
            texts = {each.id: Given((text,), cost, 2.0) for each in chosen.trials.prompts}
            given[role].append(Candidate(name, "recipe", texts))
            value = scores.get(contender.name, {}).get(role)
            if value is not None:
                judged += [Score(name, each.id, 0, value, ("A", "B")) for each in chosen.trials.prompts]
    return SelectFigures(chosen, given, judged, facts)


EVEN: dict[Role, float] = {"as proposer": 0.5, "as aggregator": 0.5}


def test_models_and_agents_of_recipes_are_candidates_each_way_of_asking_once() -> None:
    mix = recipe(["a", "b"], ["a"])
    contenders, notes = contenders_of(["a", "c", "c"], [mix], Sampling())
    assert [each.name for each in contenders] == ["a", "c", "b"]
    # That a model has several seats in a recipe is nothing to be told.
    assert notes == ("c is named 2 times, and tried once",)
    # Asked at another temperature it is another candidate.
    contenders, _ = contenders_of(["a"], [mix], WARM)
    assert [each.name for each in contenders] == ["a", "a (2)", "b"]


def test_one_candidate_or_none_is_refused() -> None:
    with pytest.raises(UsageError, match="a is the only candidate"):
        contenders_of(["a", "a"], (), WARM)
    with pytest.raises(UsageError, match="there is no candidate"):
        contenders_of([], (), WARM)
    with pytest.raises(UsageError, match="no such agent"):
        contenders_of(["a", ""], (), WARM)


def test_the_trials_of_other_candidates_or_inputs_have_folders_of_their_own() -> None:
    one, other = selection("a", "b").trials, selection("a", "b", "c").trials
    assert one.folder_name("alone", "0" * 64) == selection("a", "b").trials.folder_name("alone", "0" * 64)
    assert one.folder_name("alone", "0" * 64) != one.folder_name("alone", "1" * 64)
    assert one.folder_name("as aggregator", "0" * 64) != other.folder_name("as aggregator", "0" * 64)


class Known:
    """Answers as a test gives them."""

    def __init__(self, **texts: str) -> None:
        self._texts = texts

    def reply(self, contender: object, prompt: BulkPrompt) -> Reply | None:
        name = contender.name  # type: ignore[attr-defined]
        return Reply(name, name, "done", text=self._texts[name]) if name in self._texts else None

    elsewhere = reply


def test_one_that_gave_no_answer_proposes_nothing_but_aggregates() -> None:
    trials = selection("a", "b", "c", number=1).trials
    known = Known(a="yes", c="no")
    assert [job.recipe.name for job in trials.jobs("as proposer", known)] == [
        "a as proposer",
        "c as proposer",
    ]
    jobs = list(trials.jobs("as aggregator", known))
    assert len(jobs) == 3
    assert [reply.status for reply in jobs[0].reused.values()] == ["done", "failed", "done"]
    assert not list(trials.jobs("as aggregator", Known()))


def test_only_answers_to_the_same_prompt_asked_in_the_same_way_are_reused(tmp_path: Path) -> None:
    file = tmp_path / "question.jsonl"
    file.write_text(
        '{"question_id": 7, "category": "math", "turns": ["why?", "and then?"]}\n'
        '{"question_id": 8, "category": "writing", "turns": ["write"]}\n'
    )
    asked = open_input(file)
    agents = [{"model": name, "temperature": 0.7, "max_tokens": 100} for name in ("a", "b", "cut")]
    mix = recipe([*agents], ["judge"])
    wordy = recipe({"agents": [*agents], "enough": 0.6}, ["judge"]).model_copy(update={"name": "wordy"})
    facts_of_input = InputFacts(file.name, asked.format, asked.sha256, asked.count)
    manifest = Manifest(("moa-tui",), 1.0, {}, facts_of_input, {"wordy": wordy, "test": mix})
    contenders, _ = contenders_of(["a", "b", "cut", "other"], (), WARM)
    a, b, cut, other = contenders
    broken = Failure("connection", "the connection broke")
    with RunFolder.begin(tmp_path / "run", manifest, file) as folder:
        for name in ("wordy", "test"):
            key = RunKey(name, "7")
            folder.keep_call(key, CallId(1, 1), Reply("a", "a", "done", text=f"a in {name}"), 1.0)
            folder.keep_call(
                key, CallId(1, 3), Reply("cut", "cut", "partial", text="half", error=broken), 1.0
            )
            folder.keep_call(key, CallId(2, 1), Reply("judge", "judge", "done", text="all"), 1.0)
        answers = Answers(contenders, None, [folder])
        math, writing = first_turns(asked)
        reply = answers.reply(a, math)
        # In the other recipe it was asked for more than an answer.
        assert reply is not None
        assert reply.text == "a in test"
        renamed = BulkPrompt("1", ("why?",), math.temperature)
        assert answers.reply(a, renamed) == reply
        assert answers.reply(a, BulkPrompt("7", ("why?",), 0.7)) is None
        assert answers.reply(a, BulkPrompt("7", ("why not?",), math.temperature)) is None
        assert answers.reply(a, writing) is None
        assert [answers.reply(each, math) for each in (b, cut, other)] == [None, None, None]


def test_calls_and_price_are_known_before_anybody_is_asked() -> None:
    chosen = selection("a", "b", "local", number=4)
    stages = expected_stages(chosen, Answers(chosen.trials.contenders, None), facts)
    assert [stages[role].calls for role in ROLES] == [12, 12, 12]
    # Three roles of three candidates but the baseline alone, in both orders.
    assert stages["judge"].calls == (9 - 1) * 2 * 4
    total = total_of(stages.values())
    assert total.calls == 36 + 64
    assert total.cost == pytest.approx(sum(stage.cost or 0.0 for stage in stages.values()))
    assert not total.is_local
    # An aggregator reads three answers of a hundred tokens and writes one.
    assert (stages["as aggregator"].cost or 0.0) > 4 * 2 * 400e-5
    assert total_of([]).calls == 0


def test_an_unknown_price_is_named_where_a_price_is_the_budget() -> None:
    check_prices(selection("a", "unknown"), facts)
    check_prices(selection("a", "local", price=0.1), facts)
    with pytest.raises(UsageError, match=r"that of unknown is not known: .* --calls"):
        check_prices(selection("a", "unknown", price=0.1), facts)


def test_a_baseline_is_a_candidate_or_what_the_input_brings_along(tmp_path: Path) -> None:
    trials = selection("a", "b").trials
    assert baseline_of(trials, "jsonl", None) == "a"
    assert baseline_of(trials, "jsonl", "b") == "b"
    with pytest.raises(UsageError, match='no baseline "c": give a file of outputs, or one of a and b'):
        baseline_of(trials, "jsonl", "c")
    rows = tuple(BulkPrompt(each.id, each.turns, row={"output": "so"}) for each in trials.prompts)
    reference = baseline_of(replace(trials, prompts=rows), "alpaca-eval", None)
    assert isinstance(reference, Candidate)
    assert len(reference.answers) == 2
    # A file with answers of one of the candidates is not taken for what that answers here.
    file = tmp_path / "old.json"
    file.write_text('[{"instruction": "question 1", "output": "old", "generator": "b"}]')
    old = baseline_of(trials, "jsonl", str(file))
    assert isinstance(old, Candidate)
    assert old.name == "b (old.json)"


def test_answers_in_the_same_words_are_alike_and_others_are_not() -> None:
    contenders, _ = contenders_of(["a", "b", "c"], (), WARM)

    def own(name: str, *texts: str) -> Candidate:
        return Candidate(name, "recipe", {str(at): Given((text,)) for at, text in enumerate(texts) if text})

    same, other = "the river freezes in January", "violins lead the orchestra"
    alone = {"a": own("a", same, same), "b": own("b", same, other), "c": own("c", "", other)}
    unlike = unlikeness_of(contenders, alone)
    assert unlike["a", "b"] == pytest.approx(0.5, abs=0.05)
    assert unlike["b", "c"] == pytest.approx(0.0, abs=1e-9)
    assert unlike["a", "c"] > 0.9


def test_an_aggregator_is_counted_without_the_answers_that_it_would_not_read() -> None:
    words = "word " * 80
    known = figures(selection("a", "b", "c"), {}, dict.fromkeys("abc", words), cost=0.01)
    tokens = known.row("a").tokens
    assert tokens > 60
    assert known.price_of(["a", "b", "c"], "a") == pytest.approx(0.04)
    assert known.price_of(["a"], "b") == pytest.approx(0.02 - 2 * tokens * 1e-5)


def test_who_was_judged_on_fewer_than_half_of_the_prompts_is_no_option() -> None:
    chosen = selection("a", "b", number=4)
    known = figures(chosen, {"a": EVEN, "b": EVEN})
    assert all(option.as_proposer == 0.5 for option in known.options())
    row = known.row("b")
    first = {"1": 1.0}
    known.rows[1] = replace(row, scores={**row.scores, "as proposer": first})
    assert [option.as_proposer for option in known.options()] == [0.5, None]
    assert figures(chosen, {}).undecided == "nothing could be judged"
    unreadable = SelectFigures(
        chosen,
        {
            role: [Candidate(candidate_name(name, role), "recipe", {}) for name in ("a", "b")]
            for role in ROLES
        },
        [Score("b", "1", 0, None, ("unreadable", "A"))],
        facts,
    )
    assert unreadable.undecided == (
        "nothing could be judged: 1 verdict of test cannot be read, and none was guessed; "
        "choose another judge"
    )
    assert figures(chosen, {"a": {"alone": 1.0, "as proposer": 1.0}}).undecided == (
        "no candidate could be judged as aggregator"
    )


def report_of(known: SelectFigures) -> tuple[Choice, str, list[str]]:
    choice = choose(known.options(), known.criteria())
    report = select_report(known, choice)
    return choice, report.sentence, list(report.data["notes"])


def test_the_report_says_what_may_be_chance() -> None:
    better: dict[Role, float] = {"as proposer": 1.0, "as aggregator": 1.0}
    few = figures(selection("a", "b", "c", calls=2), {"a": EVEN, "b": better, "c": EVEN})
    choice, sentence, _ = report_of(few)
    assert (choice.proposer_names, choice.aggregator) == (("b",), "b")
    assert "As aggregator b cannot be told apart from a and c on these 2 prompts." in sentence
    assert "As proposer a and c cannot be told apart from the one that was chosen" in sentence
    many = figures(selection("a", "b", "c", number=40, calls=2), {"a": EVEN, "b": better, "c": EVEN})
    choice, sentence, _ = report_of(many)
    assert "told apart" not in sentence
    assert Alike(many, choice).sentences == []


def test_the_report_says_when_the_baseline_is_too_weak_and_who_judges_itself() -> None:
    won: dict[Role, float] = {"as proposer": 1.0, "as aggregator": 0.5}
    known = figures(selection("a", "judge", baseline="a"), {"a": won, "judge": won})
    _, _, notes = report_of(known)
    assert "Nearly all won as proposer: a stronger --baseline would tell them apart." in notes
    assert any(note.startswith("judge is judged by the same model") for note in notes)


def test_the_recipe_says_where_it_comes_from() -> None:
    chosen = selection("a", "b")
    known = figures(chosen, {"a": EVEN, "b": EVEN})
    made = recipe_of(chosen, choose(known.options(), known.criteria()), "mine", "in\x1b.jsonl")
    assert made.name == "mine"
    assert [agent.temperature for agent in made.every_agent()] == [0.7, 0.7]
    assert made.description.endswith('on 2 prompts of "in\ufffd.jsonl", judged by test against "a".')
