"""Google's Gemini API, `models/NAME:streamGenerateContent?alt=sse`: one candidate in parts, and no [DONE].

Written from ai.google.dev (GenerateContentResponse, FinishReason, BlockReason, Troubleshooting) and
google.rpc's error details; chunks and errors are shaped like those recorded in the tests of vercel/ai and
reported for gemini-cli.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.model_server import Answer, Refusal, Reply

if TYPE_CHECKING:
    from tests.model_server import Delta, Json

FINISH_REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
RATINGS = [{"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True}]
TYPE = "type.googleapis.com/google.rpc."


class GeminiReply(Reply):
    """A reply in chunks, each a whole GenerateContentResponse; the request's path names the model."""

    terminator = b""
    key_header = "x-goog-api-key"

    def __init__(self, server: Any, http: web.Request, body: Json, number: int) -> None:
        super().__init__(server, http, {**body, "model": http.match_info["model"]}, number)
        self.body = body
        self.streams_by_default = http.match_info["method"] == "streamGenerateContent"
        self._thought = 0  # chunks of thought so far
        self.retry_delay = ""  # seconds, of the refusal that is being written

    def messages(self) -> list[Json]:
        roles = {"model": "assistant"}
        return [
            {"role": roles.get(content.get("role"), "user"), "content": content["parts"]}
            for content in self.body.get("contents", [])
        ]

    def chunk(self, delta: Json, finish: str | None = None) -> Json:
        ((field, text),) = delta.items() or (("content", ""),)
        part: Json = {"text": text} if field == "content" else {"text": text, "thought": True}
        candidate: Json = {"content": {"parts": [part], "role": "model"}, "index": 0}
        if finish is not None:
            candidate["finishReason"] = finish
        return self.response_of([candidate])

    def response_of(self, candidates: list[Json], **more: Any) -> Json:
        counts = self.usage()
        thoughts = min(self._thought, counts["completion_tokens"])
        tokens = {"promptTokenCount": counts["prompt_tokens"], "totalTokenCount": counts["total_tokens"]}
        tokens["candidatesTokenCount"] = counts["completion_tokens"] - thoughts
        if thoughts:
            tokens["thoughtsTokenCount"] = thoughts
        answer = {"candidates": candidates} if candidates else {}
        identity = {"modelVersion": self.model, "responseId": f"response-{self.number}"}
        return {**answer, **more, "usageMetadata": tokens, **identity}

    def encode(self, delta: Delta) -> bytes:
        self._thought += delta[0] != "content"
        return super().encode(delta)

    def opening(self) -> bytes:
        return b""

    def ending(self, finish: str = "stop", *, with_usage: bool = True) -> bytes:
        reason = FINISH_REASONS.get(finish, finish)
        if reason in ("STOP", "MAX_TOKENS"):
            last = self.chunk({}, reason)
        else:
            last = self.response_of([{"finishReason": reason, "index": 0, "safetyRatings": RATINGS}])
        if not with_usage:
            del last["usageMetadata"]
        return self.frame(last)

    def failure(self, message: str, kind: str, code: str | None = None) -> Json:
        return self.refusal(503, message, kind, code)

    def refusal(self, status: int, message: str, kind: str, code: str | None) -> Json:
        error: Json = {"code": status, "message": message, "status": STATUSES.get(status, "UNKNOWN")}
        if self.retry_delay:
            help_link = {
                "@type": TYPE + "Help",
                "links": [{"description": "Learn more", "url": "about:blank"}],
            }
            retry = {"@type": TYPE + "RetryInfo", "retryDelay": f"{self.retry_delay}s"}
            error["details"] = [help_link, retry]
        return {"error": error}

    def refusal_headers(self, status: int, retry_after: str) -> dict[str, str]:
        """No header: the wait stands in the body, as RetryInfo."""
        self.retry_delay = retry_after
        return {}

    def completion(self, message: Json, finish: str) -> Json:
        parts: list[Json] = [{"text": message["content"]}]
        if thought := message.get("reasoning_content"):
            parts.insert(0, {"text": thought, "thought": True})
        candidate = {"content": {"parts": parts, "role": "model"}, "index": 0}
        return self.response_of([candidate | {"finishReason": FINISH_REASONS.get(finish, finish)}])


