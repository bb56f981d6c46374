"""A file of each program, made after its public description, which each comment names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

NO_PARENT = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Sample:
    """What a file holds, the lines that its import says, and its turns: model, prompt, answer, reasoning."""

    content: object
    summary: list[str]
    turns: list[tuple[str, str, str, str]]


def lines(*values: object) -> str:
    """JSONL."""
    return "".join(json.dumps(value) + "\n" for value in values)


def said(role: str, content: object, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def log_row(prompt: str | None, response: str, conversation: str | None, **more: Any) -> dict[str, Any]:
    # simonw/llm, docs/logging.md: `llm logs --json`.
    return {
        **{"id": "01jm8ec74wxsdatyn5pq1fp0s5", "model": "gpt-4o-mini", "prompt": prompt, "system": None},
        **{"prompt_json": None, "response": response, "conversation_id": conversation, "duration_ms": 560},
        **{"datetime_utc": "2025-02-16T22:34:30.374882+00:00", "conversation_name": "hi", "attachments": []},
        **more,
    }


SAMPLES = {
    # Claude's export: Sinity/polylogue, docs/providers/claude-ai.md; blocks, attachments and the parent of a
    # root as socketteer/Claude-Conversation-Exporter tells of them.
    "claude": Sample(
        [
            {
                **{"uuid": "c1", "name": "Cats", "created_at": "2024-05-01T16:35:11.530742Z"},
                "account": {"uuid": "x"},
                "chat_messages": [
                    {
                        **{"uuid": "m1", "sender": "human", "text": "What is it?"},
                        "content": [{"type": "text", "text": "What is it?", "citations": []}],
                        "created_at": "2024-05-01T16:35:12.000000Z",
                        "attachments": [{"file_name": "notes.txt", "extracted_content": "meow"}],
                        "files": [{"file_name": "cat.png"}],
                        "parent_message_uuid": NO_PARENT,
                    },
                    {
                        **{
                            "uuid": "m2",
                            "sender": "assistant",
                            "text": "not this",
                            "parent_message_uuid": "m1",
                        },
                        "content": [
                            {"type": "thinking", "thinking": "Whiskers."},
                            {"type": "text", "text": "A cat."},
                            {"type": "tool_use", "name": "web_search", "input": {"query": "cat"}},
                            {"type": "tool_result", "name": "web_search", "content": []},
                            {
                                **{"type": "tool_use", "name": "artifacts"},
                                "input": {"title": "Poem", "type": "text/markdown", "content": "Purr."},
                            },
                            {"type": "token_budget"},
                        ],
                    },
                    {"uuid": "m3", "sender": "assistant", "text": "A dog.", "parent_message_uuid": "m1"},
                ],
                "current_leaf_message_uuid": "m2",
            },
            {
                **{"uuid": "c2", "name": "", "created_at": "2024-05-02T16:35:11Z"},
                "chat_messages": [
                    {"uuid": "n1", "sender": "human", "text": "Old?"},
                    {"uuid": "n2", "sender": "assistant", "text": "Yes."},
                ],
            },
            {"uuid": "c3", "name": "", "chat_messages": []},
        ],
        [
            "2 conversations, 3 turns taken",
            "1 image left out",
            "1 tool call left out",
            "1 tool message left out",
            "1 empty conversation left out",
        ],
        [
            (
                "unknown",
                "What is it?\n\n[attachment: notes.txt]\n\n```\nmeow\n```\n\n[image: cat.png]",
                "A cat.\n\n**Poem**\n\nPurr.",
                "Whiskers.",
            ),
            (
                "unknown",
                "What is it?\n\n[attachment: notes.txt]\n\n```\nmeow\n```\n\n[image: cat.png]",
                "A dog.",
                "",
            ),
            ("unknown", "Old?", "Yes.", ""),
        ],
    ),
    # LibreChat's openwebui-export.json in its import tests, and Open WebUI's `chat.history`.
    "open webui": Sample(
        [
            {
                **{"id": "x", "user_id": "u", "title": "Sums", "created_at": 1700000000, "archived": False},
                "chat": {
                    **{"title": "Sums", "models": ["deepseek-r1"], "params": {"system": "Be short."}},
                    "history": {
                        "currentId": "b",
                        "messages": {
                            "q": {
                                **{"id": "q", "parentId": None, "childrenIds": ["a", "b"], "role": "user"},
                                **{"content": "15 * 17?", "timestamp": 1700000000, "models": ["deepseek-r1"]},
                                "files": [
                                    {"type": "file", "file": {"filename": "sums.pdf"}, "name": "sums.pdf"}
                                ],
                            },
                            "a": {
                                **{"id": "a", "parentId": "q", "childrenIds": [], "role": "assistant"},
                                **{"content": "", "model": "gpt-4o", "error": {"content": "429"}},
                            },
                            "b": {
                                **{"id": "b", "parentId": "q", "childrenIds": [], "role": "assistant"},
                                "content": '<details type="reasoning" done="true" duration="3">\n'
                                "<summary>Thought for 3 seconds</summary>\n&gt; 150 + 105\n</details>\n255"
                                '<details type="tool_calls"><summary>Ran</summary>"x"</details>',
                                "model": "deepseek-r1:8b",
                            },
                        },
                    },
                },
            },
            {
                "title": "Flat",
                "chat": {"messages": [said("user", "Hello"), said("assistant", "Hi", model="llama3")]},
            },
        ],
        [
            "2 conversations, 3 turns taken",
            "1 tool call left out",
            "1 attachment left out",
            "1 failed answer left out",
        ],
        [
            ("deepseek-r1", "15 * 17?\n[attachment: sums.pdf]", "", ""),
            ("deepseek-r1:8b", "15 * 17?\n[attachment: sums.pdf]", "255", "150 + 105"),
            ("llama3", "Hello", "Hi", ""),
        ],
    ),
    # danny-avila/LibreChat, useExportConversation.ts and librechat-tree.json of its import tests.
    "librechat": Sample(
        {
            **{"conversationId": "c", "endpoint": "openAI", "title": "Venv", "exportAt": "13:18:04 GMT-0400"},
            **{"branches": True, "recursive": True},
            "options": {"model": "gpt-4-turbo", "promptPrefix": "You are an engineer."},
            "messages": [
                {
                    **{"messageId": "1", "parentMessageId": "00000000-0000-0000-0000-000000000000"},
                    **{"isCreatedByUser": True, "sender": "User", "text": "How?", "model": None},
                    "createdAt": "2024-05-01T16:35:11.530Z",
                    "children": [
                        {
                            **{"messageId": "2", "parentMessageId": "1", "isCreatedByUser": False},
                            **{"sender": "Software Engineer", "text": "", "children": []},
                            "content": [
                                {"type": "think", "think": "Hm."},
                                {"type": "text", "text": {"value": "So."}},
                                {"type": "tool_call", "tool_call": {"name": "x"}},
                            ],
                        },
                        {
                            **{"messageId": "3", "parentMessageId": "1", "isCreatedByUser": False},
                            **{"text": "Other.", "model": "gpt-4o", "children": []},
                        },
                        {
                            **{
                                "messageId": "4",
                                "parentMessageId": "1",
                                "isCreatedByUser": False,
                                "error": True,
                            },
                            "text": '{"type":"no_user_key"}',
                        },
                    ],
                }
            ],
        },
        ["1 conversation, 3 turns taken", "1 tool call left out", "1 failed answer left out"],
        [
            ("gpt-4-turbo", "How?", "So.", "Hm."),
            ("gpt-4o", "How?", "Other.", ""),
            ("gpt-4-turbo", "How?", "", ""),
        ],
    ),
    "librechat flat": Sample(
        {
            **{"conversationId": "c", "title": "Flat", "recursive": False},
            "messages": [
                {"messageId": "2", "parentMessageId": "1", "isCreatedByUser": False, "text": "A"},
                {"messageId": "1", "parentMessageId": NO_PARENT, "isCreatedByUser": True, "text": "Q"},
            ],
        },
        ["1 conversation, 1 turn taken"],
        [("unknown", "Q", "A", "")],
    ),
    "llm logs": Sample(
        [
            log_row("And two?", "2", "k", datetime_utc="2025-02-16T22:35:30", system=None),
            log_row(
                "One?",
                "1",
                "k",
                system="Count.",
                attachments=[{"id": "a", "type": "image/png", "path": "a.png"}],
            ),
            log_row(
                None, "Long.", None, prompt_fragments=[{"hash": "5cffc2"}], model="o4-mini", reasoning="Hm."
            ),
        ],
        ["2 conversations, 3 turns taken", "1 image left out", "1 fragment left out"],
        [
            ("gpt-4o-mini", "One?\n\n[image: a.png]", "1", ""),
            ("gpt-4o-mini", "And two?", "2", ""),
            ("o4-mini", "[fragment: 5cffc2]", "Long.", "Hm."),
        ],
    ),
    # ShareGPT: hiyouga/LLaMA-Factory, data/README.md; lm-sys/FastChat, dummy_conversation.json.
    "sharegpt": Sample(
        [
            {
                **{"id": "identity_0", "system": "Be kind.", "tools": "[]"},
                "conversations": [
                    {"from": "human", "value": "Weather?"},
                    {"from": "function_call", "value": "{}"},
                    {"from": "observation", "value": "{}"},
                    {"from": "gpt", "value": "Sun."},
                ],
            },
            {"conversations": [said("user", "Who?"), said("assistant", "I."), said("user", "You?")]},
            {"conversations": [{"from": "USER", "value": "Big?"}, {"from": "ChatGPT", "value": "Yes."}]},
        ],
        ["3 conversations, 4 turns taken", "2 tool messages left out"],
        [
            ("unknown", "Weather?", "Sun.", ""),
            ("unknown", "Who?", "I.", ""),
            ("unknown", "You?", "", ""),
            ("unknown", "Big?", "Yes.", ""),
        ],
    ),
    # Dataset cards of lmsys-chat-1m and chatbot_arena_conversations, and of DPO pairs.
    "lmsys": Sample(
        lines(
            {
                **{"conversation_id": "33f", "model": "vicuna-13b", "turn": 1, "language": "English"},
                **{"conversation": [said("user", "Q"), said("assistant", "A")], "redacted": False},
                "openai_moderation": [{"flagged": False}],
            },
            {
                **{"question_id": "58a", "model_a": "m-a", "model_b": "m-b", "winner": "model_b", "turn": 1},
                **{
                    "conversation_a": [said("user", "Which?"), said("assistant", "This.")],
                    "tstamp": 1682351591.1,
                },
                "conversation_b": [said("user", "Which?"), said("assistant", "That.")],
            },
            {"prompt": "Say.", "chosen": "Good.", "rejected": "Bad."},
        ),
        ["3 conversations, 5 turns taken"],
        [
            ("vicuna-13b", "Q", "A", ""),
            ("m-a", "Which?", "This.", ""),
            ("m-b", "Which?", "That.", ""),
            ("unknown", "Say.", "Good.", ""),
            ("unknown", "Say.", "Bad.", ""),
        ],
    ),
    # OpenAI's fine-tuning data: a conversation a line, a torn line among them.
    "fine-tuning": Sample(
        lines({"messages": [said("system", "S"), said("user", "1?"), said("assistant", "1", weight=0)]})
        + '{"messages": [{"role": "user", "conte\n'
        + lines({"messages": [said("user", "2?"), said("assistant", None, refusal="No.")]}),
        ["2 conversations, 2 turns taken", "left out: line 2, column 38: Invalid control character"],
        [("unknown", "1?", "1", ""), ("unknown", "2?", "No.", "")],
    ),
    # AI Studio's files in Google Drive: chunks of `chunkedPrompt`.
    "ai studio": Sample(
        {
            "runSettings": {"temperature": 1.0, "model": "models/gemini-2.5-pro"},
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "chunkedPrompt": {
                "chunks": [
                    {"text": "Which model?", "role": "user", "tokenCount": 12},
                    {"driveImage": {"id": "1abc"}, "role": "user"},
                    {"text": "Let me see.", "role": "model", "isThought": True},
                    {"text": "This one.", "role": "model", "finishReason": "STOP"},
                ],
                "pendingInputs": [{"text": "", "role": "user"}],
            },
        },
        ["1 conversation, 1 turn taken", "1 image left out"],
        [("gemini-2.5-pro", "Which model?\n\n[image: 1abc]", "This one.", "Let me see.")],
    ),
    # xAI's prod-grok-backend.json, with MongoDB's times.
    "grok": Sample(
        {
            "conversations": [
                {
                    "conversation": {"id": "c", "title": "G", "create_time": "2024-01-15T10:30:00.000000Z"},
                    "responses": [
                        {
                            "response": {
                                **{"_id": "1", "sender": "human", "message": "Q"},
                                "create_time": {"$date": {"$numberLong": "1705312200000"}},
                            }
                        },
                        {"response": {"_id": "2", "sender": "ASSISTANT", "message": "A", "model": "grok-3"}},
                    ],
                }
            ]
        },
        ["1 conversation, 1 turn taken"],
        [("grok-3", "Q", "A", "")],
    ),
    # DeepSeek's conversations.json: ChatGPT's tree with fragments.
    "deepseek": Sample(
        [
            {
                **{"id": "d", "title": "D", "inserted_at": "2025-03-30T04:49:36.505000+08:00"},
                "mapping": {
                    "root": {"id": "root", "parent": None, "children": ["1"], "message": None},
                    "1": {
                        **{"id": "1", "parent": "root", "children": ["2"]},
                        "message": {
                            "model": "deepseek-chat",
                            "fragments": [{"type": "REQUEST", "content": "Q"}],
                        },
                    },
                    "2": {
                        **{"id": "2", "parent": "1", "children": []},
                        "message": {
                            "model": "deepseek-reasoner",
                            "fragments": [
                                {"type": "SEARCH", "results": []},
                                {"type": "THINK", "content": "Hm."},
                                {"type": "RESPONSE", "content": "A"},
                            ],
                        },
                    },
                },
            }
        ],
        ["1 conversation, 1 turn taken", "1 tool message left out"],
        [("deepseek-reasoner", "Q", "A", "Hm.")],
    ),
    # ggml-org/llama.cpp pull request 25501: the web page's export of a conversation with all its branches.
    "llama.cpp": Sample(
        lines(
            {"type": "session", "harness": "llama.app", "id": "c", "name": "Hello", "currNode": "b"},
            *(
                {"type": "message", "message": {"convId": "c", "timestamp": 1783619815561, **message}}
                for message in (
                    said("user", "Hello", id="a", parent="root", children=["b", "d"]),
                    said("assistant", "Hi", id="b", parent="a", children=[], model="qwen"),
                    said("assistant", "Hey", id="d", parent="a", children=[]),
                )
            ),
        ),
        ["1 conversation, 2 turns taken"],
        [("qwen", "Hello", "Hi", ""), ("unknown", "Hello", "Hey", "")],
    ),
    # A session of Claude Code: `parentUuid` from line to line.
    "claude code": Sample(
        lines(
            {"type": "summary", "summary": "Fix it", "leafUuid": "4"},
            {
                "parentUuid": None,
                "uuid": "0",
                "sessionId": "s",
                "isMeta": True,
                "message": said("user", "Caveat"),
            },
            {"parentUuid": "0", "uuid": "1", "sessionId": "s", "message": said("user", "Fix!")},
            {
                **{"parentUuid": "1", "uuid": "2", "sessionId": "s"},
                "message": said(
                    "assistant", [{"type": "tool_use", "name": "Bash"}], id="m", model="claude-x"
                ),
            },
            {
                **{"parentUuid": "2", "uuid": "3", "sessionId": "s"},
                "message": said("user", [{"type": "tool_result", "content": "ok"}]),
            },
            {
                **{"parentUuid": "3", "uuid": "4", "sessionId": "s"},
                "message": said("assistant", [{"type": "text", "text": "Done."}], id="m", model="claude-x"),
            },
        ),
        [
            "1 conversation, 1 turn taken",
            "1 hidden message left out",
            "1 tool call left out",
            "1 tool message left out",
        ],
        [("claude-x", "Fix!", "Done.", "")],
    ),
    # mckaywrigley/chatbot-ui, version 1, as LibreChat imports it.
    "chatbot-ui": Sample(
        {
            "version": 4,
            "history": [
                {
                    "id": 1,
                    "name": "C",
                    "messages": [said("user", "Q"), said("assistant", "A")],
                    "model": {"id": "gpt-4"},
                }
            ],
        },
        ["1 conversation, 1 turn taken"],
        [("gpt-4", "Q", "A", "")],
    ),
}
