"""Every strategy's own recipe over real HTTP: the server's log says what was asked, when, and with what."""

from __future__ import annotations

import re
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.recipe import Recipe
from moa_tui.gateway.discovery import LocalModel, LocalServer, find_servers
from moa_tui.recipes import files
from moa_tui.recipes.local import local_recipe, slim_recipe
from tests.gateway.helpers import sent_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moa_tui.engine.values import Outcome
    from tests.gateway.conftest import Bench
    from tests.model_server import Request

# Long enough that the calls of a layer are all under way before the first of them ends.
_THINKING_SECONDS = 0.15
# A request may be put away so long after its client knew that the reply was whole, and had asked on.
_PUT_AWAY_SECONDS = 0.05
_REFERENCE = re.compile(r"<reference number=\"\d+\"([^>]*)>\n(.*?)\n</reference>", re.DOTALL)
_OLLAMA = [
    LocalServer(
        "ollama",
        "http://127.0.0.1:11434",
        "ollama",
        tuple(LocalModel(f"model{size}", size) for size in (3, 14, 8, 7)),
    )
]
# Nothing in one of them is in another, so nobody agrees with anybody by chance.
_NOUNS = ("apple", "boat", "cliff", "drum", "engine", "field", "glass", "hammer", "island", "jacket")


def repointed(name: str) -> Recipe:
    """A built-in recipe whose every seat is a model of the server, named by its layer and place.

    A model that is asked in several layers stays one and the same where only one is loaded at a time.
    """
    original = slim_recipe(_OLLAMA) if name == "slim" else files.read(files.BUILT_IN / f"{name}.toml")
    alone = original.limits.one_model_at_a_time
    layers = []
    for number, layer in enumerate(original.layers, 1):
        seats = original.lineup[number - 1][: 1 if layer.window is not None else None]
        agents = []
        for index, agent in enumerate(seats, 1):
            key = agent.name if alone else f"{number}-{index}"
            agents.append({"name": agent.name, "model": f"lab/told@ttft={_THINKING_SECONDS},key={key}"})
        layers.append({**layer.model_dump(exclude_unset=True), "agents": agents})
    limits = original.limits.model_dump(exclude_unset=True, exclude={"concurrency"})
    return Recipe.model_validate({"name": name, "layers": layers, "limits": limits})


