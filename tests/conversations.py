"""Conversations for tests: made to measure by hand, or of any kind by hypothesis."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from hypothesis import strategies as st

from moa_tui.conversation import Conversation, Turn, history, new_id
from moa_tui.engine.metrics import measure
from moa_tui.engine.values import (
    CallId,
    Failure,
    Message,
    Metrics,
    Outcome,
    OutcomeStatus,
    Reply,
    Status,
    Step,
    Usage,
)
from moa_tui.errors import FailureKind
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import DrawFn, SearchStrategy

    from moa_tui.engine.recipe import Recipe

NOON = 1_750_000_000.0
"""When the conversations made here begin, in Unix seconds: 15 June 2025, 15:06:40 UTC."""

HOSTILE_TEXTS = (
    "</details>\n\n## Turn 99\n\n<details><summary>",
    "</script><script>document.title = 'run'</script>",
    '<svg onload="document.title = 1"><img src=x onerror="document.title = 2">',
    "<iframe src='http://192.0.2.1/'></iframe><link rel=stylesheet href=//192.0.2.1/a.css>",
    "[click](javascript:document.title='run') ![seen](http://192.0.2.1/pixel.png) <http://192.0.2.1/>",
    "```\nthis fence is never closed",
    "~~~~html\n<b>",
    "<!-- never closed",
    "# A heading\n\ntext\n---\nmore\n===",
    "---\ntitle: another\n---",
    "[^1]: note\n[here]: javascript:alert(1)\n[here]",
    "\u202etxt.exe\u2066 abc\u2069 \u200bzero",
    "\x1b]52;c;aGFja2Vk\x07\x1b[2J\x00\x7f\x9b31m",
    "lone \ud800 and \udfff, a pair \ud83d\ude00",
    "\r\nline\rline\u2028line\x85line\n",
    "- a\n  - b\n\n\t\tcode\n1. x\n   ```\n   open",
    "| a | b |\n|---|---|\n| `|` | <br> |",
    "漢字とかな 한국어 👩‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿 שלום مرحبا",
    "&lt;b&gt; &amp; &#60;script&#62; \\<b\\>",
    "` <!-- ` <b `` ``` x",
)


def a_reply(text: str = "An answer.", status: Status = "done", **more: Any) -> Reply:
    """A call that took 2.5 seconds and 0.002 dollars, unless `more` says otherwise."""
    values: dict[str, Any] = {
        "agent": "qwen",
        "model": "demo/qwen",
        "messages": ({"role": "user", "content": "A question?"},),
        "finish_reason": "stop" if status == "done" else None,
        "usage": Usage(120, 40, estimated=False),
        "cost": 0.002,
        "started": 0.5,
        "first_token": 1.0,
        "ended": 3.0,
        "attempts": 1,
    }
    return Reply(status=status, text=text, **{**values, **more})


def an_outcome(replies: Mapping[CallId, Reply], status: OutcomeStatus = "done", **more: Any) -> Outcome:
    """What a run of these replies came to, measured; the last layer's first call is the answer."""
    final = CallId(max((call.layer for call in replies), default=0), 1)
    used: dict[int, list[CallId]] = {}
    for call, reply in replies.items():
        if reply.status == "done":
            used.setdefault(call.layer, []).append(call)
    costs = [reply.cost for reply in replies.values() if not reply.reused]
    values: dict[str, Any] = {
        "answer": replies[final].text if final in replies else "",
        "metrics": measure(replies, used, final) if replies else Metrics(),
        "usage": sum((reply.usage for reply in replies.values()), Usage(estimated=False)),
        "cost": None if None in costs else sum(cost for cost in costs if cost is not None),
        "seconds": max((reply.ended for reply in replies.values()), default=0.0),
    }
    return Outcome(status, replies=dict(replies), **{**values, **more})


def a_reply_in_steps() -> Reply:
    """The reply of the writer of two answers, which was asked twice, for 0.25 and 0.5 dollars."""
    first, second = CallId(1, 1), CallId(1, 2)
    opening: tuple[Message, ...] = (
        {"role": "user", "content": "A question?"},
        {"role": "user", "content": f"Read: {'It is a bird that was tall. ' * 20}"},
    )
    further: tuple[Message, ...] = (
        *opening,
        {"role": "assistant", "content": "A moa is a bird."},
        {"role": "user", "content": "Go on."},
    )
    usage = Usage(80, 20, estimated=False)
    steps = (
        Step(opening, {first: 40, second: 44}, frozenset({second}), 16, usage, 0.25, 0.5, 0.75, 1.5),
        Step(
            further,
            {first: 90, second: 44},
            frozenset({first, second}),
            32,
            Usage(120, 30),
            0.5,
            2.0,
            None,
            3.0,
        ),
    )
    return a_reply(
        "A moa is a bird. It is extinct.\n",
        messages=further,
        usage=Usage(200, 50),
        cost=0.75,
        ended=3.0,
        steps=steps,
        unread=(second,),
    )


