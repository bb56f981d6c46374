"""What is read to be graded, and what a judge's bulk run is made of; no model is asked over a wire."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from moa_tui.engine.agent import Agent
from moa_tui.engine.layer import Layer
from moa_tui.engine.plan import facts_unknown
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.values import CallId, Failure, Reply, Usage
from moa_tui.errors import ModelError, UsageError
from moa_tui.evaluation.bulk import BulkRun
from moa_tui.evaluation.bulk_values import BulkOptions
from moa_tui.evaluation.choices import choice_candidates, choice_jobs, choice_recipes, unsettled_votes
from moa_tui.evaluation.folder import RunFolder
from moa_tui.evaluation.grade import (
    Grading,
    begin_judge_folder,
    choosings,
    expected_of,
    judge_jobs,
    model_judge,
    scores_of,
)
from moa_tui.evaluation.grade_figures import GradeFigures
from moa_tui.evaluation.graded import choose_baseline, read_graded
from moa_tui.evaluation.judging.scores import Score
from moa_tui.evaluation.manifest import InputFacts, Manifest
from moa_tui.evaluation.values import RunKey, RunResult
from tests.fakes import FakeModels
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from moa_tui.chat.backend import Backend
    from tests.fakes import FakeGateway

LEFT_BEHIND = Failure("left_behind", "the layer went on without this call")


def sampled(count: int = 2) -> Recipe:
    """A recipe with `count` samples of a, and b."""
    agents = (Agent(model="a", count=count), Agent(model="b"))
    return Recipe(name="mix", layers=(Layer(agents=agents), Layer(agents=(Agent(model="judge"),))))


def run_folder(path: Path, made: Recipe, replies: Mapping[str, list[str | None]]) -> Path:
    """A folder with these replies of the first layer by the prompt's id; the aggregator says `mixed`."""
    rows = [{"id": name, "prompt": f"question {name}"} for name in replies]
    questions = path.with_suffix(".jsonl")
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    facts = InputFacts("in.jsonl", "jsonl", "0" * 64, len(rows))
    manifest = Manifest(("moa-tui", "batch"), 1.0, {}, facts, {made.name: made})
    with RunFolder.begin(path, manifest, questions) as folder:
        for name, texts in replies.items():
            key = RunKey(made.name, name)
            for index, (agent, text) in enumerate(zip(made.lineup[0], texts, strict=True), 1):
                reply = Reply(
                    agent.name, agent.model, "done", text=text or "", cost=0.01, started=0.0, ended=3.0
                )
                if text is None:
                    reply = replace(reply, status="stopped", error=LEFT_BEHIND)
                folder.keep_call(key, CallId(1, index), reply, 1.0)
            result = RunResult("done", f"mixed {name}", None, Usage(), 0.05, 9.0, 3, 1.0)
            folder.keep_result(key, result)
    return path


def test_members_are_read_with_their_own_price_and_time(tmp_path: Path) -> None:
    graded = read_graded([run_folder(tmp_path / "run", sampled(), {"x": ["one", "two", None]})])
    mixture, *members = graded.candidates
    assert (mixture.name, mixture.kind, mixture.answers["x"].cost) == ("mix", "recipe", 0.05)
    assert [member.name for member in members] == ["mix/a 1", "mix/a 2", "mix/b"]
    assert [member.samples_of for member in members] == ["mix/a", "mix/a", ""]
    assert (members[0].answers["x"].cost, members[0].answers["x"].seconds) == (0.01, 3.0)
    # It was left behind, so it gave no answer.
    assert members[2].answers == {}


def test_two_agents_of_one_name_and_two_models_are_two_members(tmp_path: Path) -> None:
    agents = (Agent(model="a", name="draft"), Agent(model="b", name="draft"))
    made = Recipe(name="mix", layers=(Layer(agents=agents), Layer(agents=(Agent(model="judge"),))))
    graded = read_graded([run_folder(tmp_path / "run", made, {"x": ["one", "two"]})])
    assert [(each.name, each.samples_of) for each in graded.candidates[1:]] == [
        ("mix/draft 1", ""),
        ("mix/draft 2", ""),
    ]


