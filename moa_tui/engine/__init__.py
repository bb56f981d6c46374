"""Layered runs of agents: a recipe and a history in, events and an outcome out.

`run.run` runs a recipe. `recipe` describes what is run, `control` stops and changes a run, `events` are what
a run emits, and `values` what it results in. The engine is given a `Stream`, which asks the models. It knows
no screen, no disk and no provider: it imports only the standard library, pydantic and `moa_tui.errors`.

An example of the engine as a library, with a stream that asks no model:

    >>> import asyncio
    >>> from moa_tui.engine.recipe import Recipe
    >>> from moa_tui.engine.run import run
    >>> from moa_tui.engine.values import Chunk, Finish

    >>> async def stream(agent, messages):
    ...     answers = messages[-1]["content"].count("</reference>")
    ...     yield Chunk("text", f"{agent.name} has read {answers} answers")
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
    ('done', 'writer has read 2 answers')
    >>> [f"{call} {reply.text}" for call, reply in outcome.replies.items()][:2]
    ['L1.1 one has read 0 answers', 'L1.2 two has read 0 answers']
    >>> type(events[-1]).__name__
    'RunEnded'

`__all__` names the modules that other packages import from; the others are internal. The package itself
imports none of them, so that code which needs only the values does not load pydantic and asyncio.
"""

__all__ = [
    "agent",
    "control",
    "events",
    "health",
    "layer_result",
    "left_out",
    "live_change",
    "metrics",
    "plan",
    "prompts",
    "recipe",
    "recipe_edit",
    "run",
    "tasks",
    "values",
]
