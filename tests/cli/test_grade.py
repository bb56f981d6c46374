"""`moa-tui grade`: answers of a real batch judged over HTTP, and what is said of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    from tests.model_server import Request

pytestmark = pytest.mark.program

_TASKS = {"RANKING:": "rank", "VERDICT:": "pairs", "RATING:": "ratings", "SCORE ": "skills"}
_RESPONSE = re.compile(r"\[\w+ (RESPONSE(?: [AB])?) BEGINS\]\n(.*?)\n\[\w+ RESPONSE", re.DOTALL)
GOOD, FAIR, POOR = "a good answer", "a fair answer", "a poor answer"
_MERITS = {GOOD: 9, FAIR: 6, POOR: 2}


def prompt_of(request: Request) -> str:
    return str(request.body["messages"][-1]["content"])


def merit(text: str) -> int:
    return next((merit for words, merit in _MERITS.items() if words in text), 0)


def honest(question: str) -> str:
    """What a judge that follows the form says: the better answer, or a number for the one."""
    responses = dict(_RESPONSE.findall(question))
    if "RESPONSE" in responses:
        rating = merit(responses["RESPONSE"])
        if "SCORE " in question:
            skills = re.findall(r"^SCORE (.+): 3$", question, re.MULTILINE)
            return "Fine.\n" + "\n".join(f"SCORE {skill}: {rating // 2 + 1}" for skill in skills)
        return f"It is so.\n**RATING: {rating}/10**"
    first, second = merit(responses["RESPONSE A"]), merit(responses["RESPONSE B"])
    return f"I weighed them.\nVERDICT: {'TIE' if first == second else 'A' if first > second else 'B'}"


class Models:
    """What the models of the test say: answers by the model's key, and verdicts by a function."""

    def __init__(self, judge: Callable[[str], str] = honest) -> None:
        self.judge = judge
        self.answers: dict[str, str] = {"qwen": POOR, "glm": FAIR, "mix": GOOD}

    def __call__(self, request: Request) -> str:
        prompt = prompt_of(request)
        if request.key == "judge":
            return self.judge(prompt)
        if "RANKING:" in prompt:
            return "RANKING: 1 > 2"
        number = re.findall(r"question (\d+)", prompt)[0]
        return f"To {number}: {self.answers[request.key]}"


@pytest.fixture
def models(shell: Shell) -> Models:
    models = Models()
    shell.server.responder = models
    return models


MIX = (["told@key=qwen", "told@key=glm"], ["told@key=mix"])
JUDGE = "lab/told@key=judge"


def batch(shell: Shell, number: int = 4, rows: list[dict[str, Any]] | None = None) -> Path:
    """A folder with the answers of the recipe `test` to questions."""
    rows = rows or [{"id": place, "prompt": f"question {place}"} for place in range(1, number + 1)]
    path = shell.folder / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = shell("batch", str(path), "-r", shell.recipe(*map(list, MIX)), "-o", str(shell.folder / "run"))
    assert done.returncode == 0, done.stderr
    return shell.folder / "run"


def graded(shell: Shell, *arguments: str, judge: str = JUDGE) -> CompletedProcess[str]:
    return shell("grade", *arguments, "--judge", judge)


def asked(shell: Shell) -> Counter[str]:
    """How often each key was asked since the server was as new."""
    return Counter(request.key for request in shell.server.requests)


def test_the_mixture_is_compared_with_each_member_in_both_orders(shell: Shell, models: Models) -> None:
    folder = batch(shell)
    shell.server.reset()
    shell.server.responder = models
    done = graded(shell, str(folder), "--out", str(shell.folder / "report.html"), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    by_name = {each["name"]: each for each in report["candidates"]}
    assert by_name["test/told@key=qwen"]["score"]["value"] == 0
    assert by_name["test/told@key=glm"]["score"]["value"] == 0
    (worth,) = report["worth"]
    assert worth["gain"]["value"] == 50
    assert worth["no_member_wins"]["value"] == 1
    # A vote and a ranker take the answer of a member, about which the judge was asked already.
    assert asked(shell) == {"judge": 4 * 2 * 2, "mix": 4}
    print(done.stdout)
    print(graded(shell, str(folder)).stdout)
