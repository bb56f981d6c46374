"""What a server's refusal says of the request: parameters and roles it does not take, and its limit. Pure.

The wordings are those that people report of OpenAI, Azure, Anthropic, Bedrock, Gemini, Groq, Cerebras, xAI,
Mistral, Cohere, Perplexity, DeepSeek, Fireworks, NVIDIA, Databricks, Hugging Face's TGI, vLLM, SGLang,
llama.cpp and LM Studio. A wording that is not known is not guessed at: it is shown, and nothing is changed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from moa_tui.engine.amounts import token_count

if TYPE_CHECKING:
    from collections.abc import Iterable

# Characters of a refusal that are read.
_LONGEST_TEXT = 10_000

SYSTEM_ROLE = "the system role"
ALTERNATION = "two messages of one role in a row"
CACHE_MARKS = "cache_control"

_NAME = r"[\"'`\[({]{0,3}(?:[\w.]{1,60}\.)?([a-z]\w{1,40})\b[\"'`\])]{0,3}"
_NOT_TAKEN = (
    # OpenAI and Azure: Unsupported parameter: 'max_tokens' is not supported ..., Unsupported value:
    # 'temperature' does not support 0.2 ..., Unknown parameter: 'stream_options'., Unrecognized request
    # argument supplied: x; NVIDIA: Unsupported parameter(s): `stream_options`.
    rf"unsupported (?:parameter|value)(?:\(s\)|s)?:? {_NAME}",
    rf"un(?:known|recognized|expected) (?:request )?(?:parameter|argument|field|key|name|property)s?"
    rf"(?: supplied)?:? {_NAME}",
    # Bedrock: extraneous key [stream_options] is not permitted. xAI: Argument not supported: stream_options.
    rf"extraneous key {_NAME}",
    rf"arguments? not supported(?: on this model)?: {_NAME}",
    # Groq and Cerebras: property 'stream_options' is unsupported, did you mean 'stream'?
    rf"property {_NAME} is unsupported",
    # pydantic, in vLLM and Mistral: 'loc': ('body', 'x'), 'msg': 'Extra inputs are not permitted'; NVIDIA:
    # body -> x\n  Extra inputs ...; Fireworks: Extra inputs are not permitted, field: 'x'.
    rf"['\"]body['\"], ?{_NAME},? ?['\"]msg['\"]: ?['\"]extra inputs are not permitted",
    rf"(?:body -> |#/){_NAME}:?\s{{1,20}}extra (?:inputs|fields) (?:are )?not permitted",
    rf"extra inputs are not permitted,? field: {_NAME}",
    rf"\b{_NAME}: extra inputs are not permitted",
    # Anthropic: `temperature` is deprecated for this model; "stream_options" is not allowed, as joi says it;
    # ('stream_options' was unexpected), as jsonschema does; OpenAI behind a proxy that does not stream: The
    # 'stream_options' parameter is only allowed when 'stream' is enabled.
    rf"{_NAME}(?: parameter)? (?:is|are|was) "
    r"(?:not (?:supported|allowed|permitted)(?! to\b)|unsupported|unexpected|deprecated|only allowed when)",
    rf"\b{_NAME}: extra fields not permitted",
    # Moonshot: invalid temperature: only 1 is allowed for this model.
    rf"invalid {_NAME}[:,] only \S{{1,20}} is allowed",
    # Anthropic: `temperature` may only be set to 1 when thinking ..., `top_p` must be unset when ...
    rf"{_NAME} may only be set to 1 when thinking",
    rf"{_NAME} must be unset when",
    rf"(?:does not|doesn't) support (?:the )?(?:parameter|argument)s?:? {_NAME}",
    rf"(?:does not|doesn't) support (?:the )?{_NAME} parameter",
    # TGI takes neither 0 for the one nor 1 for the other, which both mean what it does without them.
    r"`(temperature)` must be strictly positive",
    r"`(top_p)` must be > 0\.0 and < 1\.0",
    # Anthropic: `temperature` and `top_p` cannot both be specified for this model.
    r"`?temperature`? and `?(top_p)`? cannot both be specified",
)
_NOT_TAKEN_PATTERNS = [re.compile(pattern, re.IGNORECASE) for pattern in _NOT_TAKEN]

_NO_SYSTEM_ROLE = re.compile(
    # The templates of Gemma ("System role not supported") and of Mistral's early models.
    r"system (?:role|messages?|prompts?|instructions?) (?:(?:is|are) )?not (?:supported|enabled|allowed)"
    r"|only user and assistant roles are supported"
    # o1-mini: 'messages[0].role' does not support 'system' with this model.
    r"|role['\"`]? does not support ['\"`]?system"
    r"|(?:does not|doesn't|do not) support (?:the )?['\"`]?system['\"`]? ?(?:role|message|prompt|field|instr)"
    # Gemma behind Gemini's API.
    r"|developer instruction is not enabled"
    r"|un(?:supported|expected) role:? ['\"`]?system"
    r"|role ['\"`]?system['\"`]? (?:is |are )?(?:not|un)[ -]?supported",
    re.IGNORECASE,
)
_NO_EFFORT = re.compile(
    # Ollama, which is sent it as `think`: "gemma3" does not support thinking; Anthropic of old models.
    r"(?:does not|doesn't) support (?:extended |adaptive )?(?:thinking|reasoning)\b|invalid think value"
    # Gemini: Thinking level is not supported for this model. The thinking budget (0) is invalid.
    r"|thinking(?: level| budget| mode)? is not (?:supported|enabled)|thinking budget \(\d{1,9}\) is invalid"
    r"|only works in thinking mode|thinking can'?t be disabled|support setting thinking_budget"
    # Ollama: think value "low" is not supported for this model, and before it had levels: cannot unmarshal
    # string into Go struct field ChatRequest.think of type bool.
    r"|think value \S{1,20} is not supported|go struct field \S{1,40}\.think of type"
    # OpenRouter: Reasoning is mandatory for this endpoint and cannot be disabled. Moonshot: invalid thinking:
    # only type=enabled is allowed.
    r"|reasoning is mandatory|invalid thinking: only type="
    # Anthropic: This model does not support the effort parameter. xAI: Model x does not support parameter
    # reasoningEffort, Argument not supported on this model: reasoningEffort.
    r"|support the effort parameter|parameter reasoningeffort|on this model: reasoningeffort"
    # DeepSeek and others in Rust: reasoning_effort: unknown variant `none`, expected one of ... OpenRouter:
    # reasoning.effort: Invalid option: expected one of ...
    r"|reasoning[._]effort: (?:unknown variant|invalid option)"
    # Groq: `reasoning_effort` must be one of `low`, `medium`, or `high`. Proxies: level "max" not supported,
    # valid levels: ... pydantic, in vLLM: ('body', 'reasoning_effort'), 'msg': "Input should be ...
    r"|reasoning_effort[`'\"]? must be one of|level \"\w{1,20}\" not supported, valid levels"
    r"|reasoning_effort['\"][\])]?,? ?['\"]msg['\"]: ?['\"]input should be",
    re.IGNORECASE,
)
_NO_CACHE_MARKS = re.compile(
    # Bedrock: You invoked an unsupported model or your request did not allow prompt caching; extraneous key
    # [cachePoint] is not permitted. Anthropic's own checks name what is inside of the mark that is refused:
    # messages.0.content.0.text.cache_control.ephemeral.ttl: Extra inputs are not permitted. pydantic names
    # its place: 'loc': ('body', 'messages', 0, 'content', 0, 'cache_control'), 'msg': 'Extra inputs are ...
    r"did not allow prompt caching|extraneous key \[cachepoint\]|\bcache_control[.\w]{0,40}: extra inputs"
    r"|'cache_control'[\])], ?'msg': ?'extra inputs",
    re.IGNORECASE,
)
_NO_SCHEMA = re.compile(
    # OpenAI and Azure: Invalid parameter: 'response_format' of type 'json_schema' is not supported with this
    # model; Invalid schema for response_format 'x': In context=(), 'additionalProperties' is required to be
    # ... Groq: invalid schema for response format: ..., This model does not support response format
    # `json_schema`, 'response_format' : one of the following must be satisfied[...].
    r"'response_format' of type 'json_schema' is not|invalid schema for response[_ ]format"
    r"|not support (?:the )?response[_ ]format|'response_format' : one of the following"
    # DeepSeek: This response_format type is unavailable now, and response_format.type `json_schema` is
    # unavailable now. Volcengine: The parameter `response_format.type` specified in the request are not ...
    r"|response_format(?:\.type `json_schema`| type) is unavailable|`response_format\.type` specified in"
    # llama.cpp before it had schemas, with 500: response_format type must be one of "text" or "json_object",
    # but got: json_schema; and of a schema that it cannot follow: Failed to parse grammar, JSON schema
    # conversion failed, Either "json_schema" or "grammar" can be specified.
    r"|response_format type must be one of|failed to parse grammar|json schema conversion failed"
    r"|either \"json_schema\" or \"grammar\""
    # LM Studio, of any other type: 'response_format.type' must be ... vLLM: The provided JSON schema contains
    # features not supported by xgrammar; Grammar error: Unimplemented keys: ["propertyNames"].
    r"|'response_format\.type' must be|provided json schema contains features not|\bgrammar error: "
    # Gemini: Unknown name "x" at 'generation_config.response_schema'. Anthropic: output_format.schema: ...,
    # and output_config.format.schema: For 'object' type ...; This model does not support output format.
    # Ollama: invalid format: ..., expected "json" or a JSON schema.
    r"|generation_config\.response_(?:json_)?schema|output_(?:config\.)?format[.:]"
    r"|not support (?:structured output|output format)|expected \"json\" or a json schema",
    re.IGNORECASE,
)
_ALTERNATE = re.compile(
    # The templates of Llama 2, Mistral and Gemma; Perplexity; Anthropic's first models; DeepSeek's reasoner.
    r"roles must alternate|roles should be alternating|should alternate with assistant"
    r"|does not support successive user or assistant messages",
    re.IGNORECASE,
)
# By these a system message may come first, so that it is not the one that is too many.
_AFTER_SYSTEM = re.compile(r"after the (?:\(?optional\)? )?system message|successive user", re.IGNORECASE)

_NUMBER = r"(\d{1,3}(?:,\d{3}){1,3}|\d{3,9})"
_LIMITS = (
    # OpenAI, vLLM, DeepSeek, OpenRouter; Fireworks; xAI; SGLang; LM Studio; TensorRT-LLM.
    rf"(?:context|prompt|model|sequence) length(?: is|:| of(?: only)?)? {_NUMBER}",
    rf"model's context length \({_NUMBER} tokens",
    rf"max(?:imum)? model len(?:gth)?(?: of| is|:)? {_NUMBER}",
    # llama.cpp, and its server for Python.
    rf"available context size \({_NUMBER} tokens",
    rf"context window of {_NUMBER}",
    rf"['\"]n_ctx['\"]: ?{_NUMBER}",
    # Anthropic.
    rf"prompt is too long: \d{{1,9}} tokens > {_NUMBER}",
    rf"exceed context limit: \d{{1,9}} \+ \d{{1,9}} > {_NUMBER}",
    # Gemini; Mistral; TGI; Cohere; Moonshot; DashScope.
    rf"maximum number of tokens allowed \({_NUMBER}\)",
    rf"too large for model with {_NUMBER}",
    rf"`inputs` tokens \+ `max_new_tokens` must be <= {_NUMBER}",
    rf"number of tokens in the prompt cannot exceed {_NUMBER}",
    rf"model token limit:? {_NUMBER}",
    rf"range of input length should be \[1, ?{_NUMBER}\]",
    # SGLang; GitHub Models.
    rf"maximum allowed length \(?{_NUMBER}",
    rf"body too large for \S{{1,100}} model\. max size: {_NUMBER} tokens",
    rf"n_keep: \d{{1,9}} ?>= n_ctx: {_NUMBER}",
)
_LIMIT_PATTERNS = [re.compile(pattern, re.IGNORECASE) for pattern in _LIMITS]


def not_taken(status: int | None, text: str) -> frozenset[str]:
    """The names of the parameters that a server says it does not take, and SYSTEM_ROLE and ALTERNATION.

    `status` is the HTTP status, None for an error in the midst of a stream. llama.cpp and SGLang answer with
    500 where a chat template fails, or a response format is none of theirs. The names are what stands in the
    text: the caller knows what was sent.
    """
    if status not in (None, 400, 403, 422, 500):
        return frozenset()
    text = text[:_LONGEST_TEXT].replace("\\n", "\n").replace('\\"', '"')
    if status == 403:  # in which Bedrock says that it caches nothing of a model
        return frozenset((CACHE_MARKS,)) if _NO_CACHE_MARKS.search(text) else frozenset()
    names: set[str] = set()
    if status != 500:
        if _NO_CACHE_MARKS.search(text):
            names.add(CACHE_MARKS)
        for pattern in _NOT_TAKEN_PATTERNS:
            names.update(match[1].lower() for match in pattern.finditer(text))
        if _NO_EFFORT.search(text):
            names.add("reasoning_effort")
    if _NO_SCHEMA.search(text):
        names.add("response_format")
    if _NO_SYSTEM_ROLE.search(text):
        names.add(SYSTEM_ROLE)
    if _ALTERNATE.search(text):
        names.update((ALTERNATION,) if _AFTER_SYSTEM.search(text) else (ALTERNATION, SYSTEM_ROLE))
    return frozenset(names)


def context_limit(text: str) -> int | None:
    """The tokens of context that a refusal says there are; None where it does not say."""
    return _first_number(_LIMIT_PATTERNS, text[:_LONGEST_TEXT])


def _first_number(patterns: Iterable[re.Pattern[str]], text: str) -> int | None:
    for pattern in patterns:
        if (match := pattern.search(text)) is not None:
            return token_count(int(match[1].replace(",", ""))) or None
    return None
