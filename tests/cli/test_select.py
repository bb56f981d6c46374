"""`moa-tui select`: candidates tried and judged over HTTP, and the recipe that is proposed."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from moa_tui.recipes.files import read

if TYPE_CHECKING:
    from tests.cli.shell import Shell
    from tests.model_server import Request

pytestmark = pytest.mark.program

_RESPONSE = re.compile(r"\[\w+ (RESPONSE [AB]) BEGINS\]\n(.*?)\n\[\w+ RESPONSE", re.DOTALL)
_MERIT = re.compile(r"merit (\d)")
JUDGE = "lab/told@key=judge"
# The words that a candidate's own answers have beside their merit; twins say the same.
OWN_WORDS = {
    "strong": "mountain river granite valley glacier",
    "twin": "mountain river granite valley glacier",
    "other": "violin sonata orchestra cello tempo",
    "weak": "umbrella bicycle lantern cushion ladder",
}


class Models:
    """Candidates whose answers have a merit, alone and by who writes from what; and a judge that sees it."""

    def __init__(self) -> None:
        self.alone = {"strong": 3, "twin": 3, "other": 2, "weak": 0, "fixed": 1, "judge": 1}
        self.aggregates = {"strong": 1, "twin": 1, "other": 4, "weak": 0, "fixed": 1, "judge": 1}
        self.silent: set[tuple[str, str]] = set()
        """Who says nothing: by key, to a question alone, `as aggregator`, or as the judge."""

    def __call__(self, request: Request) -> str:
        prompt = str(request.body["messages"][-1]["content"])
        if "VERDICT" in prompt:
            return "" if ("judge", "") in self.silent else self.verdict(prompt)
        number = re.findall(r"question (\d+)", prompt)[0]
        read = [int(merit) for merit in _MERIT.findall(prompt)]
        if (request.key, number if not read else "as aggregator" if len(read) > 1 else "") in self.silent:
            return ""
        if not read:
            return f"To {number}: merit {self.alone[request.key]} {OWN_WORDS.get(request.key, '')}"
        # Of one answer it makes what that is worth; of several what it is able to.
        merit = read[0] if len(read) == 1 else self.aggregates[request.key]
        return f"Written for {number} by {request.key}: merit {merit}"

    @staticmethod
    def verdict(question: str) -> str:
        merits = {name: int(_MERIT.findall(text)[0]) for name, text in _RESPONSE.findall(question)}
        first, second = merits["RESPONSE A"], merits["RESPONSE B"]
        return f"VERDICT: {'TIE' if first == second else 'A' if first > second else 'B'}"


@pytest.fixture
def models(shell: Shell) -> Models:
    models = Models()
    shell.server.responder = models
    return models


def questions(shell: Shell, number: int = 3) -> str:
    path = shell.folder / "questions.jsonl"
    rows = [{"id": at, "prompt": f"question {at}"} for at in range(1, number + 1)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def name(key: str) -> str:
    return f"lab/told@key={key}"


def selected(
    shell: Shell, *keys: str, number: int = 3, more: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """A selection among these candidates, against the answers of `fixed`, which writes for proposers too."""
    candidates = [part for key in keys for part in ("--candidate", name(key))]
    return shell(
        "select", questions(shell, number), *candidates, "--judge", JUDGE,
        "-o", str(shell.folder / "chosen"), "--aggregator", name("fixed"), *more,
    )  # fmt: skip


def asked(shell: Shell) -> Counter[str]:
    """How often each key was asked since the server was as new."""
    return Counter(request.key for request in shell.server.requests)


def reset(shell: Shell, models: Models) -> None:
    shell.server.reset()
    shell.server.responder = models


def proposed(shell: Shell) -> tuple[list[str], str]:
    """The models of the recipe in the folder, as keys: the proposers and the aggregator."""
    recipe = read(shell.folder / "chosen" / "recipe.toml")
    layers = [[agent.model.rpartition("=")[2] for agent in layer] for layer in recipe.lineup]
    assert len(layers) == 2
    return layers[0], layers[1][0]


def test_the_best_proposers_that_differ_and_the_best_aggregator_are_proposed(
    shell: Shell, models: Models
) -> None:
    keys = ("other", "strong", "twin", "weak")
    more = ("--calls", "3", "--weight", "1")
    done = selected(shell, *keys, more=(*more, "--json"))
    assert done.returncode == 0, done.stderr
    # The twin won as often as the strong one, and says the same.
    assert proposed(shell) == (["strong", "other"], "other")
    # Each answers alone and in both roles; the judge is asked in both orders, but never about equal texts.
    assert "12 calls at most" in done.stderr
    report = json.loads(done.stdout)
    by_name = {row["name"]: row for row in report["candidates"]}
    assert by_name[name("other")]["is_baseline"]
    assert by_name[name("strong")]["as_proposer"]["value"] == 1
    assert by_name[name("weak")]["as_proposer"]["value"] == 0
    assert by_name[name("other")]["as_aggregator"]["value"] == 1
    pairs = {frozenset(each["models"]): each["unlikeness"] for each in report["unlikeness"]}
    assert pairs[frozenset((name("strong"), name("twin")))] == pytest.approx(0, abs=0.01)
    assert report["choice"]["calls"] == 3
    calls = asked(shell)
    assert {key: calls[key] for key in keys} == dict.fromkeys(keys, 2 * 3)
    assert calls["fixed"] == 4 * 3

    reset(shell, models)
    page = shell.folder / "report.html"
    again = selected(shell, *keys, more=(*more, "--out", str(page)))
    assert again.returncode == 0, again.stderr
    assert asked(shell) == {}
    assert "together: no call to make" in again.stderr
    assert again.stdout.startswith("4 candidates on 3 prompts, judged by lab/told@key=judge against")
    assert "cannot be told apart from" in again.stdout
    assert "<svg" in page.read_text()


def test_a_dry_run_says_calls_and_asks_nobody(shell: Shell, models: Models) -> None:
    done = selected(shell, "strong", "other", more=("--dry-run",))
    assert done.returncode == 0, done.stderr
    assert asked(shell) == {}
    lines = done.stdout.splitlines()
    local = "calls at most, local, which costs nothing"
    assert f"2 candidates on 3 prompts: 6 {local}" in lines
    # Three roles of two candidates, of which one is the baseline alone, in both orders.
    assert f"{JUDGE} judges them against {name('strong')}: 30 {local}" in lines
    assert f"together: 48 {local}" in lines
    assert not (shell.folder / "chosen").exists()


def alone(shell: Shell) -> dict[str, int]:
    """How often each candidate was asked for an answer of its own since the server was as new."""
    return Counter(each.key for each in shell.server.requests if "merit" not in str(each.body))


def test_answers_of_a_batch_and_of_an_earlier_selection_are_not_asked_again(
    shell: Shell, models: Models
) -> None:
    recipe, run = shell.folder / "mix.toml", shell.folder / "run"
    agents = ", ".join(
        f'{{ model = "{name(key)}", temperature = {temperature}, max_tokens = 2048 }}'
        for key, temperature in (("strong", 0.7), ("other", 0.1))
    )
    last = f'[[layers]]\nagents = [{{ model = "{name("fixed")}" }}]\n'
    recipe.write_text(f'name = "mix"\n[[layers]]\nagents = [{agents}]\n{last}')
    batch = shell("batch", questions(shell), "-r", str(recipe), "-o", str(run), "--limit", "2", "-q")
    assert batch.returncode == 0, batch.stderr

    reset(shell, models)
    reuse = ("--reuse", str(run))
    done = selected(shell, "strong", "other", more=(*reuse, "--json"))
    assert done.returncode == 0, done.stderr
    # The other one was asked at another temperature there, and the third prompt was not asked.
    assert "2 candidates on 3 prompts: 4 calls at most" in done.stderr
    assert alone(shell) == {"strong": 1, "other": 3}
    assert all(row["seconds"]["alone"] > 0 for row in json.loads(done.stdout)["candidates"])

    reset(shell, models)
    more = selected(shell, "strong", "other", "weak", more=reuse)
    assert more.returncode == 0, more.stderr
    assert alone(shell) == {"weak": 3}


def test_a_selection_that_was_cut_short_goes_on_without_paying_again(shell: Shell, models: Models) -> None:
    models.silent = {("strong", "as aggregator"), ("judge", "")}
    done = selected(shell, "strong", "other")
    assert done.returncode == 1
    assert f"{name('strong')} as aggregator gave no answer" in done.stderr
    assert "no recipe is proposed: nothing could be judged" in done.stderr

    reset(shell, models)
    models.silent = set()
    again = selected(shell, "strong", "other")
    assert again.returncode == 0, again.stderr
    # Only what failed is asked again: the aggregator's three answers, and all questions to the judge.
    assert {key: number for key, number in asked(shell).items() if key != "judge"} == {"strong": 3}
    assert proposed(shell)[1] == "other"


def test_a_selection_that_was_killed_asks_only_for_what_was_under_way(shell: Shell, models: Models) -> None:
    keys, number = ("strong", "other"), 2
    candidates = [part for key in keys for part in ("--candidate", name(key))]
    command = (
        "select", questions(shell, number), *candidates, "--judge", JUDGE, "--concurrency", "1",
        "-o", str(shell.folder / "chosen"), "--aggregator", name("fixed"), "-q",
    )  # fmt: skip
    program = subprocess.Popen(
        shell.command(*command), env=shell.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    # Amid the trials as proposer, or as aggregator where the test is slow to look.
    shell.server.wait_for(lambda requests: len(requests) >= 6, timeout=60)
    program.kill()
    program.wait()
    done = shell(*command)
    assert done.returncode == 0, done.stderr
    # Each candidate in three roles, each judged in both orders but for the baseline's own answers.
    expected = number * 2 * 3 + 2 * number * (2 * 3 - 1)
    assert expected <= len(shell.server.requests) <= expected + 1
    assert proposed(shell) == (["strong", "other"], "other")


def test_one_that_fails_on_some_prompts_is_judged_on_the_others(shell: Shell, models: Models) -> None:
    models.silent = {("weak", "2"), ("weak", "3"), ("other", "1")}
    done = selected(shell, "strong", "other", "weak", more=("--json", "--calls", "5"))
    assert done.returncode == 1
    report = json.loads(done.stdout)
    notes = " ".join(report["notes"])
    assert f"{name('other')} answered 2 of 3 prompts" in notes
    assert f"{name('weak')} answered 1 of 3 prompts" in notes
    # Of one that was silent on most prompts too little is known.
    assert proposed(shell)[0] == ["strong", "other"]


def test_a_judge_that_judges_itself_is_said(shell: Shell, models: Models) -> None:
    done = selected(shell, "strong", "judge", more=("--json",))
    assert done.returncode == 0, done.stderr
    (note,) = [note for note in json.loads(done.stdout)["notes"] if "arXiv 2404.13076" in note]
    assert note.startswith(f"{name('judge')} is judged by the same model")


@pytest.mark.parametrize(
    "keys, more, words",
    [
        (["strong"], (), "is the only candidate, so there is nothing to choose"),
        (["strong", "strong"], (), "is the only candidate, so there is nothing to choose"),
        (["strong", "other"], ("--baseline", "nobody"), 'there is no baseline "nobody"'),
        (["strong", "other"], ("--write", "a/b"), "cannot name a recipe"),
        (["strong", "other"], ("--write", "nowhere/x.toml"), "there is no folder nowhere"),
        (["strong", "other"], ("--reuse", "nowhere"), "has no answers to reuse"),
        (["strong", "other"], ("--out", "report.pdf"), "is an .html page or .json"),
    ],
)
def test_what_cannot_be_done_is_said_before_anybody_is_asked(
    shell: Shell, models: Models, keys: list[str], more: tuple[str, ...], words: str
) -> None:
    done = selected(shell, *keys, more=more)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert asked(shell) == {}


def test_a_price_needs_known_prices(shell: Shell, models: Models) -> None:
    done = shell(
        "select", questions(shell), "--candidate", "openai/no-such-model", "--candidate", name("other"),
        "--judge", JUDGE, "-o", str(shell.folder / "chosen"), "--price", "0.01",
    )  # fmt: skip
    assert done.returncode == 2
    assert "that of openai/no-such-model is not known" in done.stderr


def test_the_recipe_is_written_once_and_runs(shell: Shell, models: Models) -> None:
    path = shell.folder / "mine.toml"
    written = ("--write", str(path))
    done = selected(shell, "strong", "other", number=1, more=written)
    assert done.returncode == 0, done.stderr
    assert read(path).name == "mine"
    reset(shell, models)
    answer = shell("ask", "-r", str(path), "question 7?")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == "Written for 7 by other: merit 4"
    refused = selected(shell, "strong", "other", number=1, more=written)
    assert refused.returncode == 2
    assert "--replace lets it be replaced" in refused.stderr
    replaced = selected(shell, "strong", "other", number=1, more=(*written, "--replace"))
    assert replaced.returncode == 0, replaced.stderr


def test_the_agents_of_a_recipe_are_candidates_as_it_asks_them(shell: Shell, models: Models) -> None:
    path = shell.folder / "mix.toml"
    path.write_text(
        f'name = "mix"\n[defaults]\ntemperature = 0.3\n[agents.one]\nmodel = "{name("strong")}"\ncount = 2\n'
        f'[agents.two]\nmodel = "{name("other")}"\n'
        '[[layers]]\nagents = ["one", "two"]\n[[layers]]\nagents = ["two"]\n'
    )
    done = shell(
        "select", questions(shell, 1), "-r", str(path), "--judge", JUDGE, "-o", str(shell.folder / "chosen")
    )
    assert done.returncode == 0, done.stderr
    assert alone(shell) == {"strong": 1, "other": 1}
    assert {each.body["temperature"] for each in shell.server.requests if each.key != "judge"} == {0.3}
    recipe = read(shell.folder / "chosen" / "recipe.toml")
    assert {agent.model for agent in recipe.lineup[0]} == {name("strong"), name("other")}
    assert {agent.temperature for agent in recipe.lineup[0]} == {0.3}
    assert {agent.name for agent in recipe.lineup[0]} == {"one", "two"}
