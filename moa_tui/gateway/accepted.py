"""The form in which a model at a server takes requests: as the config says, or as its refusals taught.

A request that is refused for a parameter or a role is made once more without it, or in the other form that is
known for it. What was learned holds for that model at that server until the program ends.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from moa_tui.engine.parameters import is_optional_format
from moa_tui.engine.values import Finish
from moa_tui.errors import ModelError
from moa_tui.gateway import refusals

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.values import Chunk, Message
    from moa_tui.settings.config import Endpoint

# What a request may go without, and still ask for the same answer. The rest, as a response format or a stop
# word, changes what comes: there the refusal stands. A response format that only helps is told in words too.
_OPTIONAL = frozenset(
    (
        *("stream_options", "temperature", "top_p", "top_k", "top_a", "min_p", "typical_p", "seed"),
        *("presence_penalty", "frequency_penalty", "repetition_penalty", "repeat_penalty", "length_penalty"),
        *("logprobs", "top_logprobs", "max_tokens", "max_completion_tokens"),
        *("reasoning_effort", "reasoning_format", "include_reasoning", "verbosity", "thinking_budget"),
        *("user", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"),
    )
)
# How often a request is put in yet another form: each refusal that is met names something new.
_MOST_FORMS = 5
# The two names of one parameter. Where both are refused, the request goes without a limit.
_OTHER_NAME = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}


@dataclass(frozen=True, slots=True)
class Form:
    """A form of requests: parameters that are left out or go by another name, and how messages are put.

    Of an effort it is the value that is left out: a model that cannot be kept from thinking takes "high".
    """

    left_out: frozenset[str] = frozenset()
    renamed: frozenset[str] = frozenset()
    has_system_role: bool = True
    alternates: bool = False

    @property
    def takes_cache_marks(self) -> bool:
        """False once marks of what is to be cached were refused."""
        return refusals.CACHE_MARKS not in self.left_out

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of a request, by their names, in this form."""
        sent = {}
        for name, value in given.items():
            known_as = _OTHER_NAME[name] if name in self.renamed else name
            if known_as not in self.left_out and _setting(known_as, value) not in self.left_out:
                sent[known_as] = value
        return sent

    def messages(self, given: Sequence[Message]) -> Sequence[Message]:
        """The messages of a request in this form; those of the system go into the first of the user's."""
        messages = list(given)
        if not self.has_system_role:
            texts = [message["content"] for message in messages if message["role"] == "system"]
            messages = [message for message in messages if message["role"] != "system"]
            if texts:
                messages.insert(0, {"role": "user", "content": "\n\n".join(texts)})
        if not self.has_system_role or self.alternates:
            messages = _joined(messages)
        return messages


PLAIN = Form()
"""The form in which OpenAI's protocol is written."""


def parameters_of(agent: Agent) -> dict[str, Any]:
    """The parameters that an agent's request has, whatever is done with them."""
    given = {
        "temperature": agent.temperature,
        "top_p": agent.top_p,
        "max_tokens": agent.max_tokens,
        "reasoning_effort": agent.reasoning_effort,
        **agent.extra,
        "stream_options": {"include_usage": True},
    }
    return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Change:
    """A form that a refusal taught, and what it has of the old one no longer, in words for a user."""

    form: Form
    words: str


