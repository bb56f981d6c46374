"""What servers' refusals say, in the words that people report of them."""

from __future__ import annotations

import json
import time

import pytest

from moa_tui.gateway.error_reply import error_reply
from moa_tui.gateway.refusals import ALTERNATION, SYSTEM_ROLE, context_limit, not_taken

BOTH = {ALTERNATION, SYSTEM_ROLE}


def openai(message: str, param: str | None = None, code: str | None = None) -> str:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return json.dumps({"error": error})


def jinja(said: str) -> str:
    """What llama.cpp answers where a chat template raises an exception (ramalama 2425)."""
    source = "While executing CallExpression at line 43, column 28 in source:\n... {{- raise_exception("
    return f"\n------------\n{source}'{said}') }}}}\n ^\nError: Jinja Exception: {said}"


# Server, status, body, and what of the request it does not take. From reports to clients: vercel/ai 1578
# (Groq), cline 2764 (xAI), opencode 31156 (Databricks), openai-python 1469 and 2296 (Azure), garak 748
# (NVIDIA), void 128 (vLLM), eca 231 (Mistral), pr-agent 2456 and openhands 12909 (Anthropic), rig 788
# (Gemini), openai4j 62 (OpenAI), autogen 1037 and vllm 6862 (vLLM), sglang 1342, ramalama 2425 (llama.cpp),
# lmstudio-bug-tracker 1054, mistral.rs 45, perplexity 265.
REFUSALS = [
    (
        "groq",
        400,
        openai("property 'stream_options' is unsupported, did you mean 'stream'?"),
        "stream_options",
    ),
    ("xai", 400, '{"code": "400", "error": "Argument not supported: stream_options"}', "stream_options"),
    ("xai model", 400, '{"error": "Argument not supported on this model: stop"}', "stop"),
    (
        "databricks",
        400,
        '{"message": "Bad request: json: unknown field \\"stream_options\\""}',
        "stream_options",
    ),
    ("azure", 400, openai("Unrecognized request argument supplied: stream_options"), "stream_options"),
    ("azure later", 400, openai("Unknown parameter: 'stream_options'.", "stream_options"), "stream_options"),
    (
        "azure search",
        400,
        openai("Validation error at #/stream_options: Extra inputs are not permitted"),
        "stream_options",
    ),
    (
        "bedrock",
        400,
        '{"message": "Malformed input request: #: extraneous key [stream_options] is not permitted"}',
        "stream_options",
    ),
    (
        "gemini",
        400,
        openai('Invalid JSON payload received. Unknown name "stream_options": Cannot find field.'),
        "stream_options",
    ),
    (
        "vllm",
        400,
        json.dumps(
            {
                "object": "error",
                "message": "[{'type': 'extra_forbidden', 'loc': ('body', 'max_completion_tokens'), 'msg': "
                "'Extra inputs are not permitted', 'input': 8192}]",
            }
        ),
        "max_completion_tokens",
    ),
    (
        "mistral",
        422,
        json.dumps(
            {
                "object": "error",
                "message": {
                    "detail": [
                        {
                            "type": "extra_forbidden",
                            "loc": ["body", "max_completion_tokens"],
                            "msg": "Extra inputs are not permitted",
                            "input": 100,
                        }
                    ]
                },
            }
        ),
        "max_completion_tokens",
    ),
    (
        "nvidia",
        422,
        json.dumps({"detail": "body -> seed\n  Extra inputs are not permitted (type=extra_forbidden)"}),
        "seed",
    ),
    ("nvidia later", 400, openai("Unsupported parameter(s): `stream_options`"), "stream_options"),
    ("fireworks", 400, openai("Extra inputs are not permitted, field: 'top_k', value: 40"), "top_k"),
    ("axum", 422, "Failed to deserialize the JSON body: unknown field `seed`, expected one of `a`", "seed"),
    (
        "openai top_p",
        400,
        openai("Unsupported parameter: 'top_p' is not supported with this model.", "top_p"),
        "top_p",
    ),
    (
        "openai temperature",
        400,
        openai(
            "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) "
            "value is supported.",
            "temperature",
            "unsupported_value",
        ),
        "temperature",
    ),
    ("chatgpt", 400, '{"detail": "Unsupported parameter: top_p"}', "top_p"),
    ("anthropic", 400, openai("`temperature` is deprecated for this model."), "temperature"),
    # openhuman 2082, roo-code 83, litellm 5803: servers that imitate the protocol.
    ("moonshot", 400, openai("invalid temperature: only 1 is allowed for this model"), "temperature"),
    ("joi", 400, '{"message": "\\"stream_options\\" is not allowed"}', "stream_options"),
    (
        "without streaming",
        400,
        openai("The 'stream_options' parameter is only allowed when 'stream' is enabled."),
        "stream_options",
    ),
    ("plain words", 400, openai("stream_options is not supported"), "stream_options"),
    ("with an article", 400, openai("The model doesn't support the temperature parameter."), "temperature"),
    (
        "litellm's proxy",
        400,
        openai("litellm.UnsupportedParamsError: x does not support parameters: {'temperature': 0.2}"),
        "temperature",
    ),
    ("pydantic 1", 422, '{"detail": "stream_options: extra fields not permitted"}', "stream_options"),
    ("system at a proxy", 400, openai("Messages with role 'system' are not supported"), SYSTEM_ROLE),
    ("zen", 400, openai("temperature is deprecated for this model."), "temperature"),
    (
        "anthropic both",
        400,
        openai("`temperature` and `top_p` cannot both be specified for this model. Please use only one."),
        "top_p",
    ),
    (
        "anthropic thinking",
        400,
        openai("`temperature` may only be set to 1 when thinking is enabled or in adaptive mode."),
        "temperature",
    ),
    (
        "tgi",
        422,
        '{"error": "Input validation error: `temperature` must be strictly positive"}',
        "temperature",
    ),
    ("tgi top_p", 422, '{"error": "Input validation error: `top_p` must be > 0.0 and < 1.0"}', "top_p"),
    ("gemma at vllm", 400, '{"object": "error", "message": "System role not supported"}', SYSTEM_ROLE),
    ("gemma at tgi", 422, '{"error": "Template error: System role not supported"}', SYSTEM_ROLE),
    (
        "gemma at google",
        400,
        openai("Developer instruction is not enabled for models/gemma-3-27b-it"),
        SYSTEM_ROLE,
    ),
    (
        "o1-mini",
        400,
        openai("Unsupported value: 'messages[0].role' does not support 'system' with this model."),
        SYSTEM_ROLE,
    ),
    (
        "mistral at lmstudio",
        400,
        '{"error": "Error rendering prompt with jinja template: \\"Only user and assistant roles are '
        'supported!\\"."}',
        SYSTEM_ROLE,
    ),
    (
        "gemma at llama.cpp",
        500,
        openai(jinja("System role not supported")),
        SYSTEM_ROLE,
    ),
    ("bedrock titan", 400, '{"message": "This model doesn\'t support system prompts."}', SYSTEM_ROLE),
]
ROLES = [
    (400, "Conversation roles must alternate user/assistant/user/assistant/...", BOTH),
    (
        500,
        "invalid operation: Conversation roles must alternate user/assistant/... (in chat_template:1)",
        BOTH,
    ),
    (
        400,
        "After the optional system message, conversation roles must alternate user/assistant",
        {ALTERNATION},
    ),
    (
        400,
        "After the (optional) system message(s), user and assistant roles should be alternating.",
        {ALTERNATION},
    ),
    (
        400,
        "After the (optional) system message(s), user or tool message(s) should alternate with assistant "
        "message(s).",
        {ALTERNATION},
    ),
    (
        400,
        "deepseek-reasoner does not support successive user or assistant messages (messages[1])",
        {ALTERNATION},
    ),
]