class Log:
    """What the server saw of one run."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self.requests = requests

    def carried(self, key: str, nth: int = 0) -> list[str]:
        """What stood in the references of a call, each by the key of who wrote it, else by its kind."""
        asked = [request for request in self.requests if request.key == key]
        return [_whose(about, text) for about, text in _REFERENCE.findall(sent_text(asked[nth]))]

    def sent(self, key: str) -> str:
        return sent_text(next(request for request in self.requests if request.key == key))

    @property
    def depth(self) -> int:
        """The longest chain of requests of which each began when the one before had ended."""
        chains: list[tuple[float, int]] = []
        for request in sorted(self.requests, key=lambda request: request.started):
            before = [length for ended, length in chains if ended - _PUT_AWAY_SECONDS <= request.started]
            assert request.ended is not None
            chains.append((request.ended, 1 + max(before, default=0)))
        return max(length for _, length in chains)


def _whose(about: str, text: str) -> str:
    if kind := re.search(r'kind="([^"]+)"', about):
        return kind[1]
    if written := re.match(r"From (\S+):", text):
        return written[1]
    return "?"


def reply(
    request: Request, ranking: str = "{}", judgement: str = "{}", moderation: str = "{}", **own: str
) -> str:
    """What a model of the server says: what it is asked for, or an answer with its own name and words."""
    text = sent_text(request)
    count = len(_REFERENCE.findall(text))
    if "RANKING:" in text:
        return ranking.format("RANKING: " + " > ".join(map(str, range(count, 0, -1))))
    if "blind_spots" in text:
        return judgement.format('{"consensus": ["all say yes"], "blind_spots": ["the cost"]}')
    if '"keep"' in text:
        return moderation.format('{"keep": [1, 2], "enough": false}')
    if "examine the answers" in text or "Do not answer the message yourself" in text:
        return "The second is wrong."
    if request.key in own:
        return own[request.key]
    noun = _NOUNS[hash_of(request.key)]
    return f"From {request.key}: {noun} {noun}s {noun}ing {noun}like."


def hash_of(key: str) -> int:
    return sum(int(part) * (5 if at else 1) for at, part in enumerate(re.findall(r"\d+", key))) % len(_NOUNS)


def run(bench: Bench, name: str, **says: str) -> tuple[Outcome, Log]:
    bench.server.responder = partial(reply, **says)
    outcome = bench.run(repointed(name))
    # The program knows that a reply is whole before the server has put it away.
    bench.server.wait_for(lambda requests: all(request.ended is not None for request in requests))
    return outcome, Log(bench.server.requests)


def first(n: int) -> list[str]:
    """The keys of a first layer of n."""
    return [f"1-{index}" for index in range(1, n + 1)]


def whole_layer(layer: int, n: int) -> list[str]:
    return [f"{layer}-{index}" for index in range(1, n + 1)]


def ranked_by_one(log: Log) -> None:
    assert sorted(log.carried("2-1")) == first(6)


def best_three_fused(log: Log) -> None:
    seen = log.carried("2-1")
    # The ranker put the last it was shown first.
    assert log.carried("3-1") == seen[::-1][:3]


def criticised(log: Log) -> None:
    assert log.carried("2-1") == first(3)
    assert log.carried("3-1") == [*first(3), "critique"]


def judged(log: Log) -> None:
    assert log.carried("2-1") == first(4)
    assert log.carried("3-1") == [*first(4), "comparison"]
    assert "blind spots:\n- the cost" in log.sent("3-1")


def ranked_by_all(log: Log) -> None:
    orders = [log.carried(key) for key in whole_layer(2, 4)]
    assert all(sorted(order) == first(4) for order in orders)
    assert len(set(map(tuple, orders))) > 1, "each reviewer has an order of its own"
    assert sorted(log.carried("3-1")) == first(4)
    assert len(re.findall(r'mean-rank="', log.sent("3-1"))) == 4


def debated(log: Log) -> None:
    for round_ in (2, 3):
        for index in (1, 2, 3):
            seen = log.carried(f"{round_}-{index}")
            own = seen.index("your own answer")
            assert seen[:own] + seen[own + 1 :] == [
                key for key in whole_layer(round_ - 1, 3) if not key.endswith(str(index))
            ]


def nobody_reads(log: Log) -> None:
    assert all("<reference" not in sent_text(request) for request in log.requests)


def through_a_window(log: Log) -> None:
    assert log.carried("2-1", 0) == first(6)
    assert log.carried("2-1", 1) == ["2-1"] * 3 + first(12)[6:9]
    assert log.carried("2-1", 2) == ["2-1"] * 3 + first(12)[9:12]


def one_model_after_another(log: Log) -> None:
    requests = sorted(log.requests, key=lambda request: request.started)
    for before, after in pairwise(requests):
        assert before.ended is not None
        assert before.ended <= after.started, "one card holds one model"
    keys = [request.key for request in requests]
    assert keys == [*keys[:4], *keys[:4][::-1], keys[0]], "each layer begins with what is loaded"
    loads = 1 + sum(before != after for before, after in pairwise(keys))
    assert loads == 7


def in_threes(log: Log) -> None:
    for index in (1, 2, 3):
        assert log.carried(f"2-{index}") == first(9)[3 * index - 3 : 3 * index]
    assert log.carried("3-1") == whole_layer(2, 3)


def moderated(log: Log) -> None:
    assert log.carried("2-1") == first(4)
    assert all(log.carried(key) == first(2) for key in whole_layer(3, 4))
    assert log.carried("4-1") == whole_layer(3, 4)
    assert log.carried("5-1") == whole_layer(3, 2)


def escalated(log: Log) -> None:
    assert all("<reference" not in log.sent(key) for key in whole_layer(2, 4))
    assert log.carried("3-1") == [*first(2), *whole_layer(2, 4)]


def all_six(log: Log) -> None:
    assert log.carried("2-1") == first(6)


def three_layers(log: Log) -> None:
    assert all(log.carried(key) == first(6) for key in whole_layer(2, 6))
    assert log.carried("3-1") == whole_layer(2, 6)


def advised(log: Log) -> None:
    assert all(log.carried(key) == first(4) for key in whole_layer(2, 4))
    for index in range(4):
        answers: list[str] = first(4)
        answers[index] = "your own answer"
        assert log.carried(f"3-{index + 1}") == [*answers, *["critique"] * 4]
    assert log.carried("4-1") == whole_layer(3, 4)


def with_residuals(log: Log) -> None:
    read = log.carried("2-1")
    assert len(read) == 3
    assert set(read) < set(first(6))
    compared = log.carried("3-1")
    assert compared[:3] == read
    assert set(compared[3:]) < set(whole_layer(2, 6))
    names = re.findall(r'agent="([^"]+)"', log.sent("3-1"))
    assert [name.endswith(" later") for name in names] == [False] * 3 + [True] * 3
    assert log.carried("4-1") == [*read, "critique"]


@pytest.mark.parametrize(
    ("name", "calls", "depth", "carries"),
    [
        ("rank", 7, 2, ranked_by_one),
        ("rank-fuse", 8, 3, best_three_fused),
        ("critique", 5, 3, criticised),
        ("fusion", 6, 3, judged),
        ("council", 9, 3, ranked_by_all),
        ("debate", 9, 3, debated),
        ("vote", 5, 1, nobody_reads),
        ("self-moa-seq", 15, 4, through_a_window),
        ("slim", 9, 9, one_model_after_another),
        ("tree", 13, 3, in_threes),
        ("sparse", 11, 5, moderated),
        ("cascade", 7, 3, escalated),
        ("robust", 7, 2, all_six),
        ("attention-moa", 13, 4, advised),
        ("rmoa", 14, 4, with_residuals),
        ("moa", 13, 3, three_layers),
        ("moa-lite", 7, 2, all_six),
    ],
)
def test_a_strategy_makes_its_calls_in_its_depth_and_each_carries_what_it_should(
    bench: Bench, name: str, calls: int, depth: int, carries: Callable[[Log], None]
) -> None:
    outcome, log = run(bench, name)
    assert outcome.status == "done", outcome.error
    assert outcome.answer.startswith("From")
    assert len(log.requests) == calls
    assert log.depth == depth
    carries(log)


# --- what goes another way --------------------------------------------------------------------------------


def test_an_unreadable_ranking_falls_back_to_the_answer_most_like_the_others(bench: Bench) -> None:
    outcome, log = run(bench, "rank", ranking="They are all good.")
    assert len(log.requests) == 7
    assert outcome.answer.startswith("From 1-")
    assert any("unreadable" in note for note in outcome.notes)


def test_invalid_json_of_a_judge_makes_it_a_plain_synthesis(bench: Bench) -> None:
    outcome, log = run(bench, "fusion", judgement="I would rather not.")
    assert log.carried("3-1") == first(4)
    assert any("plain synthesis" in note for note in outcome.notes)


def test_a_moderator_that_has_enough_ends_the_rounds(bench: Bench) -> None:
    outcome, log = run(bench, "sparse", moderation='{{"keep": [2], "enough": true}}')
    assert [request.key for request in sorted(log.requests, key=lambda request: request.started)][4:] == [
        "2-1",
        "5-1",
    ]
    assert log.carried("5-1") == ["1-2"]
    assert any("5 calls saved" in note for note in outcome.notes)


def test_cheap_models_that_agree_are_enough(bench: Bench) -> None:
    outcome, log = run(bench, "cascade", **{"1-1": "Answer: 42", "1-2": "42"})
    assert (outcome.answer, len(log.requests), log.depth) == ("Answer: 42", 2, 1)
    assert any("5 calls saved" in note for note in outcome.notes)


def test_what_stands_apart_never_reaches_the_aggregator(bench: Bench) -> None:
    honest = {key: f"From {key}: the second one.\nIN SHORT: B" for key in first(6)}
    outcome, log = run(bench, "robust", **{**honest, "1-3": "From 1-3: trust me, the first.\nIN SHORT: A"})
    assert all("IN SHORT: 42" in log.sent(key) for key in first(6)), "each is asked for it"
    assert log.carried("2-1") == [key for key in first(6) if key != "1-3"]
    assert "trust me" not in log.sent("2-1")
    assert "IN SHORT" not in log.sent("2-1")
    assert any("stands apart" in note and "L1.3" in note for note in outcome.notes)


def test_the_mean_rank_of_three_judges_decides_and_the_answer_is_word_for_word(bench: Bench) -> None:
    def judged(request: Request) -> str:
        written = [_whose(about, text) for about, text in _REFERENCE.findall(sent_text(request))]
        if not written:
            return reply(request)
        # 1-2 is everybody's second; each judge has another first, and puts the other firsts last.
        firsts = {"2-1": "1-1", "2-2": "1-3", "2-3": "1-4"}
        own = firsts[request.key]
        order = [own, "1-2", "1-5", "1-6", *(key for key in firsts.values() if key != own)]
        return "RANKING: " + " > ".join(str(written.index(key) + 1) for key in order)

    bench.server.responder = judged
    outcome = bench.run(repointed("jury"))
    log = Log(bench.server.requests)
    assert (outcome.status, len(log.requests)) == ("done", 9)
    assert outcome.answer.startswith("From 1-2:")
    orders = [tuple(log.carried(key)) for key in whole_layer(2, 3)]
    assert all(sorted(order) == first(6) for order in orders)
    assert len(set(orders)) > 1


def test_a_second_round_that_repeats_the_first_leaves_the_residuals_out(bench: Bench) -> None:
    words = "From 1-1: the moa was a flightless bird of New Zealand, and it died out about 1440."
    same = dict.fromkeys((*first(6), *whole_layer(2, 6)), words)
    outcome, log = run(bench, "rmoa", **same)
    assert len(log.requests) == 13
    assert log.carried("4-1") == ["1-1"] * 3, "what the first round passed on, and no differences"
    assert any("early_stop" in note for note in outcome.notes)


def test_a_vote_takes_the_short_answer_that_most_give(bench: Bench) -> None:
    says: dict[str, Any] = dict.fromkeys(("1-2", "1-4", "1-5"), "Answer: Paris")
    outcome, log = run(bench, "vote", **says)
    assert (outcome.answer, len(log.requests)) == ("Answer: Paris", 5)


def test_the_local_recipe_runs_against_real_servers_one_call_at_a_time(bench: Bench) -> None:
    bench.server.models = ["ok@ttft=0.05,key=a", "ok@ttft=0.05,key=b"]
    servers = find_servers([LocalServer("vllm", bench.server.url, "openai")])
    outcome = bench.run(local_recipe(servers))
    assert outcome.status == "done"
    requests = bench.server.requests
    assert [request.key for request in requests] == ["b", "a", "a"], (
        "the first listed is the largest, so it comes last"
    )
    assert all((before.ended or 0) <= after.started for before, after in pairwise(requests))
