"""How much of what reference-carrying calls are sent repeats the beginning of an earlier call of their model.

That is what providers can cache. The requests are those of a conversation of four turns with the paper's
thirteen calls each, and texts as long as real ones: prompts of 170 to 800 characters, answers of 1,200 to
2,900, drawn with a fixed seed. The figures are counts, which depend on no machine.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING

from moa_tui.conversation import Turn, history
from moa_tui.engine.run import run
from tests.benchmarks.figures import Figure, figure
from tests.fakes import FakeModels
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.engine.values import Message

TURNS = 4


def measure() -> list[Figure]:
    """The repeated share in the last turn with references in the user's message, to those in the system's."""
    user, system = (asyncio.run(repeated_shares(placement)) for placement in ("user", "system"))
    return [
        figure(f"turn {TURNS}, {who}: characters that repeat a prefix", "%", [user[who]], [system[who]])
        for who in ("all calls with references", "the aggregator alone")
    ]


async def repeated_shares(placement: str) -> dict[str, float]:
    """The shares in percent, over the calls of the last turn that carry references."""
    rng = random.Random(7)
    names = ["qwen", "glm", "kimi", "deepseek", "mini", "llama"]
    models = FakeModels(
        **{name: [[text(rng, 1_200, 2_900)] for _ in range(2 * TURNS)] for name in names},
        judge=[[text(rng, 1_200, 2_900)] for _ in range(TURNS)],
    )
    reading = {"agents": names, "placement": placement}
    moa = recipe(names, reading, {"agents": ["judge"], "placement": placement}, loop_guard=False)
    turn: Turn | None = None
    before: dict[str, int] = {}
    for _ in range(TURNS):
        before = {name: len(asked) for name, asked in models.asked.items()}
        asked = Turn(text(rng, 170, 800), moa, parent=turn)
        outcome = await run(moa, history(asked), models, lambda _: None)
        turn = Turn(asked.prompt, moa, outcome, parent=turn)
    repeated: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for name, requests in models.asked.items():
        texts = list(map(sent, requests))
        for at in range(before[name], len(texts)):
            if "<reference number=" in texts[at]:
                repeated[name] += max((same_beginning(texts[at], other) for other in texts[:at]), default=0)
                total[name] += len(texts[at])
    return {
        "all calls with references": 100 * repeated.total() / total.total(),
        "the aggregator alone": 100 * repeated["judge"] / total["judge"],
    }


def same_beginning(one: str, other: str) -> int:
    """The number of characters with which both begin."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def text(rng: random.Random, least: int, most: int) -> str:
    """Words that no other text begins with, of so many characters."""
    words = [rng.choice(("moa", "bird", "island", "feather", "forest", "people")) for _ in range(most // 4)]
    return f"{rng.random()} {' '.join(words)}"[: rng.randrange(least, most)]


def sent(messages: Sequence[Message]) -> str:
    """A request as one text."""
    return "".join(f"<{message['role']}>{message['content']}" for message in messages)
