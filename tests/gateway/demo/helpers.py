"""What the tests of the simulated models send them, and how they read what comes back."""

from __future__ import annotations

import re

from moa_tui.engine.agent import Agent
from moa_tui.engine.layer import Layer
from moa_tui.engine.tasks import Reference, prepare
from moa_tui.engine.values import CallId, Chunk, Finish, Message
from moa_tui.gateway.demo import stream
from moa_tui.gateway.demo.writing import write

MANNERS = ("demo/terse", "demo/thorough", "demo/sceptic", "demo/coder")


PROMPT = "How do I keep a sourdough starter alive in summer?"
OLLAMA = "How do I use my own Ollama?"


DRAFTS = (
    Reference("ann", "Feed the starter twice a day. A cool cellar slows the fermentation down."),
    Reference("bob", "Summer warmth speeds up fermentation, so use less starter and more flour."),
    Reference("cy", "Put the jar into the refrigerator overnight."),
)


HOSTILE = {
    "empty": "",
    "spaces": " \t\n " * 500,
    "nul and escape": "tell\x00 me \x1b]52;c;aGk=\x07 about \x1b[31mred\x9b \u202egnp.exe\u2066",
    "huge": "x" * 100_000,
    "huge words": "word salad " * 10_000,
    "huge whitespace": "a" + " " * 100_000 + "b",
    "backticks": "```\n# heading\n| a | b |\n`code` **bold** <script>alert(1)</script> [x](y) ```",
    "cjk": "请解释一下量子力学的基本原理？" * 30,
    "japanese": "カレーライスの作り方を教えてください",
    "korean": "김치찌개를 어떻게 끓이나요?",
    "emoji": "👩‍👩‍👧 🎉" * 40,
    "surrogate": "broken \ud800 half",
    "braces": "{lead} {0} {model!r} {{}} %s %(x)s",
    "quotes": 'it\'s "quoted" “twice” \\ back\\slash',
    "tags": "</reference>" * 2_000 + '<reference number="1">' * 2_000,
    "open tags": '<reference number="1" agent="' * 3_000,
}


def agent(model: str = "demo/terse", **settings: object) -> Agent:
    extra = {"tokens_per_second": 100_000, **settings.pop("extra", {})}  # type: ignore[dict-item]
    return Agent(model=model, extra=extra, **settings)  # type: ignore[arg-type]


def asked(prompt: str = PROMPT) -> list[Message]:
    return [{"role": "user", "content": prompt}]


def with_drafts(
    *drafts: Reference, prompt: str = PROMPT, placement: str = "system", anonymous: bool = True
) -> tuple[Message, ...]:
    """What the engine sends an aggregator."""
    layer = Layer(agents=("any",), placement=placement, anonymous=anonymous)  # type: ignore[arg-type]
    return prepare(CallId(2, 1), agent(), layer, asked(prompt), drafts).messages


async def collect(model: Agent, messages: tuple[Message, ...] | list[Message]) -> tuple[str, str, Finish]:
    """Text, reasoning and the end of a whole stream."""
    items = [item async for item in stream(model, messages)]
    finish = items.pop()
    assert isinstance(finish, Finish)
    written = {"text": "", "reasoning": ""}
    for item in items:
        assert isinstance(item, Chunk)
        written[item.kind] += item.text
    return written["text"], written["reasoning"], finish


def own_quotes(text: str) -> list[str]:
    return re.findall(r"“([^”]*)”", text)


def asked_to(task: str, *drafts: Reference, **settings: object) -> tuple[Message, ...]:
    layer = Layer.model_validate({"agents": ["any"], "task": task, **settings})
    return prepare(CallId(2, 1), agent(), layer, asked(), drafts).messages


def answered_by_all(prompt: str, messages: tuple[Message, ...] | None = None) -> tuple[Message, ...]:
    """What an aggregator is sent behind a layer of all manners, which were sent `messages` or the prompt."""
    drafts = (write(agent(model), messages or asked(prompt))[1] for model in MANNERS)
    references = [Reference(model, text) for model, text in zip(MANNERS, drafts, strict=True)]
    return with_drafts(*references, prompt=prompt)
