"""Numbers that a server, a file or an older database states, and that cannot be meant."""

from __future__ import annotations

import json
import math
import re
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.chat.ledger import Ledger
from moa_tui.conversation import Conversation
from moa_tui.engine.events import CallEnded, RunEnded
from moa_tui.engine.run import run
from moa_tui.engine.values import CallId, Finish, Metrics, Outcome, Reply, Usage
from moa_tui.errors import FileError
from moa_tui.formats.export import FORMATS, render
from moa_tui.formats.importer import read
from moa_tui.formats.json_writer import conversation_document
from moa_tui.gateway.gateway import Gateway
from moa_tui.settings.config import Budget, Endpoint
from moa_tui.store import Store, tables
from tests.cli.shell import call
from tests.conversations import NOON, a_reply, a_turn
from tests.fakes import FakeModels
from tests.helpers import recipe

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.gateway.thread import EngineThread
    from tests.model_server import ModelServer

COSTS = [
    "-1",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e308",
    "1e999",
    '"0.5"',
    "true",
    "[1]",
    "1" + "0" * 300,
    "{}",
]
COUNTS = ["-5", "NaN", "Infinity", "1e308", "1e999", '"x"', "[1]", "2.5", str(2**63), "9" * 4000, "9" * 5000]
FIRST = CallId(1, 1)
PROMPT: Any = [{"role": "user", "content": "hello"}]


def ids(value: object) -> str:
    return str(value)[:12]