@pytest.mark.parametrize(("server", "status", "body", "name"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_what_a_server_does_not_take_is_read_from_its_words(
    server: str, status: int, body: str, name: str
) -> None:
    assert name in error_reply(status, {}, body.encode(), was_cut=False).refused


# A response format with a schema. From vercel/ai 7808 and beeai-framework 1215 (Groq), llm-exe 662 and
# browser-use 215 (DeepSeek), nanobrowser 47 (Volcengine), multi-agent-llm 2 and xsai 145 (OpenAI),
# ik_llama.cpp 778 and llama.cpp 11847, vllm 16880, club-3090 45 and paroquant 31 (vLLM), PSOpenAI 44
# (OpenAI); the last is tada 16 (LM Studio) the other way round.
NO_SCHEMA = [
    (
        400,
        "'response_format' : one of the following must be satisfied[('response_format.type' : value is not",
    ),
    (
        400,
        "invalid schema for response format: response_format/json_schema/x: minItems is not supported",
    ),
    (400, "This response_format type is unavailable now"),
    (
        422,
        "Failed to deserialize: response_format.type `json_schema` is unavailable now at line 1",
    ),
    (400, "The parameter `response_format.type` specified in the request are not valid: invalid value"),
    (400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."),
    (400, "Invalid schema for response_format 'x': In context=(), 'additionalProperties' is required"),
    (500, 'response_format type must be one of "text" or "json_object", but got: json_schema'),
    (400, 'Either "json_schema" or "grammar" can be specified, but not both'),
    (400, "The provided JSON schema contains features not supported by xgrammar."),
    (400, "Grammar error: Unknown format: uri"),
    (500, 'Grammar error: Unimplemented keys: ["propertyNames"]'),
    (400, "Unsupported parameter: response_format"),
    (400, "'response_format.type' must be 'json_object' or 'text'"),
]


@pytest.mark.parametrize(("status", "message"), NO_SCHEMA)
def test_a_schema_that_a_server_cannot_hold_to(status: int, message: str) -> None:
    body = openai(message).encode()
    assert "response_format" in error_reply(status, {}, body, was_cut=False).refused


@pytest.mark.parametrize(("status", "message", "expected"), ROLES)
def test_roles_that_have_to_alternate(status: int, message: str, expected: set[str]) -> None:
    assert not_taken(status, openai(message)) == expected


def test_one_name_is_the_one_to_take_and_the_other_is_not_refused() -> None:
    said = "Unsupported parameter: 'max_tokens' is not supported with this model. "
    said += "Use 'max_completion_tokens' instead."
    assert not_taken(400, openai(said, "max_tokens")) == {"max_tokens"}


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "Invalid value for 'temperature'"),
        (400, "temperature must be between 0 and 2"),
        (400, "max_tokens is not allowed to exceed 4096"),
        (400, "Unsupported value: 'messages[0].content' is too long"),
        (400, "Your prompt says: the system role is important and roles alternate"),
        (400, "The model `temperature-7b` does not exist"),
        (401, "Unsupported parameter: 'top_p'"),
        (429, "System role not supported"),
        (500, "Unsupported parameter: 'top_p' is not supported with this model."),
        (500, "Internal server error"),
        (503, "System role not supported"),
        (400, "System message must be at the beginning."),
        (400, "No user query found in messages."),
    ],
)
def test_other_refusals_change_nothing(status: int, message: str) -> None:
    names = {"temperature", "top_p", "max_tokens", "stream_options", SYSTEM_ROLE, ALTERNATION}
    assert not not_taken(status, openai(message)) & names


