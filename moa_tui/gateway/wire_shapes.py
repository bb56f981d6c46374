"""How each provider writes its events: a function for each shape, and how shapes are told apart. Pure.

An event is known by its own fields. Neither the address nor the model's name says what a server speaks.

Written from the providers' documents: OpenAI (chat.completion.chunk) and the servers that imitate it (vLLM,
llama.cpp, OpenRouter, Groq, DeepSeek, Moonshot, Perplexity, Databricks), Mistral, Anthropic (Messages
streaming), Gemini (GenerateContentResponse), Cohere (chat v1 and v2) and Ollama (docs/api.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moa_tui.gateway.wire_reply import fields, items, number, stated_cost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moa_tui.gateway.wire_reply import WireReply

    Event = Mapping[str, Any]
    Shape = Callable[[WireReply, Event], None]

# litellm asks a model of Anthropic's for JSON by a tool of this name; what it is called with is the answer.
_JSON_TOOL = "json_tool_call"
# The fields in which servers send what a model thinks; some send the same in two of them.
_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_text", "reasoning_details")


def _openai(reply: WireReply, event: Event) -> None:
    _openai_usage(reply, event.get("usage"))
    _openai_usage(reply, fields(event.get("x_groq")).get("usage"))
    if "timings" in event:  # llama.cpp before it counted cached tokens in the usage
        reply.count_cached(fields(event["timings"]).get("cache_n"))
    for choice in map(fields, items(event.get("choices"))):
        index = number(choice.get("index")) or 0
        if reply.choice is None:
            reply.choice = index
        if index != reply.choice:
            reply.note("the server sent several answers; this is the first")
            continue
        if "message" in choice and "delta" not in choice:
            _openai_whole(reply, choice)
            continue
        _openai_usage(reply, choice.get("usage"))  # Moonshot
        _openai_delta(reply, fields(choice.get("delta")))
        reply.say("text", choice.get("text"))  # the older protocol of plain completions
        _openai_end(reply, choice)
    if stopped := fields(event.get("x_groq")).get("error"):
        reply.fail({"error": stopped})
    # MiniMax answers with 200 whatever happened.
    if (state := fields(event.get("base_resp"))).get("status_code"):
        reply.fail(state)


def _openai_whole(reply: WireReply, choice: Event) -> None:
    """A whole answer in one document, where a stream was asked for, or, by MiniMax, behind the stream."""
    if reply.has_said_anything:
        return
    message = fields(choice.get("message"))
    if choice.get("finish_reason"):
        _openai_delta(reply, message)
        _openai_end(reply, choice)
    elif message.get("content"):
        reply.miss()  # A piece, or all so far: who sends such does not say.


def _openai_end(reply: WireReply, choice: Event) -> None:
    reply.end(choice.get("finish_reason"))
    # OpenRouter tells a fault of the provider behind it in one of these, and may call the end "stop".
    if choice.get("error"):
        reply.fail({"error": choice["error"]})
    elif choice.get("finish_reason") and choice.get("native_finish_reason") in ("error", "network_error"):
        reply.end(choice["native_finish_reason"])


def _openai_delta(reply: WireReply, delta: Event) -> None:
    reply.say("reasoning", next((delta[name] for name in _REASONING_FIELDS if delta.get(name)), None))
    reply.say("text", delta.get("content"))
    reply.refuse(delta.get("refusal"))
    for call in map(fields, items(delta.get("tool_calls"))):
        reply.call_tool(fields(call.get("function")).get("name"))
    reply.call_tool(fields(delta.get("function_call")).get("name"))
    for name in ("images", "audio"):
        if delta.get(name):
            reply.note_left_out(name)


def _openai_usage(reply: WireReply, usage: object) -> None:
    if not isinstance(usage, dict):
        return
    prompt = usage.get("prompt_tokens", usage.get("input_tokens"))
    completion = usage.get("completion_tokens", usage.get("output_tokens"))
    read, written, total = number(prompt), number(completion), number(usage.get("total_tokens"))
    thought = number(fields(usage.get("completion_tokens_details")).get("reasoning_tokens"))
    if thought and read is not None and written is not None and read + written + thought == total:
        completion = written + thought  # xAI counts what a model thought apart.
    details = fields(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    # OpenAI and most of its imitators; Moonshot and Together; DeepSeek; proxies in front of Claude.
    cached = [details.get("cached_tokens")]
    cached += [usage.get(n) for n in ("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")]
    # OpenAI since GPT-5.6 and OpenRouter; proxies in front of Claude.
    written_to_cache = details.get("cache_write_tokens") or usage.get("cache_creation_input_tokens")
    reply.count(prompt, completion, next(filter(None, cached), None), written_to_cache)
    if (cost := stated_cost(usage.get("cost"))) is not None:
        reply.cost = cost


def _anthropic(reply: WireReply, event: Event) -> None:
    delta = fields(event.get("delta"))
    match event.get("type"):
        case "message_start":
            _anthropic_usage(reply, fields(event.get("message")).get("usage"))
        case "content_block_start":
            _anthropic_block(reply, event.get("index"), fields(event.get("content_block")))
        case "content_block_delta":
            if reply.block_names.get(number(event.get("index"))) == _JSON_TOOL:
                reply.say("text", delta.get("partial_json"))
            reply.say("reasoning", delta.get("thinking"))
            reply.say("text", delta.get("text"))
        case "message_delta":
            reply.end(delta.get("stop_reason"))
            _anthropic_usage(reply, event.get("usage"))
            if explanation := fields(delta.get("stop_details")).get("explanation"):
                reply.note(f"the provider says why: {explanation}")
        case "message_stop":
            reply.is_over = True


def _anthropic_whole(reply: WireReply, event: Event) -> None:
    """A whole answer in one document, where a stream was asked for."""
    for block in map(fields, items(event.get("content"))):
        _anthropic_block(reply, None, block)
    reply.end(event.get("stop_reason"))
    _anthropic_usage(reply, event.get("usage"))
    reply.is_over = True


def _anthropic_block(reply: WireReply, index: object, block: Event) -> None:
    name = block.get("name")
    if block.get("type") == "tool_use":
        reply.block_names = {number(index): str(name)}
        if name != _JSON_TOOL:
            reply.call_tool(name)
        return
    reply.block_names = {}
    reply.say("reasoning", block.get("thinking"))
    reply.say("text", block.get("text"))


def _anthropic_usage(reply: WireReply, usage: object) -> None:
    """The prompt is counted in three parts, in the first event and, as far as they stand there, in the last.

    Any of them may be missing or null in the last (MessageDeltaUsage), and some gateways write zeros there.
    """
    if not isinstance(usage, dict):
        return
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    parts = [number(usage.get(name)) for name in names]
    if (before := reply.tokens) is not None:
        fresh = before.prompt - before.cached - before.written_to_cache
        earlier = (fresh, before.cached, before.written_to_cache)
        if not any(parts):
            parts = list(earlier)
        parts = [old if new is None else new for new, old in zip(parts, earlier, strict=True)]
    fresh_now, cached, written = parts
    prompt = None if fresh_now is None else fresh_now + (cached or 0) + (written or 0)
    reply.count(prompt, usage.get("output_tokens"), cached, written)


def _gemini(reply: WireReply, event: Event) -> None:
    candidates = items(event.get("candidates"))
    for candidate in map(fields, candidates):
        index = number(candidate.get("index")) or 0
        if reply.choice is None:
            reply.choice = index
        if index != reply.choice:
            reply.note("the server sent several answers; this is the first")
            continue
        for part in map(fields, items(fields(candidate.get("content")).get("parts"))):
            _gemini_part(reply, part)
        reply.end(candidate.get("finishReason"))
        if message := candidate.get("finishMessage"):
            reply.note(f"the provider says why: {message}")
    blocked = fields(event.get("promptFeedback")).get("blockReason")
    if blocked and not candidates:
        reply.end("content_filter")
        reply.note(f"the provider blocked the prompt: {blocked}")
    usage = fields(event.get("usageMetadata"))
    # A count of zero is left out, as in all of Google's JSON.
    prompt, tools, written, thought = (
        number(usage.get(name, 0))
        for name in (
            "promptTokenCount",
            "toolUsePromptTokenCount",
            "candidatesTokenCount",
            "thoughtsTokenCount",
        )
    )
    if prompt and None not in (tools, written, thought):
        cached = usage.get("cachedContentTokenCount")
        reply.count(prompt + (tools or 0), (written or 0) + (thought or 0), cached)


def _gemini_part(reply: WireReply, part: Event) -> None:
    reply.say("reasoning" if part.get("thought") is True else "text", part.get("text"))
    reply.call_tool(fields(part.get("functionCall")).get("name"))
    for name in ("inlineData", "fileData", "executableCode", "codeExecutionResult"):
        if part.get(name):
            reply.note_left_out(name)


def _cohere(reply: WireReply, event: Event) -> None:
    delta = fields(event.get("delta"))
    message = fields(delta.get("message"))
    match event.get("type"):
        case "content-start" | "content-delta":
            for part in map(fields, _listed(message.get("content"))):
                reply.say("reasoning", part.get("thinking"))
                reply.say("text", part.get("text"))
        case "tool-plan-delta":
            reply.say("reasoning", message.get("tool_plan"))
        case "tool-call-start":
            for call in map(fields, _listed(message.get("tool_calls"))):
                reply.call_tool(fields(call.get("function")).get("name"))
        case "message-end":
            reply.end(delta.get("finish_reason"))
            if (error := delta.get("error")) is not None:
                reply.fail({"error": error})
            _cohere_usage(reply, fields(delta.get("usage")))
            reply.is_over = True


def _cohere_whole(reply: WireReply, event: Event) -> None:
    """A whole answer in one document, of either version, where a stream was asked for."""
    message = fields(event.get("message"))
    reply.say("reasoning", message.get("tool_plan"))
    reply.say("text", message.get("content"))
    reply.say("text", event.get("text"))
    for call in map(fields, items(message.get("tool_calls"))):
        reply.call_tool(fields(call.get("function")).get("name"))
    reply.end(event.get("finish_reason"))
    _cohere_usage(reply, fields(event.get("usage") or event.get("meta")))
    reply.is_over = True


def _cohere_v1(reply: WireReply, event: Event) -> None:
    match event.get("event_type"):
        case "text-generation":
            reply.say("text", event.get("text"))
        case "tool-calls-generation":
            for call in map(fields, items(event.get("tool_calls"))):
                reply.call_tool(call.get("name"))
        case "stream-end":
            reply.end(event.get("finish_reason"))
            _cohere_usage(reply, fields(fields(event.get("response")).get("meta")))
            reply.is_over = True


def _cohere_usage(reply: WireReply, usage: Event) -> None:
    counts = fields(usage.get("tokens") or usage.get("billed_units"))
    reply.count(counts.get("input_tokens"), counts.get("output_tokens"), usage.get("cached_tokens"))


def _ollama(reply: WireReply, event: Event) -> None:
    message = fields(event.get("message"))
    reply.say("reasoning", message.get("thinking") or event.get("thinking"))
    reply.say("text", message.get("content"))
    reply.say("text", event.get("response"))  # /api/generate
    for call in map(fields, items(message.get("tool_calls"))):
        reply.call_tool(fields(call.get("function")).get("name"))
    if event.get("done") is True:
        # Ollama before 0.1.38 did not say why an answer was done.
        reply.end(event.get("done_reason") or "stop")
        reply.count(event.get("prompt_eval_count"), event.get("eval_count"))
        reply.is_over = True


def _nothing(reply: WireReply, event: Event) -> None:
    """An event that is known and says nothing."""


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


_TYPES: dict[str, Shape] = {
    **dict.fromkeys(
        (
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ),
        _anthropic,
    ),
    **dict.fromkeys(
        (
            "message-start",
            "content-start",
            "content-delta",
            "content-end",
            "tool-plan-delta",
            "tool-call-start",
            "tool-call-delta",
            "tool-call-end",
            "citation-start",
            "citation-end",
            "message-end",
        ),
        _cohere,
    ),
    "message": _anthropic_whole,
    "ping": _nothing,
}


def shape_of(event: Event) -> Shape | None:
    """The function that reads the event; None for an event of a shape that is not known."""
    if "choices" in event:
        return _openai
    kind = event.get("type")
    if isinstance(kind, str) and kind in _TYPES:
        return _TYPES[kind]
    if "candidates" in event or "promptFeedback" in event or "usageMetadata" in event:
        return _gemini
    if "done" in event and ("message" in event or "response" in event):
        return _ollama
    if "event_type" in event:
        return _cohere_v1
    if "finish_reason" in event and (isinstance(event.get("message"), dict) or "generation_id" in event):
        return _cohere_whole
    if "base_resp" in event:
        return _openai
    named = event.get("object")
    if isinstance(named, str) and named.startswith(("chat.completion", "text_completion")):
        return _openai
    return None