def test_what_a_layer_asks_for_behind_an_answer_is_not_judged(tmp_path: Path) -> None:
    made = recipe({"agents": ["a", "b", "c"], "drop_outliers": True}, ["judge"])
    texts: list[str | None] = ["A long story.\n\nIN SHORT: 42", "b", "c"]
    graded = read_graded([run_folder(tmp_path / "run", made, {"x": texts})])
    assert graded.candidates[1].answers["x"].turns == ("A long story.",)


def test_choices_are_made_of_the_first_answers_and_end_as_the_engine_has_them(tmp_path: Path) -> None:
    made = recipe(["a", "b", "c"], ["judge"])
    choices = choice_recipes(made)
    assert [choice.name for choice in choices.values()] == ["test (vote)", "test (rank)"]
    assert choices["rank"].lineup[1][0].model == "judge"
    path = run_folder(tmp_path / "run", made, {"x": ["1", "2", None], "y": [None, "2", None]})
    with RunFolder.read(path) as folder:
        graded = read_graded([path])
        jobs = list(choice_jobs(folder, made, graded.prompts))
    # Of one answer there is no choice; who gave none is not asked for one.
    assert [(job.recipe.name, job.prompt.id) for job in jobs] == [("test (vote)", "x"), ("test (rank)", "x")]
    assert [reply.status for reply in jobs[0].reused.values()] == ["done", "done", "failed"]


@pytest.mark.parametrize(
    ("task", "kinds"), [("vote", []), ("rank", ["vote"]), ("synthesize", ["vote", "rank"])]
)
def test_a_recipe_that_chooses_itself_has_that_choice_already(task: Any, kinds: list[str]) -> None:
    last = Layer(task=task, agents=() if task == "vote" else (Agent(model="judge"),))
    made = Recipe(name="mix", layers=(Layer(agents=(Agent(model="a"), Agent(model="b"))), last))
    assert list(choice_recipes(made)) == kinds


def test_a_model_alone_has_no_members_and_no_choice(tmp_path: Path) -> None:
    made = recipe(["a"])
    assert choice_recipes(made) == {}
    graded = read_graded([run_folder(tmp_path / "run", made, {"x": ["one"]})])
    assert [candidate.name for candidate in graded.candidates] == ["test"]
    assert choosings(graded, tmp_path / "grades") == []
    with pytest.raises(UsageError, match="nothing can be compared with test"):
        choose_baseline(graded, None, None)


def test_it_is_counted_where_a_vote_has_nothing_to_count(tmp_path: Path) -> None:
    made = recipe(["a", "b", "c"], ["judge"])
    replies: dict[str, list[str | None]] = {"x": ["42", "42", "17"], "y": ["1", "2", "3"]}
    graded = read_graded([run_folder(tmp_path / "run", made, replies)])
    assert unsettled_votes(graded.candidates[1:], {"x": 1, "y": 1}) == 1


@pytest.fixture
def grading(tmp_path: Path) -> Grading:
    made = recipe(["a", "b"], ["judge"])
    path = run_folder(tmp_path / "run", made, {name: [f"{name} a", f"{name} b"] for name in "xyz"})
    graded = read_graded([path])
    return Grading(graded, "pairs", model_judge("j"), choose_baseline(graded, None, None), path / "grades")


def judged(grading: Grading, backend: Backend, **options: Any) -> BulkRun:
    """Have everything judged, and return the bulk run that did."""
    candidates = grading.graded.candidates
    with begin_judge_folder(grading, candidates, (), 1.0) as folder:
        total = sum(1 for _ in grading.questions(candidates))
        options_of_run = BulkOptions(**options)
        bulk = BulkRun(backend, folder, lambda: judge_jobs(grading, candidates), total, options_of_run)
        bulk.start().result(timeout=30)
    return bulk


def test_a_judge_of_one_model_is_asked_at_temperature_zero() -> None:
    (agent,) = model_judge("openai/gpt-4o").lineup[0]
    assert (agent.model, agent.temperature) == ("openai/gpt-4o", 0)


