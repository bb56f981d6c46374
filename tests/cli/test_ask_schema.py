"""`moa-tui ask --schema`: an answer of JSON, held to a schema, checked, and repaired once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.settings import paths
from moa_tui.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Shell
    from tests.model_server import Request

pytestmark = pytest.mark.program

FIELDS = "name, age int"
FITS = '{"name": "Ziggy", "age": 4}'
WRONG = '{"name": "Ziggy", "age": "four"}'


def saying(shell: Shell, *answers: str, mode: str = "told") -> str:
    """A recipe of two proposers and an aggregator that gives these answers in turn, the last for ever."""
    given = list(answers)

    def respond(request: Request) -> str:
        if request.model.startswith("told@key=p"):
            return "A dog."
        return given.pop(0) if len(given) > 1 else given[0]

    shell.server.responder = respond
    return shell.recipe(["told@key=p1", "told@key=p2"], [f"{mode}@key=final"])


def finals(shell: Shell) -> list[dict[str, Any]]:
    """What the aggregator was asked, one body for each request."""
    return [request.body for request in shell.server.requests if "key=final" in request.model]


def test_the_document_alone_is_on_stdout_and_only_the_last_agent_is_told(shell: Shell) -> None:
    done = shell("ask", "-q", "--schema", FIELDS, "-r", saying(shell, FITS), "invent a dog")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{FITS}\n", "")
    assert json.loads(done.stdout) == {"name": "Ziggy", "age": 4}
    (asked,) = finals(shell)
    wish = asked["response_format"]
    assert wish["type"] == "json_schema"
    assert wish["json_schema"]["strict"] is True
    assert wish["json_schema"]["schema"]["required"] == ["name", "age"]
    assert '"required":["name","age"]' in asked["messages"][0]["content"], "told in words too"
    for request in shell.server.requests:
        if "key=p" in request.model:
            assert "response_format" not in request.body
            assert "JSON" not in json.dumps(request.body)


@pytest.mark.parametrize(
    "answer", [f"```json\n{FITS}\n```", f"```\n{FITS}\n```\nAsk for more!", f"Here it is: {FITS} Fine?"]
)
def test_what_stands_around_the_document_is_taken_off(answer: str, shell: Shell) -> None:
    done = shell("ask", "-q", "--schema", FIELDS, "-r", saying(shell, answer), "hi")
    assert (done.returncode, done.stdout) == (0, f"{FITS}\n")
    assert len(finals(shell)) == 1


def test_a_server_without_the_parameter_is_asked_again_without_it(shell: Shell) -> None:
    done = shell("ask", "--schema", FIELDS, "-r", saying(shell, FITS, mode="no_schema"), "hi")
    assert (done.returncode, done.stdout) == (0, f"{FITS}\n")
    assert ["response_format" in body for body in finals(shell)] == [True, False]
    document = json.loads(
        shell(
            "ask", "--output", "json", "--schema", FIELDS, "-r", saying(shell, FITS, mode="no_schema"), "hi"
        ).stdout
    )
    assert any("takes no response_format with a JSON schema" in note for note in document["notes"])


def test_an_answer_that_does_not_fit_is_repaired_once(shell: Shell) -> None:
    done = shell("ask", "--schema", FIELDS, "-r", saying(shell, WRONG, f"```json\n{FITS}\n```"), "hi")
    assert (done.returncode, done.stdout) == (0, f"{FITS}\n")
    assert "the answer does not fit the schema: $.age: 'four' is not of type 'integer'" in done.stderr
    assert "L3.1 told@key=final is asked once to repair it" in done.stderr
    assert "4 of 4 calls" in done.stderr
    _, repair = finals(shell)
    said = repair["messages"][-1]["content"]
    assert said.startswith("hi\n")
    assert "$.age: 'four' is not of type 'integer'" in said
    assert WRONG in said
    assert "A dog." not in said, "the other answers are not paid again"
    assert "response_format" in repair


def test_what_still_does_not_fit_is_told_with_exit_code_1_and_not_on_stdout(shell: Shell) -> None:
    done = shell("ask", "-q", "--schema", FIELDS, "-r", saying(shell, "Ziggy, four", WRONG), "hi")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"{WRONG}\nmoa-tui: the answer does not fit the schema: $.age: 'four' is not of type 'integer'\n"
    )
    assert len(finals(shell)) == 2


def test_in_json_the_value_has_a_field_of_its_own(shell: Shell) -> None:
    arguments = ("ask", "-q", "--output", "json", "--schema", FIELDS, "-r")
    document = json.loads(shell(*arguments, saying(shell, WRONG, FITS), "hi").stdout)
    assert (document["data"], document["misfit"]) == ({"name": "Ziggy", "age": 4}, None)
    assert document["answer"] == FITS
    assert [layer["task"] for layer in document["layers"]] == ["answer", "synthesize", "revise"]
    assert document["usage"]["completion_tokens"] == sum(
        call["usage"]["completion_tokens"] for layer in document["layers"] for call in layer["calls"]
    )
    done = shell(*arguments, saying(shell, WRONG), "hi")
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert document["data"] is None
    assert "$.age" in document["misfit"]
    assert "data" not in json.loads(
        shell("ask", "-q", "--output", "json", "-r", saying(shell, FITS), "hi").stdout
    )


def test_as_events_the_last_one_has_the_value(shell: Shell) -> None:
    done = shell(
        "ask", "-q", "--output", "events", "--schema", FIELDS, "-r", saying(shell, WRONG, FITS), "hi"
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert "run_changed" in {event["event"] for event in events}
    assert events[-1]["event"] == "run_ended"
    assert events[-1]["data"] == {"name": "Ziggy", "age": 4}


def test_a_single_model_is_held_to_a_schema_from_a_file(shell: Shell, tmp_path: Path) -> None:
    schema = tmp_path / "dog.json"
    schema.write_text('{"$ref": "#/$defs/dog", "$defs": {"dog": {"type": "object", "required": ["name"]}}}')
    shell.server.responder = lambda request: FITS
    recipe = shell.recipe(["told"])
    done = shell("ask", "-q", "--schema", str(schema), "-r", recipe, "-f", str(schema), piped="some text\n")
    assert (done.returncode, done.stdout) == (0, f"{FITS}\n")
    assert "strict" not in shell.server.requests[-1].body["response_format"]["json_schema"]
    shell.server.responder = lambda request: "{}"
    done = shell("ask", "-q", "--schema", str(schema), "-r", recipe, "hi")
    assert done.returncode == 1
    assert "'name' is a required property" in done.stderr
    assert len(shell.server.requests) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("name, age uuid", '--schema: field 2, "age uuid": "uuid" is no type'),
        ("./nothing.json", "nothing.json: the schema cannot be read: No such file"),
        ("{folder}/torn.json", "torn.json:2:"),
        ("{folder}/remote.json", "only references within the schema"),
        ("{folder}/wrong.json", "wrong.json: not a JSON Schema: $.properties.a.type"),
    ],
)
def test_a_schema_that_cannot_be_used_is_told_before_anything_is_asked(
    given: str, said: str, shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "torn.json").write_text('{\n "a": 1,,}')
    (tmp_path / "remote.json").write_text('{"items": {"$ref": "https://example.org/dog.json"}}')
    (tmp_path / "wrong.json").write_text('{"properties": {"a": {"type": "dog"}}}')
    done = shell("ask", "--schema", given.format(folder=tmp_path), "-r", saying(shell, FITS), "hi")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert not shell.server.requests


def test_a_recipe_in_which_nobody_writes_the_answer_is_refused(shell: Shell) -> None:
    path = shell.folder / "vote.toml"
    agent = '{ model = "lab/told@key=p1" }'
    path.write_text(f'name = "vote"\n[[layers]]\nagents = [{agent}, {agent}]\n[[layers]]\ntask = "vote"\n')
    done = shell("ask", "--schema", FIELDS, "-r", str(path), "hi")
    assert (done.returncode, done.stdout) == (2, "")
    assert "ends with the task vote: it chooses among answers" in done.stderr
    assert not shell.server.requests


def test_a_recipe_that_may_end_with_an_early_answer_says_that_it_does_not(shell: Shell) -> None:
    shell.server.responder = lambda request: FITS if "response_format" in request.body else "A dog."
    path = shell.folder / "cascade.toml"
    first = '[{ model = "lab/told@key=p1" }, { model = "lab/told@key=p2" }]'
    path.write_text(
        f'name = "cascade"\n[[layers]]\nagents = {first}\nenough = 0.5\n'
        '[[layers]]\nagents = [{ model = "lab/told@key=final" }]\n'
    )
    done = shell("ask", "--schema", FIELDS, "-r", str(path), "hi")
    assert (done.returncode, done.stdout) == (0, f"{FITS}\n")
    assert "recipe cascade waits for all its answers, as --schema needs them" in done.stderr


def test_left_out_and_a_schema_do_not_share_stdout(shell: Shell) -> None:
    done = shell("ask", "--left-out", "--schema", FIELDS, "-r", saying(shell, FITS), "hi")
    assert done.returncode == 2
    assert "--output json" in done.stderr


def test_the_next_question_of_a_conversation_is_answered_in_words_again(shell: Shell) -> None:
    assert (
        shell("ask", "-q", "--schema", FIELDS, "-r", saying(shell, WRONG, FITS), "invent a dog").returncode
        == 0
    )
    shell.server.reset()
    shell.server.responder = lambda request: "Four."
    done = shell("ask", "-q", "-c", "How old is it?")
    assert (done.returncode, done.stdout) == (0, "Four.\n")
    (asked,) = finals(shell)
    assert "response_format" not in asked
    assert "JSON Schema" not in json.dumps(asked)
    assert FITS in [message["content"] for message in asked["messages"]]
    with Store(paths.database_file()) as store:
        (summary,) = store.summaries()
        turns = store.load(summary.id).turns
    assert [len(turn.recipe.layers) for turn in turns] == [3, 2]


def test_a_dry_run_says_that_there_may_be_a_call_more(shell: Shell) -> None:
    done = shell("ask", "--dry-run", "--schema", FIELDS, "-r", saying(shell, FITS), "hi")
    assert done.returncode == 0
    assert "one call more," in done.stdout
    assert "repair_cost" in json.loads(
        shell(
            "ask", "--dry-run", "--output", "json", "--schema", FIELDS, "-r", saying(shell, FITS), "hi"
        ).stdout
    )
    assert not shell.server.requests


def test_simulated_models_say_that_they_write_no_json(shell: Shell) -> None:
    done = shell("ask", "-q", "--schema", FIELDS, "-r", "demo", "hi")
    assert (done.returncode, done.stdout) == (1, "")
    assert "simulated models write no JSON: choose a recipe of real ones with -r" in done.stderr