# ---- what only Gemini does


async def prompt_blocked(reply: GeminiReply) -> web.StreamResponse:
    await reply.response.prepare(reply.http)
    feedback = {"blockReason": "PROHIBITED_CONTENT", "safetyRatings": RATINGS}
    return await reply.end(reply.frame(reply.response_of([], promptFeedback=feedback)))


async def cut_while_thinking(reply: GeminiReply) -> web.StreamResponse:
    """The token limit is met by the thoughts alone, of which the server shows none."""
    await reply.response.prepare(reply.http)
    candidate = {"content": {"role": "model"}, "finishReason": "MAX_TOKENS", "index": 0}
    return await reply.end(reply.frame(reply.response_of([candidate])))


async def tool_calls(reply: GeminiReply) -> web.StreamResponse:
    await reply.response.prepare(reply.http)
    part = {"functionCall": {"name": "get_weather", "args": {"city": "Paris"}}}
    candidate = {"content": {"parts": [part], "role": "model"}, "finishReason": "STOP", "index": 0}
    return await reply.end(reply.frame(reply.response_of([candidate])))


@dataclass(frozen=True)
class QuotaFailure:
    """A 429 that names the quota that is used up: one of a minute refills soon, one of a day does not."""

    quota: str

    async def __call__(self, reply: GeminiReply) -> web.StreamResponse:
        delay = reply.spec.retry_after
        message = (
            "You exceeded your current quota, please check your plan and billing details. For more "
            "information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.\n"
            "* Quota exceeded for metric: generativelanguage.googleapis.com/"
            f"generate_content_free_tier_requests, limit: 20, model: {reply.model}\n"
            f"Please retry in {delay}s."
        )
        violation = {"quotaMetric": "generate_content_free_tier_requests", "quotaId": self.quota}
        violation |= {"quotaValue": "20"}
        details = [
            {"@type": TYPE + "QuotaFailure", "violations": [violation]},
            {"@type": TYPE + "RetryInfo", "retryDelay": f"{delay}s"},
        ]
        error = {"code": 429, "message": message, "status": STATUSES[429], "details": details}
        return web.json_response({"error": error}, status=429)


async def listed(reply: GeminiReply) -> web.StreamResponse:
    """The error inside a list, as it comes where the endpoint does not know that events are wanted."""
    body = [reply.refusal(503, "The model is overloaded. Please try again later.", "", None)]
    return web.json_response(body, status=503)


async def two_parts(reply: GeminiReply) -> web.StreamResponse:
    """A thought and text in one chunk, and an empty last part with a signature."""
    thought = {"text": reply.word(0), "thought": True}
    text = {"text": "".join(text for _, text in reply.text())}
    signed = {"text": "", "thoughtSignature": "c2lnbmVk"}
    await reply.response.prepare(reply.http)
    first = {"content": {"parts": [thought, text], "role": "model"}, "index": 0}
    last = {"content": {"parts": [signed], "role": "model"}, "finishReason": "STOP", "index": 0}
    return await reply.end(b"".join(reply.frame(reply.response_of([part])) for part in (first, last)))


async def bad_key(reply: GeminiReply) -> web.StreamResponse:
    reason = {"@type": TYPE + "ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
    error: Json = {"code": 400, "message": "API key not valid. Please pass a valid API key."}
    error |= {"status": "INVALID_ARGUMENT", "details": [reason]}
    return web.json_response({"error": error}, status=400)


GeminiReply.own_modes = {
    "prompt_blocked": prompt_blocked,
    "cut_while_thinking": cut_while_thinking,
    "tool_calls": tool_calls,
    "per_minute": QuotaFailure("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"),
    "per_day": QuotaFailure("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
    "listed": listed,
    "two_parts": two_parts,
    "bad_key": bad_key,  # 400, not 401
    "refused": Answer(lambda reply: (), "content_filter"),  # SAFETY before any text
    "http400ctx": Refusal(
        400, "The input token count (1125602) exceeds the maximum number of tokens allowed (1048576)."
    ),
}