def test_a_price_cap_ends_the_judging_and_what_was_judged_counts(
    grading: Grading, backend: Backend, gateway: FakeGateway
) -> None:
    gateway.stream = FakeModels(j=[["VERDICT: TIE"]])
    gateway.price = 1e-7  # Each call should cost at most 0.00026 dollars, and costs 0.001.
    bulk = judged(grading, backend, max_cost=0.0055, concurrency=1)
    assert bulk.progress().stopped_by is not None
    with RunFolder.read(grading.folder) as folder:
        scores = scores_of(grading, grading.graded.candidates, folder)
        figures = GradeFigures(grading, grading.graded.candidates, scores, {}, 0.0)
    assert 0 < figures.record.judged < figures.record.judgements == 6
    assert figures.record.not_reached == figures.record.judgements - figures.record.judged
    # What is still to be asked is told as such.
    with RunFolder.read(grading.folder) as folder:
        expected = expected_of(judge_jobs(grading, grading.graded.candidates), folder, facts_unknown)
    assert expected.calls == 12 - bulk.progress().calls
    assert expected.cost is None


def test_a_judge_whose_calls_fail_is_told_of_and_asked_again_later(
    grading: Grading, backend: Backend, gateway: FakeGateway
) -> None:
    gateway.stream = FakeModels(j=[[ModelError("context", "the prompt is too long for this model")]])
    judged(grading, backend)
    with RunFolder.read(grading.folder) as folder:
        (score, *_) = scores_of(grading, grading.graded.candidates, folder)
    assert score.value is None
    assert "too long for this model" in score.failures[0]
    gateway.stream = models = FakeModels(j=[["VERDICT: A"]])
    judged(grading, backend)
    assert len(models.asked["j"]) == 12
    with RunFolder.read(grading.folder) as folder:
        scores = scores_of(grading, grading.graded.candidates, folder)
    assert {score.value for score in scores} == {0.5}
    assert not any(score.is_consistent for score in scores)


def test_the_judges_input_holds_what_was_ever_asked(grading: Grading, backend: Backend) -> None:
    """So that the folder can be opened as any other run folder, after a second grading too."""
    candidates = grading.graded.candidates
    with begin_judge_folder(grading, candidates[:2], (), 1.0) as folder:
        assert len(folder.input_file.read_text().splitlines()) == 6
    with begin_judge_folder(grading, candidates, (), 2.0) as folder:
        rows = [json.loads(line) for line in folder.input_file.read_text().splitlines()]
        assert len({row["id"] for row in rows}) == len(rows) == 12
        assert folder.manifest.created == 1.0


def test_the_vote_and_the_ranker_are_the_engines(
    tmp_path: Path, backend: Backend, gateway: FakeGateway
) -> None:
    made = recipe(["a", "b", "c"], ["judge"])
    path = run_folder(tmp_path / "run", made, {"x": ["42", "17", "42"]})
    gateway.stream = models = FakeModels(judge=[["RANKING: 1 > 2 > 3"]])
    graded = read_graded([path])
    (choosing,) = choosings(graded, tmp_path / "grades")
    with RunFolder.read(path) as source, choosing.begin(source, (), 1.0) as folder:
        jobs = list(choosing.jobs(source, graded.prompts))
        BulkRun(backend, folder, lambda: jobs, len(jobs), BulkOptions()).start().result(timeout=30)
        vote, rank = choice_candidates(source, folder, made, graded.prompts)
    assert vote.answers["x"].turns == ("42",)
    assert rank.answers["x"].turns[0] in ("42", "17")
    # Only the ranker was asked; what the members wrote is paid and waited for all the same.
    assert list(models.asked) == ["judge"]
    assert vote.answers["x"].cost == pytest.approx(0.03)
    assert vote.answers["x"].seconds == pytest.approx(3.0)
    assert cast("float", rank.answers["x"].cost) == pytest.approx(0.031)


def test_no_choice_is_made_among_the_answers_of_a_run_that_is_not_over(tmp_path: Path) -> None:
    """The batch may have been interrupted: it would be kept, and stand for answers that were not there."""
    made = sampled()
    path = run_folder(tmp_path / "run", made, {"x": ["42", "17", "42"], "y": ["42", "17", "42"]})
    prompts = read_graded([path]).prompts
    results = path / "results.jsonl"
    lines = results.read_text().splitlines(keepends=True)
    results.write_text("".join(line for line in lines if '"y"' not in line))
    with RunFolder.read(path) as source:
        assert {job.prompt.id for job in choice_jobs(source, made, prompts)} == {"x"}