class Accepted:
    """The form of requests that each model at each server takes. Used on one loop.

    A server is an address, or a provider's name.
    """

    def __init__(self) -> None:
        self._forms: dict[tuple[str, str], Form] = {}
        self._context_tokens: dict[tuple[str, str], int] = {}

    def form(self, server: str, model: str, endpoint: Endpoint | None = None) -> Form:
        """The form for a model at a server, which the config may have as `endpoint`."""
        form = self._forms.get((server, model), PLAIN)
        if endpoint is not None and endpoint.stream_options is False:
            form = replace(form, left_out=form.left_out | {"stream_options"})
        if endpoint is not None and endpoint.system_role is False:
            form = replace(form, has_system_role=False)
        return form

    async def stream(
        self,
        ask: Callable[[Form], AsyncGenerator[Chunk | Finish, None]],
        agent: Agent,
        messages: Sequence[Message],
        server: str,
        endpoint: Endpoint | None,
    ) -> AsyncGenerator[Chunk | Finish, None]:
        """The reply to a request that `ask` makes in a form.

        What is refused for a parameter or a role is asked once more without, or in the other form. The reply
        says so where that was not known yet. Raises ModelError.
        """
        form = self.form(server, agent.model, endpoint)
        change: Change | None = None
        for _ in range(_MOST_FORMS):
            has_begun = False
            notes: tuple[str, ...] = ()
            try:
                async with aclosing(ask(form)) as pieces:
                    async for piece in pieces:
                        if isinstance(piece, Finish):
                            yield replace(piece, notes=(*notes, *piece.notes))
                            continue
                        if (
                            not has_begun
                            and change is not None
                            and self.learn(server, agent.model, change.form)
                        ):
                            advice = "" if endpoint is None else _advice(agent, change.form)
                            notes = (f"its server {change.words}; it was asked again so{advice}",)
                        has_begun = True
                        yield piece
                    return
            except ModelError as error:
                refused = error
            sent = form.parameters(parameters_of(agent))
            following = None if has_begun else change_for(refused, form, sent, messages)
            if following is None:
                raise refused
            words = following.words if change is None else f"{change.words} and {following.words}"
            change, form = Change(following.form, words), following.form
        raise refused

    def learn(self, server: str, model: str, form: Form) -> bool:
        """Keep a form that worked, beside what other calls have learned; False where nothing is new."""
        known = self._forms.get((server, model), PLAIN)
        together = Form(
            known.left_out | form.left_out,
            form.renamed or known.renamed,
            known.has_system_role and form.has_system_role,
            known.alternates or form.alternates,
        )
        self._forms[server, model] = together
        return together != known

    def learn_context(self, server: str, model: str, tokens: int) -> None:
        """Keep the tokens of context that a model's refusal stated."""
        self._context_tokens[server, model] = tokens

    def context_tokens(self, server: str, model: str) -> int | None:
        """The tokens of context that a refusal stated; None for none."""
        return self._context_tokens.get((server, model))


def change_for(
    error: ModelError, form: Form, sent: Mapping[str, Any], messages: Sequence[Message]
) -> Change | None:
    """What to change of a request that was refused with `error`; None where nothing is known to help.

    `sent` are the parameters, by the names in which they were sent in this `form`; `messages` as they were
    given.
    """
    if error.kind not in ("bad_request", "forbidden", "server"):
        return None
    # LM Studio says it in the midst of a stream that began with 200.
    refused = error.refused or refusals.not_taken(error.status_code, error.message)
    if "max_completion_tokens" in refused and "max_tokens" in refused:
        # OpenAI names the one that it takes behind the one that it does not.
        refused -= {name for name in ("max_tokens", "max_completion_tokens") if name not in sent}
    words = []
    changed = form
    for name in sorted(name for name in refused & sent.keys() if _may_be_left_out(name, sent[name])):
        other = _OTHER_NAME.get(name)
        if other is not None and not form.renamed and other not in form.left_out:
            changed = replace(changed, renamed=frozenset((name,)))
            words.append(f"takes {other} in the place of {name}")
        else:
            setting = _setting(name, sent[name])
            changed = replace(changed, left_out=changed.left_out | {setting})
            words.append(f"takes no {setting}")
    if refusals.CACHE_MARKS in refused and form.takes_cache_marks:
        changed = replace(changed, left_out=changed.left_out | {refusals.CACHE_MARKS})
        words.append("takes no cache_control, so its prompts are not cached")
    roles = [message["role"] for message in form.messages(messages)]
    if refusals.SYSTEM_ROLE in refused and "system" in roles:
        changed = replace(changed, has_system_role=False)
        words.append("takes no system message, so that stands before the first prompt")
    if refusals.ALTERNATION in refused and any(one == other for one, other in pairwise(roles)):
        changed = replace(changed, alternates=True)
        words.append("takes no two messages of one role in a row, so they were joined")
    return Change(changed, " and ".join(words)) if words else None


def _may_be_left_out(name: str, value: object) -> bool:
    """True for a parameter that a request may go without, and still ask for the same answer."""
    return name in _OPTIONAL or is_optional_format(name, value)


def _setting(name: str, value: object) -> str:
    """What is left out of requests where a parameter was refused: its name, of an effort with the value.

    A response format that only helps is left out alone: another one still says what is wanted.
    """
    if is_optional_format(name, value):
        return f"{name} with a JSON schema"
    return f"{name} = {value}" if name == "reasoning_effort" else name


def _advice(agent: Agent, form: Form) -> str:
    """What to write into the config, so that the request that is refused is not made."""
    lines = ["stream_options = false"] if "stream_options" in form.left_out else []
    lines += [] if form.has_system_role else ["system_role = false"]
    where = f"[endpoints.{agent.model.partition('/')[0]}]"
    return f" ({' and '.join(lines)} in {where} spares the refusal)" if lines else ""


def _joined(messages: Sequence[Message]) -> list[Message]:
    """The messages with those of one role in a row made one."""
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1]["role"] == message["role"]:
            content = f"{joined[-1]['content']}\n\n{message['content']}"
            joined[-1] = {"role": message["role"], "content": content}
        else:
            joined.append(message)
    return joined
