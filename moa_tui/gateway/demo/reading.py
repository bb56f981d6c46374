"""What the simulated models make of the messages they are sent: prompt, references, and task."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

from moa_tui.engine.prompts import FORMS, PROMPTS, closing_form
from moa_tui.engine.tasks import Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.tasks import ReferenceKind
    from moa_tui.engine.values import Message

_REFERENCE = re.compile(
    r'"([0-9]{1,9})"(?: agent="([^"<>\n]*)")?(?: kind="(checklist)")?(?: [a-z-]+="[^"<>\n]*")*>'
    r"(.*?)</reference>",
    re.DOTALL,
)


def read_messages(messages: Sequence[Message]) -> tuple[str, tuple[Reference, ...]]:
    """The prompt without what the engine added to it, and the references, wherever the engine put them."""
    prompt = next((message["content"] for message in reversed(messages) if message["role"] == "user"), "")
    system = "\n".join(message["content"] for message in messages if message["role"] == "system")
    asked = prompt.partition("<reference number=")[0]
    for wording in (*PROMPTS.values(), closing_form(())):
        asked = asked.partition(wording.partition("\n")[0])[0]
    return asked.strip() or prompt, parse_references(system) or parse_references(prompt)


def earlier_prompt(messages: Sequence[Message]) -> str:
    """The prompt before the last one; empty where there is none."""
    prompts = [message["content"] for message in messages if message["role"] == "user"]
    return prompts[-2] if len(prompts) > 1 else ""


def parse_references(text: str) -> tuple[Reference, ...]:
    """The last list of reference blocks in `text`: a prompt before it may hold blocks of its own."""
    references: list[Reference] = []
    for part in text.split("<reference number=")[1:]:
        if block := _REFERENCE.match(part):
            references = [] if block[1] == "1" else references
            kind: ReferenceKind = "checklist" if block[3] else "answer"
            references.append(Reference(block[2] or "", block[4].strip(), kind))
    return tuple(references)


def task_of(messages: Sequence[Message]) -> str | None:
    """The task that `messages` ask for, known by its wording or by the form of the reply; None for none."""
    text = "\n".join(message["content"] for message in messages if message["role"] != "assistant")
    tasks = [task for task, wording in PROMPTS.items() if wording.partition("\n")[0] in text]
    tasks += [task for task, form in FORMS.items() if form.rpartition("\n")[2] in text]
    return tasks[-1] if tasks else None


def seeded_random(agent: Agent, messages: Sequence[Message], purpose: str) -> random.Random:
    """A generator that draws the same numbers for the same messages, seed, model and purpose."""
    lines = [f"{message['role']}: {message['content']}" for message in messages]
    key = "\n".join([purpose, agent.model, str(agent.extra.get("seed", 0)), *lines])
    return random.Random(key.encode("utf-8", "replace").decode())
