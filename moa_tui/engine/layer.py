"""A layer of a recipe, with how it reads and passes on answers; and the limits of a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)

from moa_tui.engine.agent import Agent, RecipeTable

if TYPE_CHECKING:
    from moa_tui.engine.parsing import ClosingLine

Task = Literal["answer", "synthesize", "revise", "critique", "judge", "checklist", "rank", "vote", "moderate"]

# The tasks whose texts are answers, so that one of them may be the answer of the run.
WRITING_TASKS = ("answer", "synthesize", "revise")

# The tags tell the two apart, so that a mistake in one is not reported as a mistake in both. `toml_file`
# leaves the tags out of its messages.
Entry = Annotated[
    Annotated[str, Tag("str")] | Annotated[Agent, Tag("Agent")],
    Discriminator(lambda value: "str" if isinstance(value, str) else "Agent"),
]


class Window(RecipeTable):
    """The reading of references piece by piece (arXiv 2502.00674): the best answer so far beside new ones."""

    size: Annotated[int, Field(ge=2)] = 6
    """The number of references read at once."""
    repeat: Annotated[int, Field(ge=1)] = 3
    """The number of these places that the best answer so far takes, from the second piece on."""

    @model_validator(mode="after")
    def _check_room(self) -> Self:
        if self.repeat >= self.size:
            raise ValueError(f"repeat {self.repeat} leaves no room for a new answer in size {self.size}")
        return self

    def pieces(self, references: int) -> int:
        """The number of calls that it takes to read that many references."""
        return 1 + math.ceil(max(0, references - self.size) / (self.size - self.repeat))


class Stairs(RecipeTable):
    """The writing of an answer step by step, while the answers that it reads are still being written."""

    chunk: Annotated[int, Field(ge=16)] = 128
    """The tokens that an answer must have more, or have ended, to count for the next step; and about as many
    are written in a step."""
    wait: Annotated[int, Field(ge=1)] = 4
    """The number of answers that must have as many more for the next step to begin."""


class Start(RecipeTable):
    """The beginning of a whole synthesis from the first answers that are whole, before the others are."""

    model_config = ConfigDict(populate_by_name=True)

    with_: Annotated[int, Field(ge=1, alias="with")] = 4
    """The number of whole answers that are enough to begin; `with` in a recipe, which Python reserves."""
    restart_below: Annotated[float, Field(ge=0, le=1)] = 0.45
    """The likeness to the answers that were read, from 0 to 1, below which a later answer has the synthesis
    begin again, as long as nothing of it has been shown."""

    @model_serializer(mode="wrap")
    def _name_as_in_recipes(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        table: dict[str, Any] = fields(self)
        return {"with" if name == "with_" else name: value for name, value in table.items()}


class Layer(RecipeTable):
    """Agents that run side by side on the same references, with one task."""

    agents: tuple[Entry, ...] = ()
    """Names from `[agents]`, or agents written out in place; none for the task `vote`."""
    task: Task | None = None
    """What the agents do; where not given, `answer` in the first layer and `synthesize` in the others."""
    quorum: Annotated[int, Field(ge=1)] | None = None
    """The number of answers that are enough to go on; all where not given."""
    grace_seconds: Annotated[float, Field(ge=0)] = 5.0
    """The seconds that the others may still write once the quorum has answered."""
    use_partial: bool = False
    """True where an answer cut short by a fault may serve as a reference."""
    placement: Literal["system", "user"] = "user"
    """The message that holds the references, and what else the layer asks: the last user message, so that
    all before it stays the same from turn to turn and providers can cache it, or the system message."""
    prompt: str | None = None
    """Replaces the built-in instructions; `{references}` marks where the references go."""
    shuffle: bool = False
    """True where each agent sees the references in an order of its own."""
    anonymous: bool = True
    """True where references are only numbered; False where they carry the names of their agents."""
    reads: Literal["previous", "all"] | tuple[int, ...] = "previous"
    """The layers whose references are read: the one before, all before, or those of the numbers given."""
    split: bool = False
    """True where the references are divided among the agents, so that each is read by one of them."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of the references that an agent does not see, drawn at random for each agent."""
    window: Window | None = None
    """The reading of the references piece by piece, for models with short contexts; None for all at once."""
    stairs: Stairs | None = None
    """How its answer is begun while the layer before still writes; None for one that waits for that layer."""
    start: Start | None = None
    """How its answer is begun from the first whole answers; None for one that waits for all of them."""
    top_k: Annotated[int, Field(ge=1)] | None = None
    """The number of references passed on: the best where they are ranked, else those that differ most."""
    drop_outliers: bool = False
    """True where answers that stand apart from the majority are not passed on."""
    early_stop: Annotated[float, Field(gt=0, le=1)] | None = None
    """How much its answers must repeat those passed on before, from 0 to 1, for the run to skip to its last
    layer; 0.8 is a good figure, to which 3 % of 805 real second layers repeated the first. Critiques,
    judgements and checklists in between are not compared with."""
    enough: Annotated[float, Field(gt=0, le=1)] | None = None
    """The share of its answers, from 0 to 1, that must give the same short answer (a choice, a number, a
    name, yes or no) for one of them to be the answer of the run; the agents are asked to state theirs. Where
    two differ in short, `confident` elects none."""
    confident: Annotated[float, Field(gt=0, le=1)] | None = None
    """The confidence, from 0 to 1, from which on the surest answer is the answer of the run; the agents are
    asked to state theirs."""

    @property
    def begins_early(self) -> bool:
        """True where its calls may begin while the layer before is still at work."""
        return self.stairs is not None or self.start is not None

    @property
    def closing_lines(self) -> tuple[ClosingLine, ...]:
        """The lines that the agents are asked to write behind their answers."""
        short: tuple[ClosingLine, ...] = ("in short",) if self.drop_outliers or self.enough else ()
        return (*short, "confidence") if self.confident is not None else short


# The settings that have no effect in a first layer, since that has nothing to read.
FOR_REFERENCES = {
    *("placement", "prompt", "shuffle", "anonymous", "reads", "split", "dropout", "window", "early_stop"),
    *("stairs", "start"),
}
# The settings that have an effect only in a layer that writes answers for a later one.
FOR_ANSWERS = ("drop_outliers", "early_stop", "enough", "confident")


class Limits(RecipeTable):
    """The limits of a run. Times are in seconds, `max_cost` is in US dollars."""

    first_token_seconds: Annotated[float, Field(gt=0)] = 120.0
    """The longest wait for the first text or reasoning of a reply."""
    idle_seconds: Annotated[float, Field(gt=0)] = 60.0
    """The longest silence in the middle of a reply."""
    total_seconds: Annotated[float, Field(gt=0)] = 900.0
    """The longest time of one call with its retries; the wait for a place at its endpoint does not count."""
    retries: Annotated[int, Field(ge=0, le=10)] | None = None
    """The number of times that a failed request is repeated; where not given, twice, and four times while the
    server is overloaded."""
    concurrency: Annotated[int, Field(ge=1)] | None = None
    """The number of calls at once to one endpoint; no limit where not given."""
    one_model_at_a_time: bool = False
    """True where a layer's calls are made one after another, model by model, beginning with the model asked
    last; for a graphics card that holds one model."""
    loop_guard: bool = True
    """True where a call is stopped whose model writes the same line or block again and again."""
    max_cost: Annotated[float, Field(gt=0)] | None = None
    """The cost of a run beyond which no further layer is begun; no limit where not given."""
