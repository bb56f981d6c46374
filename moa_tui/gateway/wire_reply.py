"""What a streamed reply has said so far, in whatever protocol it came. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from moa_tui.engine.amounts import dollars, token_count
from moa_tui.engine.values import Chunk, Finish, Usage
from moa_tui.errors import ModelError
from moa_tui.gateway.error_reply import error_event
from moa_tui.gateway.finish_reasons import meaning_of, plain_reason
from moa_tui.text.safe import one_line, quoted_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.engine.values import Kind

_MOST_NOTES = 5
_MOST_TOOLS = 5
_LONGEST_NOTE = 500  # characters of what a server says in a note


@dataclass(frozen=True, slots=True)
class Tokens:
    """The provider's count of tokens. `prompt` includes those that were read from, or written to, a cache."""

    prompt: int
    completion: int
    cached: int = 0
    written_to_cache: int = 0


class WireReply:
    """One reply as it comes in. Methods named after what a server sends take values of any type."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        """What has come and was not taken yet."""
        self.is_over = False
        """True once the protocol's own mark of the end has come."""
        self.failure: ModelError | None = None
        self.tokens: Tokens | None = None
        self.cost: float | None = None
        self.choice: object = None
        """The index of the choice, of several, that is read."""
        self.block_names: dict[object, str] = {}
        """The tool that a numbered block of content calls, where one does."""
        self.has_text = self.has_said_anything = False
        self._has_unreadable = False
        self._reason: str | None = None
        self._tools: list[str] = []
        self._notes: list[str] = []

    def take_chunks(self) -> list[Chunk]:
        """The chunks that have come since the last call."""
        chunks, self.chunks = self.chunks, []
        return chunks

    @property
    def has_ended(self) -> bool:
        """True once the server has said why its answer ends; all that may follow is a count of tokens."""
        return self._reason is not None

    # What a server sends

    def say(self, kind: Kind, text: object) -> None:
        """Text or reasoning; None and an empty text say nothing."""
        if isinstance(text, str):
            if text:
                self.chunks.append(Chunk(kind, text))
                self.has_said_anything = True
                self.has_text = self.has_text or (kind == "text" and not text.isspace())
        elif text is not None:
            self.say_parts(kind, text)

    def say_parts(self, kind: Kind, content: object) -> None:
        """Content that should be a list of parts."""
        if not isinstance(content, list):
            self._has_unreadable = True
            return
        for part in content:
            self._say_part(kind, part)

    def _say_part(self, kind: Kind, part: object, depth: int = 0) -> None:
        if isinstance(part, str) and depth:
            self.say(kind, part)
            return
        if not isinstance(part, dict):
            self._has_unreadable = True
            return
        part_type = str(part.get("type", ""))
        if part_type in ("thinking", "reasoning") or part.get("thought") is True:
            kind = "reasoning"
        inner = next((part[name] for name in _PART_FIELDS if part.get(name) is not None), None)
        if isinstance(inner, str):
            self.say(kind, inner)
            if part_type == "refusal":
                self.note_refusal()
        elif isinstance(inner, list) and depth < 3:
            for nested in inner:
                self._say_part(kind, nested, depth + 1)
        elif kind == "reasoning" or part_type in _SILENT_PARTS:
            pass  # What a model thinks may be encrypted, and what it quotes is only pointed at.
        elif inner is None and part_type and part_type not in ("text", "output_text"):
            self.note_left_out(part_type)
        else:
            self._has_unreadable = True

    def refuse(self, text: object) -> None:
        """The model's own refusal, which comes in the place of an answer."""
        if isinstance(text, str) and text:
            self.say("text", text)
            self.note_refusal()

    def note_refusal(self) -> None:
        """Say that the text is the model's refusal."""
        self.note("the model refused to answer; the text is its refusal")

    def miss(self) -> None:
        """Something that may be text, in a form that cannot be read."""
        self._has_unreadable = True

    def note_left_out(self, part: str) -> None:
        """Say that the answer has a part of this kind, which is no text."""
        self.note(f"a part of the answer is no text ({quoted_name(part)}) and was left out")

    def end(self, reason: object) -> None:
        """A finish reason; None, an empty one and no text are none."""
        if isinstance(reason, str) and reason.strip().lower() not in ("", "null", "none"):
            self._reason = reason.strip()

    def call_tool(self, name: object) -> None:
        """A call of a tool; pieces of a call that follow have no name."""
        if isinstance(name, str) and name.strip() and len(self._tools) < _MOST_TOOLS:
            tool = quoted_name(name)
            if tool not in self._tools:
                self._tools.append(tool)

    def count(
        self, prompt: object, completion: object, cached: object = None, written_to_cache: object = None
    ) -> None:
        """A count of tokens; one that cannot be meant changes nothing."""
        tokens = (number(prompt), number(completion))
        # Some servers send zeros for what they did not count, and no request takes no token at all.
        if tokens[0] is not None and tokens[1] is not None and any(tokens):
            self.tokens = Tokens(tokens[0], tokens[1], number(cached) or 0, number(written_to_cache) or 0)

    def count_cached(self, cached: object) -> None:
        """The tokens read from a cache, where a server tells them apart from the counts before."""
        if self.tokens is not None and not self.tokens.cached:
            self.tokens = replace(self.tokens, cached=number(cached) or 0)

    def fail(self, error: object) -> None:
        """An error that was sent as an event; the first one is kept."""
        if self.failure is None:
            failure = error_event(error)
            if self.has_said_anything:
                # Nothing of this is tried again: what has come stays, as a partial answer.
                message = f"the server reported an error in the middle of its reply: {failure.message}"
                failure = ModelError(failure.kind, message)
            self.failure = failure

    def fail_torn(self) -> None:
        """An event that cannot be read: the text that it held is lost."""
        if self.failure is None:
            self.failure = ModelError(
                "malformed", "a piece of the server's reply is torn and cannot be read, so text is missing"
            )

    def note(self, note: str) -> None:
        """A sentence for the user."""
        line = one_line(note[:_LONGEST_NOTE])
        if line not in self._notes and len(self._notes) < _MOST_NOTES:
            self._notes.append(line)

    # What it comes to

    def finish(self) -> Finish:
        """The end of the reply, to be called when nothing more comes."""
        reason = self._reason
        if reason is None:
            if not (self.is_over and self.has_text) or self.failure is not None:
                return Finish(None, self._usage(), self.cost, notes=tuple(self._notes))
            self.note("the server ended its answer without a reason; nothing shows that it is cut off")
            reason = "stop"
        if meaning_of(reason) == "content_filter" and reason != "content_filter":
            self.note(f"the provider's word for why it stopped the answer: {quoted_name(reason)}")
        elif meaning_of(reason) == "unknown":
            self.note(f"the server ended its answer for a reason of its own: {quoted_name(reason)}")
        if self._tools and self.has_text:
            self.note(f"the model also called {self._tool_names()}, which it was not offered")
        return Finish(plain_reason(reason), self._usage(), self.cost, notes=tuple(self._notes))

    def problem(self) -> ModelError | None:
        """Why the reply is no whole answer, where the server has said so; to be called after `finish`."""
        if self.failure is not None:
            return self.failure
        if self._has_unreadable:
            what = "a part of its answer" if self.has_text else "an answer"
            return ModelError("malformed", f"the server sent {what} in a form that is no text")
        if self._reason is not None and meaning_of(self._reason) == "fault":
            word = plain_reason(self._reason)
            return ModelError(
                "server", f"the server gave up in the middle of its answer (its reason: {word})"
            )
        is_call = bool(self._tools) or (self._reason is not None and meaning_of(self._reason) == "tool_calls")
        if is_call and not self.has_text:
            return ModelError(
                "empty",
                f"the model called {self._tool_names()} and wrote no answer; moa-tui offers models no tools, "
                "so ask again, or ask another model",
            )
        return None

    def _tool_names(self) -> str:
        if not self._tools:
            return "a tool"
        return f"the {'tool' if len(self._tools) == 1 else 'tools'} {', '.join(self._tools)}"

    def _usage(self) -> Usage | None:
        counted = self.tokens
        if counted is None:
            return None
        return Usage(
            counted.prompt,
            counted.completion,
            estimated=False,
            cached_tokens=counted.cached,
            cache_write_tokens=counted.written_to_cache,
        )


_SILENT_PARTS = ("reference", "tool_reference", "citation", "redacted_thinking")
_PART_FIELDS = ("text", "thinking", "reasoning", "summary", "content", "refusal")


def number(value: object) -> int | None:
    """A count of tokens, which some servers write as text; None for what is none."""
    if isinstance(value, str) and len(value) <= 12 and value.isascii() and value.isdigit():
        value = int(value)
    return token_count(value)


def fields(value: object) -> Mapping[str, Any]:
    """`value` where it is an object of JSON, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """`value` where it is a list of JSON, else an empty one."""
    return value if isinstance(value, list) else []


def stated_cost(value: object) -> float | None:
    """What a provider says it charged, in US dollars: OpenRouter as a number, Perplexity in an object."""
    return dollars(fields(value).get("total_cost") if isinstance(value, dict) else value)