LIMITS = [
    ("This model's maximum context length is 4097 tokens. However, you requested 5000 tokens", 4097),
    ("maximum context length is 16384 tokens. However, you requested 122946 tokens (112946 in the", 16384),
    ("The decoder prompt (length 9001) is longer than the maximum model length of 8192.", 8192),
    ("request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it", 4096),
    ('{"type": "exceed_context_size_error", "n_prompt_tokens": 14429, "n_ctx": 8192}', 8192),
    ("Requested tokens (2285) exceed context window of 2048", 2048),
    ("prompt is too long: 213462 tokens > 200000 maximum", 200000),
    ("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease", 200000),
    ("The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).", 1048575),
    ("Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum", 32768),
    ("This model's maximum prompt length is 131072 but the request contains 537812 tokens.", 131072),
    ("The input (9000 tokens) is longer than the model's context length (8192 tokens).", 8192),
    ("`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens", 4096),
    ("However, the model is loaded with context length of only 7866 tokens, which is not enough.", 7866),
    ("The prompt is too long: 9000, model maximum context length: 8191", 8191),
    ("Your request exceeded model token limit: 8192 (requested: 9000)", 8192),
    ("Range of input length should be [1, 30720]", 30720),
    ("is greater than the context length (n_keep: 5000>= n_ctx: 4096)", 4096),
    ("maximum context length is 1,048,576 tokens", 1048576),
    ("Input is too long for requested model.", None),
    ("Please reduce the length of the messages or completion.", None),
    ("too many tokens", None),
]