def test_answers_to_equal_texts_are_told_apart_by_their_order(tmp_path: Path) -> None:
    rows = [{"instruction": text} for text in ("same", "other", "same")]
    (tmp_path / "in.json").write_text(json.dumps(rows))
    given = [row | {"output": f"answer {at}", "generator": "m"} for at, row in enumerate(rows)]
    (tmp_path / "m.json").write_text(json.dumps(given))
    graded = read_graded([tmp_path / "m.json"], questions=tmp_path / "in.json")
    (candidate,) = graded.candidates
    assert [candidate.answers[prompt.id].turns[0] for prompt in graded.prompts] == [
        "answer 0",
        "answer 1",
        "answer 2",
    ]


def test_outputs_without_prompts_need_the_input_they_answer(tmp_path: Path) -> None:
    outputs = tmp_path / "model.jsonl"
    rows = [{"question_id": at, "text": f"answer {at}", "model_id": "m"} for at in (1, 2, 9)]
    outputs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(UsageError, match="--input"):
        read_graded([outputs])
    questions = tmp_path / "flask.jsonl"
    asked = [{"idx": at, "instruction": f"question {at}", "metrics": ["Factuality"]} for at in (1, 2)]
    questions.write_text("".join(json.dumps(row) + "\n" for row in asked))
    graded = read_graded([outputs], questions=questions)
    # The answer to a prompt that is not in the input is left out.
    assert {name: given.turns for name, given in graded.candidates[0].answers.items()} == {
        "1": ("answer 1",),
        "2": ("answer 2",),
    }
    assert graded.usual_form == "skills"


def test_the_outputs_of_an_input_are_the_baseline_of_files_too(tmp_path: Path) -> None:
    rows = [{"instruction": f"q {at}", "output": "own", "generator": "gpt4"} for at in range(2)]
    (tmp_path / "alpaca_eval.json").write_text(json.dumps(rows))
    (tmp_path / "m.json").write_text(json.dumps([row | {"output": "x", "generator": "m"} for row in rows]))
    graded = read_graded([tmp_path / "m.json"], questions=tmp_path / "alpaca_eval.json")
    assert choose_baseline(graded, None, None).name == "gpt4"
    # Without the input, what is in the file is what is judged, and no reference.
    assert read_graded([tmp_path / "m.json"]).reference is None
    named = choose_baseline(graded, None, tmp_path / "alpaca_eval.json")
    assert named.answers["1"].turns == ("own",)


def test_sources_with_different_prompts_of_one_id_are_refused(tmp_path: Path) -> None:
    made = recipe(["a"])
    first = run_folder(tmp_path / "one", made, {"x": ["one"]})
    other = run_folder(
        tmp_path / "two", Recipe(name="other", layers=made.layers, agents=made.agents), {"x": ["1"]}
    )
    graded = read_graded([first, other])
    assert [candidate.name for candidate in graded.candidates] == ["test", "other"]
    with pytest.raises(UsageError, match="there are answers of test already"):
        read_graded([first, first])
    (other / "input.jsonl").write_text(json.dumps({"id": "x", "prompt": "another question"}) + "\n")
    with pytest.raises(UsageError, match="its prompt x is another one"):
        read_graded([first, other])


def test_a_sample_that_is_the_baseline_ties_with_itself(tmp_path: Path) -> None:
    """It was not judged, and so has not lost: a choice among the samples could take it."""
    path = run_folder(tmp_path / "run", sampled(), {at: ["one", "two", "three"] for at in "xyz"})
    graded = read_graded([path])
    grading = Grading(graded, "pairs", model_judge("p/judge"), graded.candidate("mix/a 1"), tmp_path)
    # Whoever is compared with it loses.
    scores = [
        Score(each.candidate, each.prompt, each.turn, 0.0, ("B", "A"))
        for each in grading.judgements(graded.candidates)
    ]
    (worth,) = GradeFigures(grading, graded.candidates, scores, {}, None).worths
    assert worth.none_wins is not None
    assert (worth.none_wins.value, worth.best_choice, worth.unsure) == (0, 0.5, 0)
