"""`moa-tui select`: candidates tried and judged over HTTP, and the recipe that is proposed."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from moa_tui.recipes.files import read

if TYPE_CHECKING:
    from subprocess import CompletedProcess

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
        self.alone = {"strong": 3, "twin": 3, "other": 2, "weak": 0, "fixed": 1}
        self.aggregates = {"strong": 1, "twin": 1, "other": 4, "weak": 0, "fixed": 1}
        self.fails: set[tuple[str, str]] = set()

    def __call__(self, request: Request) -> str:
        prompt = str(request.body["messages"][-1]["content"])
        if request.key == "judge":
            return self.verdict(prompt)
        number = re.findall(r"question (\d+)", prompt)[0]
        read = [int(merit) for merit in _MERIT.findall(prompt)]
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


def selected(shell: Shell, *keys: str, number: int = 3, more: tuple[str, ...] = ()) -> CompletedProcess[str]:
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
    assert "2 candidates on 3 prompts: 6 calls at most, local, which costs nothing" in lines
    # Three roles of two candidates, of which one is the baseline alone, in both orders.
    assert (
        f"{JUDGE} judges them against {name('strong')}: 30 calls at most, local, which costs nothing" in lines
    )
    assert "together: 48 calls at most, local, which costs nothing" in lines
    assert not (shell.folder / "chosen").exists()


def test_answers_of_a_batch_and_of_an_earlier_selection_are_not_asked_again(
    shell: Shell, models: Models
) -> None:
    recipe = shell.folder / "mix.toml"
    agents = ", ".join(
        f'{{ model = "{name(key)}", temperature = {heat}, max_tokens = 2048 }}'
        for key, heat in (("strong", 0.7), ("other", 0.1))
    )
    recipe.write_text(
        f'name = "mix"\n[[layers]]\nagents = [{agents}]\n[[layers]]\nagents = [{agents[:70]}}}]\n'
    )
    recipe.write_text(
        f'name = "mix"\n[[layers]]\nagents = [{agents}]\n[[layers]]\nagents = [{{ model = "{name("fixed")}" }}]\n'
    )
    run = shell.folder / "run"
    batch = shell("batch", questions(shell), "-r", str(recipe), "-o", str(run), "--limit", "2", "-q")
    assert batch.returncode == 0, batch.stderr

    reset(shell, models)
    done = selected(shell, "strong", "other", more=("--reuse", str(run)))
    assert done.returncode == 0, done.stderr
    # The other one was asked at another temperature there, and the third prompt by nobody.
    assert "2 candidates on 3 prompts: 4 calls at most" in done.stderr
    alone = [request.key for request in shell.server.requests if "merit" not in str(request.body)]
    assert Counter(alone) == {"strong": 1, "other": 3}

    reset(shell, models)
    more = selected(shell, "strong", "other", "weak")
    assert more.returncode == 0, more.stderr
    alone = [request.key for request in shell.server.requests if "merit" not in str(request.body)]
    assert Counter(alone) == {"strong": 1 * 2, "weak": 3} or Counter(alone) == {"weak": 3}