@pytest.mark.parametrize(("message", "tokens"), LIMITS)
def test_the_limit_that_a_refusal_states(message: str, tokens: int | None) -> None:
    assert context_limit(message) == tokens
    if tokens is not None:
        failure = error_reply(400, {}, message.encode(), was_cut=False)
        assert (failure.kind, failure.context_tokens) == ("context", tokens)


@pytest.mark.parametrize(
    "message",
    [
        "Context size has been exceeded.",
        '{"error": {"message": "try increasing", "type": "exceed_context_size_error", "n_ctx": 256}}',
    ],
)
def test_llama_cpp_says_so_with_the_status_of_a_fault(message: str) -> None:
    """llama.cpp 15780 and 19774."""
    assert error_reply(500, {}, message.encode(), was_cut=False).kind == "context"


@pytest.mark.parametrize(
    "piece", ["`", "'", "unsupported parameter ", "body -> ", "a.", "#/", "1,", "(", " "]
)
def test_hostile_refusals_are_read_in_linear_time(piece: str) -> None:
    text = piece * (10_000 // len(piece)) + "x"
    began = time.perf_counter()
    not_taken(400, text)
    context_limit(text)
    assert time.perf_counter() - began < 1.0


@pytest.mark.parametrize(
    "message",
    [
        # Ollama (llm-ollama 54, ollama 17837); Gemini (Roo-Code 10700 and 4399, pi 3460, vercel/ai 8027).
        '"gemma3n:e4b" does not support thinking',
        'invalid think value: "minimal" (must be "high", "medium", "low", "max", true, or false)',
        "Thinking level is not supported for this model.",
        "The thinking budget (0) is invalid.",
        "Unable to submit request because Thinking can't be disabled for this model.",
        "Unable to submit request because The model does not support setting thinking_budget to 0",
        "Budget 0 is invalid. This model only works in thinking mode.",
        # xAI, Anthropic, OpenAI, Groq, vLLM.
        "Model grok-4 does not support parameter reasoningEffort.",
        "Argument not supported on this model: reasoningEffort",
        "This model does not support the effort parameter.",
        "Unsupported value: 'reasoning_effort' does not support 'minimal' with this model.",
        "Unrecognized request argument supplied: reasoning_effort",
        "`reasoning_effort` must be one of `low`, `medium`, or `high`",
        "reasoning_effort is not supported with this model",
        "[{'type': 'literal_error', 'loc': ('body', 'reasoning_effort'), 'msg': \"Input should be 'low', "
        "'medium' or 'high'\", 'input': 'minimal'}]",
        '[{"type":"literal_error","loc":["body","reasoning_effort"],"msg":"Input should be \'high\'"}]',
        # Newer and older Ollama, OpenRouter, Moonshot, DeepSeek.
        'think value "low" is not supported for this model',
        "json: cannot unmarshal string into Go struct field ChatRequest.think of type bool",
        "Reasoning is mandatory for this endpoint and cannot be disabled.",
        'reasoning.effort: Invalid option: expected one of "max"|"xhigh"|"high"',
        "invalid thinking: only type=enabled is allowed for this model",
        "Failed to deserialize the JSON body into the target type: reasoning_effort: unknown variant `none`, "
        "expected one of `low`, `medium`, `high` at line 1 column 131",
    ],
)
def test_an_effort_that_is_not_taken_is_known_by_every_providers_words(message: str) -> None:
    assert "reasoning_effort" in not_taken(400, openai(message))


@pytest.mark.parametrize(
    "message", ["I was thinking that this is not supported", "Thinking tokens count", "prompt is too long"]
)
def test_other_words_about_thinking_refuse_no_effort(message: str) -> None:
    assert "reasoning_effort" not in not_taken(400, openai(message))
