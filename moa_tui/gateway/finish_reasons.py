"""What providers call the end of an answer, in the few words of this program. Pure.

The words are those of the providers' documents: OpenAI, Anthropic, Gemini (FinishReason, BlockReason),
Cohere, Mistral, Ollama, DeepSeek and Zhipu, and of the servers vLLM, TGI and SGLang.
"""

from __future__ import annotations

from typing import Literal

from moa_tui.text.safe import one_line

Meaning = Literal["stop", "length", "content_filter", "tool_calls", "fault", "unknown"]
"""What an end means: a whole answer, a token limit, a filter, a call of a tool, a fault of the server."""

_LONGEST_REASON = 200

_WORDS: dict[Meaning, tuple[str, ...]] = {
    "stop": (
        "stop",
        "end_turn",
        "stop_sequence",
        "complete",
        "eos",
        "eos_token",
        "end_of_turn",
        "model_stop",
    ),
    "length": (
        "length",
        "max_tokens",
        "max_output_tokens",
        "max_length",
        "model_length",
        "model_context_window_exceeded",
        "context_length",
        "token_limit",
    ),
    "content_filter": (
        "content_filter",
        "content_filtered",
        "refusal",
        "safety",
        "image_safety",
        "recitation",
        "image_recitation",
        "blocklist",
        "prohibited_content",
        "image_prohibited_content",
        "spii",
        "jailbreak",
        "model_armor",
        "sensitive",
        "guardrail_intervened",
        "error_toxic",
    ),
    "tool_calls": ("tool_calls", "tool_call", "tool_use", "function_call", "tool_code"),
    "fault": (
        "error",
        "abort",
        "aborted",
        "cancelled",
        "canceled",
        "timeout",
        "network_error",
        "insufficient_system_resource",
        "user_cancel",
        "error_limit",
        "finish_reason_unspecified",
        "other",
        "language",
        "malformed_response",
        "malformed_function_call",
        "unexpected_tool_call",
        "too_many_tool_calls",
        "missing_thought_signature",
    ),
}
_MEANINGS: dict[str, Meaning] = {word: meaning for meaning, words in _WORDS.items() for word in words}


def meaning_of(reason: str) -> Meaning:
    """What a provider's finish reason means; "unknown" for a word that no list has."""
    return _MEANINGS.get(reason.strip().lower(), "unknown")


def plain_reason(reason: str) -> str:
    """A finish reason in one word for all providers; a fault's and an unknown one stay as they were sent."""
    meaning = meaning_of(reason)
    return one_line(reason[:_LONGEST_REASON]).strip() if meaning in ("fault", "unknown") else meaning