class TestServer:
    """What a server states of its reply, over HTTP and through litellm."""

    @pytest.fixture
    def engine(self, litellm_is_loaded: None) -> Any:
        from moa_tui.gateway.thread import EngineThread

        with EngineThread() as thread:
            yield thread

    def ask(self, server: ModelServer, engine: EngineThread, usage: str) -> Reply:
        server.usage_json = usage
        gateway = Gateway({"lab": Endpoint(base_url=server.url)}, {})
        this = recipe(["lab/stated_usage@n=3"])

        async def whole() -> Outcome:
            await gateway.prepare(this)
            return await run(this, PROMPT, gateway.stream, lambda _: None)

        return engine.submit(whole()).result(60).replies[FIRST]

    @pytest.mark.parametrize("cost", COSTS, ids=ids)
    def test_a_cost_that_cannot_be_meant_is_unknown(
        self, cost: str, server: ModelServer, engine: EngineThread, capfd: pytest.CaptureFixture[str]
    ) -> None:
        usage = f'{{"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11, "cost": {cost}}}'
        reply = self.ask(server, engine, usage)
        assert (reply.status, reply.error, reply.cost) == ("done", None, None)
        assert reply.usage == Usage(7, 4, estimated=False)
        assert capfd.readouterr() == ("", ""), "a warning would be written over a screen"

    @pytest.mark.parametrize("count", COUNTS, ids=ids)
    @pytest.mark.parametrize("field", ["prompt_tokens", "completion_tokens"])
    def test_a_count_that_cannot_be_meant_is_estimated_and_the_answer_is_whole(
        self,
        field: str,
        count: str,
        server: ModelServer,
        engine: EngineThread,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        counts = {"prompt_tokens": "7", "completion_tokens": "4", "total_tokens": "11", field: count}
        stated = ", ".join(f'"{name}": {value}' for name, value in counts.items())
        reply = self.ask(server, engine, f"{{{stated}}}")
        assert (reply.status, reply.error, reply.usage.estimated) == ("done", None, True)
        assert 0 < reply.usage.prompt_tokens < 100
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize(
        "usage",
        [
            "[]", "5", '"x"', "true", "{}",
            '{"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": "x"}}',
            '{"prompt_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 1e308}}',
            '{"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": 5}',
        ],
    )  # fmt: skip
    def test_a_usage_of_another_shape_leaves_the_answer_whole(
        self, usage: str, server: ModelServer, engine: EngineThread, capfd: pytest.CaptureFixture[str]
    ) -> None:
        reply = self.ask(server, engine, usage)
        assert (reply.status, reply.error) == ("done", None)
        assert reply.usage.prompt_tokens > 0
        assert capfd.readouterr() == ("", "")


class TestBudget:
    @pytest.mark.parametrize("cost", [-1000.0, math.nan, math.inf, -math.inf, 1e308])
    def test_a_cost_neither_reopens_a_spent_budget_nor_blocks_the_day(
        self, cost: float, tmp_path: Path
    ) -> None:
        with Store(tmp_path / "moa-tui.db", lambda: "2026-03-14") as store:
            ledger = Ledger(Budget(day=1.0, conversation=1.0), store, lambda: "2026-03-14")
            for paid in (0.75, cost):
                turn = a_turn()
                reply = a_reply(cost=paid)
                recording = store.record(Conversation(), turn)
                recording.take(CallEnded(FIRST, reply))
                ledger.add("c", reply, is_kept=True)
            assert [cap.spent for cap in ledger.caps("c")] == [0.75, 0.75]
            assert store.paid_on("2026-03-14") == 0.75

    async def test_no_stream_brings_such_a_number_into_a_run(self) -> None:
        models = FakeModels(a=[["text", Finish("stop", Usage(-3, 10**5000), -2.0)]])
        outcome = await run(recipe(["a"]), PROMPT, models, lambda _: None)
        assert outcome.usage.estimated
        assert 0 < outcome.usage.prompt_tokens < 100
        assert outcome.cost is None


class TestStoring:
    @pytest.mark.parametrize("cost", [math.nan, math.inf, -math.inf, -1.0, 1e308])
    @pytest.mark.parametrize("tokens", [2**63, -5, 10**5000, 12], ids=["2^63", "-5", "5000 digits", "12"])
    def test_no_number_loses_the_row_of_a_reply(self, tokens: int, cost: float, tmp_path: Path) -> None:
        problems: list[object] = []
        usage = Usage(tokens, tokens, estimated=False)
        reply = a_reply("the whole text", usage=usage, cost=cost, attempts=abs(tokens), queued=cost)
        with Store(tmp_path / "moa-tui.db") as store:
            store.on_problem(problems.append)
            conversation = Conversation()
            recording = store.record(conversation, a_turn(recipe=recipe(["a"])))
            recording.take(CallEnded(FIRST, reply))
            recording.take(
                RunEnded(Outcome("done", reply.text, {FIRST: reply}, Metrics(), usage=usage, cost=cost))
            )
            loaded = store.load(conversation.id)
            outcome = loaded.turns[0].outcome
            assert outcome is not None
            assert outcome.replies[FIRST].text == "the whole text"
            assert (outcome.cost, outcome.replies[FIRST].cost) == (None, None)
            assert store.figures(None).total.cost == 0
            assert store.summaries()[0].cost == 0
            json.dumps(conversation_document(loaded), allow_nan=False)
        assert problems == []


def spoiled_database(path: Path, amount: float) -> str:
    """A database in which an older version kept `amount` as a cost and booked it; the id of what is in it."""
    with Store(path, lambda: "2025-06-15") as store:
        turn = a_turn(agents=1)
        conversation = Conversation((turn,), turn, created=NOON)
        store.save(conversation)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE calls SET cost = ? WHERE layer = 1", (amount,))
        connection.execute("UPDATE calls SET prompt_tokens = -7, completion_tokens = 9223372036854775807")
        connection.execute("UPDATE turns SET paid = ?, cost = ?, prompt_tokens = -7", (amount, amount))
        connection.execute("INSERT OR REPLACE INTO spending VALUES ('2025-06-15', ?)", (amount,))
    connection.close()
    return conversation.id


class TestOldDatabase:
    @pytest.mark.parametrize("amount", [math.inf, -math.inf, -1000.0, 1e308])
    def test_what_an_older_version_kept_blocks_and_breaks_nothing(
        self, amount: float, tmp_path: Path
    ) -> None:
        id_ = spoiled_database(tmp_path / "moa-tui.db", amount)
        with Store(tmp_path / "moa-tui.db", lambda: "2025-06-15") as store:
            assert store.paid_on("2025-06-15") == pytest.approx(0.002)
            assert store.summaries()[0].cost == pytest.approx(0.002)
            total = store.figures(None).total
            assert (total.cost, total.unpriced) == (pytest.approx(0.002), 1)
            assert total.prompt_tokens == total.completion_tokens == 0
            loaded = store.load(id_)
            for name in FORMATS:
                assert not re.search(r"\bNaN\b|Infinity|\binf\b|1e\+?308|-1000", render([loaded], name)), name
            recording = store.record(loaded, a_turn(parent=loaded.active))
            recording.take(CallEnded(FIRST, a_reply(cost=0.5)))
            assert store.paid_on("2025-06-15") >= 0.002

    def test_the_export_of_such_a_conversation_can_be_read_again(self, tmp_path: Path) -> None:
        id_ = spoiled_database(tmp_path / "moa-tui.db", math.inf)
        with Store(tmp_path / "moa-tui.db") as store:
            loaded = store.load(id_)
        path = tmp_path / "export.json"
        path.write_text(json.dumps(conversation_document(loaded)))
        (conversation,) = read(path).conversations
        assert conversation.id == id_


class TestFile:
    def document(self) -> dict[str, Any]:
        turn = a_turn(agents=1)
        document: dict[str, Any] = json.loads(
            json.dumps(conversation_document(Conversation((turn,), turn)), allow_nan=False)
        )
        return document

    @pytest.mark.parametrize("cost", [-1.0, 1e99, 2**62])
    @pytest.mark.parametrize("tokens", [-1, 2**62])
    def test_an_imported_number_that_cannot_be_meant_is_unknown(
        self, cost: float, tokens: int, tmp_path: Path
    ) -> None:
        document = self.document()
        call = document["turns"][0]["outcome"]["layers"][0]["calls"][0]
        call["cost"], call["usage"]["prompt_tokens"] = cost, tokens
        path = tmp_path / "file.json"
        path.write_text(json.dumps(document))
        (conversation,) = read(path).conversations
        with Store(tmp_path / "moa-tui.db") as store:
            store.save(conversation)
            loaded = store.load(conversation.id)
            assert loaded.turns[0].outcome is not None
            reply = loaded.turns[0].outcome.replies[FIRST]
            assert (reply.cost, reply.usage) == (None, Usage())
            assert store.summaries()[0].cost == pytest.approx(0.002)

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "9" * 5000], ids=ids)
    def test_what_is_no_number_is_refused_by_name(self, number: str, tmp_path: Path) -> None:
        path = tmp_path / "file.json"
        text = json.dumps(self.document()).replace('"attempts": 1', f'"attempts": {number}')
        path.write_text(text)
        with pytest.raises(FileError, match="no number"):
            read(path)


class TestAsk:
    def test_what_could_not_be_kept_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A change that the disk will never take is no secret: the answer comes, and a line says so."""

        def refuse(*_: object, **__: object) -> None:
            raise OverflowError("Python int too large to convert to SQLite INTEGER")

        codes: list[int] = []
        monkeypatch.setattr("moa_tui.cli.ask.leave", codes.append)
        monkeypatch.setattr(tables, "keep_reply", refuse)
        path = tmp_path / "fast.toml"
        agent = '{ model = "demo/terse", extra = { tokens_per_second = 1e6 } }'
        path.write_text(f'name = "fast"\n[[layers]]\nagents = [{agent}]\n')
        result = call("ask", "-q", "-r", str(path), "hello")
        assert "moa-tui: not all of this was kept: " in result.stderr
        assert (codes, bool(result.stdout.strip())) == ([0], True)
        assert result.stderr.count("could not be kept") == 1
