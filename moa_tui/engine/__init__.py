"""Layered runs of agents: a recipe and a history in, events and an outcome out.

The way in is `run.run`; `recipe` holds what is run, `control` what can be done to a run, `events` what a run
says, `values` what it leaves. The engine is handed a `Stream` that asks the models. It must know no screen,
no disk and no provider: it imports the standard library, pydantic and `moa_tui.errors` alone.

The engine is used as a library with a stream of one's own:

    >>> import asyncio
    >>> from moa_tui.engine.recipe import Recipe
    >>> from moa_tui.engine.run import run
    >>> from moa_tui.engine.values import Chunk, Finish

    >>> async def stream(agent, messages):
    ...     yield Chunk("text", f"{agent.name} has read {len(messages)} messages")
    ...     yield Finish("stop")

    >>> recipe = Recipe.model_validate({
    ...     "name": "two and one",
    ...     "layers": [
    ...         {"agents": [{"model": "one"}, {"model": "two"}]},
    ...         {"agents": [{"model": "writer"}]},
    ...     ],
    ... })
    >>> question = {"role": "user", "content": "What is a moa?"}
    >>> events = []
    >>> outcome = asyncio.run(run(recipe, [question], stream, events.append))

    >>> outcome.status, outcome.answer
    ('done', 'writer has read 2 messages')
    >>> [f"{call} {reply.text}" for call, reply in outcome.replies.items()][:2]
    ['L1.1 one has read 1 messages', 'L1.2 two has read 1 messages']
    >>> type(events[-1]).__name__
    'RunEnded'

`__all__` names the modules that other packages import from; the rest are the inside of the engine. It names
modules and not what is in them, so that whoever needs only the values does not wait for pydantic and asyncio.
"""

__all__ = [
    "agent",
    "control",
    "events",
    "guided",
    "health",
    "layer_result",
    "live_change",
    "metrics",
    "plan",
    "prompts",
    "recipe",
    "run",
    "tasks",
    "values",
]