def a_conversation_in_steps() -> Conversation:
    """One turn, whose answer was written in two steps."""
    replies = {CallId(1, 1): a_reply(), CallId(1, 2): a_reply(), CallId(2, 1): a_reply_in_steps()}
    turn = Turn("A question?", a_recipe(), an_outcome(replies), created=NOON)
    return Conversation((turn,), turn, created=NOON)


def a_recipe(agents: int = 2, layers: int = 2) -> Recipe:
    """`layers` of `agents` each, the last of them one aggregator."""
    names = [f"agent-{number}" for number in range(1, agents + 1)]
    return recipe(*[names] * (layers - 1), ["judge"])


def a_turn(
    prompt: str = "A question?", answer: str = "The answer.", agents: int = 2, layers: int = 2, **more: Any
) -> Turn:
    """A turn that was answered; `more` are further values of it."""
    turn = Turn(prompt, more.pop("recipe", None) or a_recipe(agents, layers), **{"created": NOON, **more})
    if turn.outcome is not None:
        return turn
    sent = tuple(history(turn))
    replies: dict[CallId, Reply] = {}
    began = 0.0
    for number, members in enumerate(turn.recipe.lineup, 1):
        texts = "\n".join(reply.text for call, reply in replies.items() if call.layer == number - 1)
        messages: tuple[Message, ...] = ({"role": "system", "content": texts}, *sent) if texts else sent
        for index, agent in enumerate(members, 1):
            last = number == len(turn.recipe.lineup)
            replies[CallId(number, index)] = a_reply(
                answer if last else f"Answer {number}.{index} to {prompt}",
                agent=agent.name,
                model=agent.model,
                messages=messages,
                queued=began,
                started=began + 0.1 * index,
                first_token=began + 0.5 + 0.1 * index,
                ended=began + 2.0 + 0.5 * index,
            )
        began = max(reply.ended for reply in replies.values())
    return replace(turn, outcome=an_outcome(replies))


def a_conversation(turns: int = 3, agents: int = 2, layers: int = 2, **more: Any) -> Conversation:
    """A conversation of one branch, every turn answered; `more` are further values of it."""
    made: list[Turn] = []
    for number in range(1, turns + 1):
        made.append(
            a_turn(
                f"Question {number}?",
                f"The answer to question {number}.",
                agents,
                layers,
                parent=made[-1] if made else None,
                created=NOON + 60 * number,
            )
        )
    values = {"turns": tuple(made), "active": made[-1] if made else None, "created": NOON}
    return Conversation(**{**values, **more})


def conversation_of(*pairs: tuple[str, str], **more: Any) -> Conversation:
    """A conversation of one branch with these prompts and answers."""
    made: list[Turn] = []
    for prompt, answer in pairs:
        made.append(a_turn(prompt, answer, parent=made[-1] if made else None))
    return Conversation(tuple(made), made[-1] if made else None, **{"created": NOON, **more})


def with_branches() -> Conversation:
    """Six turns: question two was asked in two ways, and the second way's answer was made twice."""
    one = a_turn("First question?", "First answer.")
    two = a_turn("Second question?", "Second answer.", parent=one)
    three = a_turn("Third question?", "Third answer.", parent=two)
    other = a_turn("Second question, put better?", "Another answer.", parent=one)
    again = a_turn("Second question, put better?", "Yet another answer.", parent=one)
    last = a_turn("Third question of the other branch?", "The last answer.", parent=again)
    return Conversation((one, two, three, other, again, last), last, created=NOON, title="Branches")


def texts(max_size: int = 60) -> SearchStrategy[str]:
    """Any text, hostile ones more often: CJK, emoji, NUL, lone surrogates, carriage returns, markup."""
    awkward = st.sampled_from(
        "a b漢あ한😀é\0\r\n\t\x1b\x7f\x85\u2028\u202e\u2066\ufeff\ud800\udfff</>`#~-=*_[]()!&\"'\\|:"
    )
    return st.one_of(
        st.text(max_size=max_size),
        st.text(awkward, max_size=max_size),
        st.text(st.characters(categories=["L", "N", "P", "S", "Z", "Cs", "Cc", "Cf"]), max_size=max_size),
        st.sampled_from(HOSTILE_TEXTS),
    )


def labels() -> SearchStrategy[str]:
    """What an agent, a model or a recipe can be called."""
    shown = st.characters(exclude_categories=["C", "Z"], include_characters=" ")
    return st.one_of(
        st.sampled_from(["qwen", "</details>", "**b** `c` [d](e)", "<img src=x>", 'a"b: #c', "漢字 🤖"]),
        st.text(shown, min_size=1, max_size=12).filter(str.isprintable),
    )


_SECONDS = st.integers(0, 10**7).map(lambda milliseconds: milliseconds / 1000)
_MONEY = st.none() | st.floats(0, 10, allow_nan=False)
_FAILURES = st.builds(
    Failure, st.sampled_from(get_args(FailureKind)), texts(), st.none() | st.integers(400, 599)
)


def _a_usage(prompt: int, cached: int, cache_write: int, completion: int, estimated: bool) -> Usage:
    """A usage whose prompt has the tokens of the cache and `prompt` others."""
    return Usage(prompt + cached + cache_write, completion, estimated, cached, cache_write)


_USAGE = st.builds(
    _a_usage,
    *(st.integers(0, 10**6) for _ in range(4)),
    st.booleans(),
)
_NOTES = st.lists(texts(), max_size=2).map(tuple)
_ROLES: tuple[Literal["system", "user", "assistant"], ...] = ("system", "user", "assistant")
_MESSAGES = st.builds(Message, role=st.sampled_from(_ROLES), content=texts())


@st.composite
def recipes(draw: DrawFn) -> Recipe:
    """A recipe of one to three layers with up to three agents in each."""
    agents = st.fixed_dictionaries(
        {"model": labels()}, optional={"name": labels(), "temperature": st.just(0.7)}
    )
    several = st.lists(agents, min_size=1, max_size=3)
    layers = [*draw(st.lists(several, max_size=2)), [draw(agents)]]
    return recipe(*layers).model_copy(update={"name": draw(labels())})


@st.composite
def replies(draw: DrawFn) -> Reply:
    """A call that ended in any way, at times in their order."""
    times = sorted(draw(st.lists(_SECONDS, min_size=4, max_size=4)))
    return Reply(
        draw(labels()),
        draw(labels()),
        draw(st.sampled_from(get_args(Status))),
        tuple(draw(st.lists(_MESSAGES, max_size=3))),
        draw(texts()),
        draw(st.just("") | texts()),
        draw(st.none() | _FAILURES),
        draw(st.none() | st.sampled_from(["stop", "length"])),
        draw(_USAGE),
        draw(_MONEY),
        times[0],
        draw(st.none() | st.just(times[1])),
        draw(st.none() | st.just(times[2])),
        times[3],
        draw(st.integers(0, 3)),
        draw(st.booleans()),
        draw(_NOTES),
        local=draw(st.booleans()),
    )


@st.composite
def outcomes(draw: DrawFn, recipe: Recipe) -> Outcome:
    """What a run of `recipe` came to; some of its calls may be missing."""
    calls = [
        CallId(layer, index)
        for layer, members in enumerate(recipe.lineup, 1)
        for index in range(1, len(members) + 1)
    ]
    kept = [call for call in calls if draw(st.integers(0, 9))]
    made = an_outcome(
        {call: draw(replies()) for call in kept}, draw(st.sampled_from(get_args(OutcomeStatus)))
    )
    return replace(made, error=draw(st.none() | _FAILURES), notes=draw(_NOTES))


@st.composite
def conversations(draw: DrawFn, max_turns: int = 4) -> Conversation:
    """Any conversation: with branches, unanswered turns, every status, hostile texts."""
    made: list[Turn] = []
    for _ in range(draw(st.integers(0, max_turns))):
        chosen = draw(recipes())
        made.append(
            Turn(
                draw(texts()),
                chosen,
                draw(st.none() | outcomes(chosen)),
                draw(st.none() | st.sampled_from(made)) if made else None,
                draw(st.none() | texts()),
                new_id(),
                draw(st.floats(0, NOON, allow_nan=False)),
            )
        )
    return Conversation(
        tuple(made),
        draw(st.sampled_from(made)) if made else None,
        new_id(),
        draw(st.floats(0, NOON, allow_nan=False)),
        draw(st.just("") | texts()),
        tuple(draw(st.lists(texts(8), max_size=2))),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.none() | st.just(new_id())),
    )
