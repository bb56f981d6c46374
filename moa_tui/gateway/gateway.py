"""The gateway: given an agent and messages, the clean stream of its model's reply, whatever model that is.

Model names: `demo/NAME` is simulated here, `NAME/model` with a NAME of the config's endpoints goes to that
server, everything else is litellm's own `provider/model`.
"""

from __future__ import annotations

import re
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from moa_tui.engine.parameters import problem_of, texts_of
from moa_tui.engine.values import Chunk, Finish
from moa_tui.errors import MissingKeyError, ModelError, UntrustedServerError, UsageError
from moa_tui.gateway import demo, sanitize, think
from moa_tui.gateway.accepted import Accepted, parameters_of
from moa_tui.gateway.address_hints import address_hint
from moa_tui.gateway.answers import Answers
from moa_tui.gateway.cache_marks import CacheMarks
from moa_tui.gateway.catalog import Catalog
from moa_tui.gateway.destinations import (
    PLAIN_PROTOCOLS,
    address_of,
    content_of,
    destination,
    headers_for,
    misleading_word,
    of_imported,
    short_line,
    shown_address,
)
from moa_tui.gateway.known_models import KnownModels
from moa_tui.gateway.masking import without_keys
from moa_tui.gateway.routes import Routes
from moa_tui.gateway.schema_format import with_possible_format
from moa_tui.gateway.thinking import as_asked
from moa_tui.gateway.thread import load_litellm, load_litellm_stream
from moa_tui.settings.fault_log import record_bug
from moa_tui.text.safe import quoted_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.plan import ModelFacts
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message, Moved
    from moa_tui.gateway.accepted import Form
    from moa_tui.gateway.destinations import Destination
    from moa_tui.gateway.discovery import LocalServer
    from moa_tui.settings.config import Endpoint

# Sent where there is no key: some clients insist on one, and a server that needs none ignores it.
_NO_KEY = "none"
_LONGEST_ERROR = 2_000
# The finish reasons of an answer that is not whole; None stands for a stream that was cut off.
_CUT_REASONS = (None, "length", "content_filter")

_KEY_NAME = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)(?:_ID)?$")
_SHORTEST_KEY = 6  # characters; a shorter value may be a word that stands in many texts
_SHORTEST_KEY_IN_RECIPE = 12  # characters; a recipe with the value in a text is refused altogether
# What litellm calls providers whose models go to the same address with the same key.
_SAME_PROVIDER = {
    "anthropic_text": "anthropic",
    "cohere_chat": "cohere",
    "ollama_chat": "ollama",
    "text-completion-openai": "openai",
}


class Gateway:
    """Reaches models. Keys are read from `environ` at each call and not kept.

    `stream` and `prepare` run on the engine's loop; the other methods may be called on any thread.
    """

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        environ: Mapping[str, str],
        catalog: Catalog | None = None,
        answers: Answers | None = None,
    ) -> None:
        """`answers` has what the person answered about servers that are not set up; none by default."""
        self._endpoints = endpoints
        self._environ = environ
        self._accepted = Accepted()
        self.catalog = catalog or Catalog()
        self.answers = answers or Answers()
        self._confirmed: set[str] = set()
        """The marks of destinations, imported or not, that a run was let go to by an answer."""
        self._told_of_effort: set[str] = set()
        """The models of which it was said that no effort reaches them."""
        self._cache_marks = CacheMarks(self.catalog)
        self._routes = Routes(endpoints, environ, self.catalog)
        self._models = KnownModels(endpoints, environ, self.catalog, self._routes, self._accepted)

    def learn(self, servers: Sequence[LocalServer]) -> None:
        """Take what local servers say of their models for what `facts` knows of them."""
        self._models.learn(servers)

    def facts(self, agent: Agent) -> ModelFacts:
        """What is known of the agent's model; its prices are unknown at any server but its provider's."""
        return self._models.facts(agent)

    def missing_keys(self, agents: Sequence[Agent]) -> dict[str, list[str]]:
        """By variable that should hold a key and does not, the models that need the key."""
        return self._routes.missing_keys(agents)

    # Where prompts and keys may go

    def destinations(self, recipe: Recipe) -> tuple[Destination, ...]:
        """Where a run of the recipe sends its prompts, each place once; simulated models send nothing."""
        agents = [agent for agent in recipe.every_agent() if not agent.model.startswith("demo/")]
        content = content_of(recipe) if recipe.imported else ""
        places: dict[tuple[str, str], Destination] = {}
        for agent in agents:
            where = destination(agent, self.catalog.provider(agent.model), self._endpoints, self._environ)
            place = of_imported(where, content) if content else where
            places.setdefault((place.model, place.mark), place)
        return tuple(places.values())

    def allow_once(self, recipe: Recipe) -> None:
        """Confirm the recipe's servers until the program ends, but for what was answered "never"."""
        marks = {place.mark: place.words for place in self._not_set_up(recipe)}
        self.answers.give(
            {mark: words for mark, words in marks.items() if self.answers.get(mark) is None}, "once"
        )

    def _not_set_up(self, recipe: Recipe) -> list[Destination]:
        return [place for place in self.destinations(recipe) if not place.is_set_up]

    def _refuse_untrusted(self, recipe: Recipe) -> None:
        """Raise UntrustedServerError where a prompt would go to what is neither set up nor confirmed."""
        places = self._not_set_up(recipe)
        self._refuse_places(recipe, places)
        self._confirmed.update(place.of_own_recipe().mark for place in places)

    def _refuse_places(self, recipe: Recipe, places: Sequence[Destination]) -> None:
        name = f"recipe {quoted_name(recipe.label)}"
        answers = {place.mark: self.answers.get(place.mark) for place in places}
        refused = [place for place in places if answers[place.mark] == "never"]
        unknown = [place for place in places if answers[place.mark] is None]
        unknown.sort(key=lambda place: place.key is None)  # Those with a key are read first.
        if refused:
            lines = "\n".join(f"  {place.words}" for place in refused)
            raise UntrustedServerError(
                f"{name} was not run: you answered that its prompts never go to\n{lines}\n"
                f"To be asked again, take the entry out of {self.answers.path or 'your answers'}.",
                {},
            )
        if unknown:
            lines = "\n".join(f"  {place.words}" for place in unknown)
            came = "came with an imported conversation and " if recipe.imported else ""
            raise UntrustedServerError(
                f"{name} was not run: it {came}would send your prompts, with all that "
                f"was said before, where you have not set up that they go:\n{lines}\n"
                "A server of your own is set up in the config, as [endpoints.NAME].",
                {place.mark: place.words for place in unknown},
                recipe=recipe.label,
                places=[(place.server, place.key) for place in unknown],
            )

    def _refuse_contents(self, recipe: Recipe) -> None:
        """Raise UsageError where a recipe holds a key, or a parameter that could send one elsewhere.

        Its file was checked when it was read. This is for what an earlier version kept, and for the keys of
        this environment, which only the gateway knows.
        """
        for agent in recipe.every_agent():
            if (problem := problem_of(agent.extra)) is not None:
                raise UsageError(f"recipe {recipe.label}: extra of {agent.model}: {problem}")
        keys = [
            (name, value.strip())
            for name, value in self._environ.items()
            if _KEY_NAME.search(name) and len(value.strip()) >= _SHORTEST_KEY_IN_RECIPE
        ]
        for text in texts_of(recipe.model_dump(exclude_unset=True)):
            if (held := next((name for name, value in keys if value in text), None)) is not None:
                raise UsageError(
                    f"recipe {recipe.label} holds the key that is in {held}; take it out, and name the "
                    "variable in api_key_env where a key is needed"
                )

    def check_keys(self, recipe: Recipe) -> None:
        """Raise MissingKeyError, naming model and variable, unless every agent's key is set.

        Raises UntrustedServerError where the recipe would send a prompt to a server that the person has
        neither set up nor confirmed, and UsageError for an agent that names two servers at once, or a recipe
        that holds a key.
        """
        self._check_contents(recipe)
        _raise_if_missing(recipe, self.missing_keys(recipe.every_agent()))
        self._refuse_untrusted(recipe)

    def check_places(self, recipe: Recipe) -> dict[str, str]:
        """As `check_keys`, for a recipe that others run, with keys of their own.

        Returns in words, by their marks, the servers that are not set up and were confirmed.
        """
        self._check_contents(recipe)
        self._refuse_untrusted(recipe)
        return {place.mark: place.words for place in self._not_set_up(recipe)}

    def _check_contents(self, recipe: Recipe) -> None:
        self._refuse_contents(recipe)
        for agent in recipe.every_agent():
            if agent.api_base is not None and agent.model.partition("/")[0] in self._endpoints:
                raise UsageError(
                    f"recipe {recipe.name}: {agent.model} names an endpoint of the config and has api_base "
                    "as well; keep one of the two"
                )
            if agent.model.partition("/")[0] in self._endpoints:
                continue
            if word := misleading_word(agent.model, self.catalog.provider(agent.model)):
                raise UsageError(
                    f'recipe {recipe.name}: {short_line(agent.model)} cannot be asked: a model with "{word}" '
                    "in its name would be taken for another provider's; give it another name, or reach its "
                    "server as one of [endpoints] in the config"
                )

    async def prepare(self, recipe: Recipe) -> None:
        """Make ready for a run: check the keys, and import litellm off the loop if any model needs it.

        Raises MissingKeyError, UntrustedServerError and UsageError as `check_keys` does.
        """
        self.check_keys(recipe)
        self._cache_marks.expect(recipe)
        agents = [agent for agent in recipe.every_agent() if not agent.model.startswith("demo/")]
        if not agents:
            return
        await load_litellm()
        adapter = load_litellm_stream()
        self._refuse_places(recipe, self._misjudged(agents, adapter.provider_of))
        missing: dict[str, list[str]] = {}
        for agent in agents:
            route = self._routes.route(agent)
            if (
                not route.key_variables
                and route.api_base is None
                and (name := adapter.missing_key(agent.model))
            ):
                missing.setdefault(name, []).append(agent.model)
        _raise_if_missing(recipe, missing)

    def _misjudged(
        self, agents: Sequence[Agent], provider_of: Callable[[str, str | None], str | None]
    ) -> list[Destination]:
        """The destinations of models that litellm takes for another provider's than they were judged by."""
        places = []
        for agent in agents:
            route = self._routes.route(agent)
            judged = "openai" if route.is_endpoint else self.catalog.provider(agent.model)
            if judged not in PLAIN_PROTOCOLS:
                continue  # Confirmed by its name, whatever litellm makes of it.
            taken_for = provider_of(route.model, route.api_base)
            if taken_for is None or _same_provider(taken_for) == _same_provider(judged):
                continue
            where = destination(agent, None, self._endpoints, self._environ)
            if not (taken_for == "litellm_proxy" and address_of(judged or "", self._environ)):
                places.append(where)
        return places

    async def stream(
        self, agent: Agent, messages: Sequence[Message]
    ) -> AsyncGenerator[Chunk | Moved | Finish, None]:
        """Yield the agent's reply, text and reasoning apart, then a Finish; all of it is clean.

        Raises ModelError, whose message is clean as well.
        """
        cleaners = {"text": sanitize.Sanitizer(), "reasoning": sanitize.Sanitizer()}
        splitter = think.ThinkSplitter()
        finish = Finish()
        try:
            endpoint = self._endpoints.get(agent.model.partition("/")[0])
            server, _ = self._routes.place(agent)
            ask = partial(self._raw_stream, agent, messages)
            async with aclosing(self._accepted.stream(ask, agent, messages, server, endpoint)) as raw:
                async for piece in raw:
                    if isinstance(piece, Finish):
                        notes = tuple(
                            self._without_keys(sanitize.sanitize(note), agent) for note in piece.notes
                        )
                        notes += self._effort_notes(agent)
                        finish = replace(
                            piece, reason=piece.reason and sanitize.sanitize(piece.reason)[:40], notes=notes
                        )
                        continue
                    clean = cleaners[piece.kind].feed(piece.text)
                    if not clean:
                        continue
                    feed = splitter.feed if piece.kind == "text" else splitter.feed_reasoning
                    for chunk in feed(clean):
                        yield chunk
        except ModelError as error:
            for chunk in _flushed(cleaners, splitter):
                yield chunk
            # What the server said of the reply's end holds for one that failed as well.
            yield finish
            message = self._without_keys(sanitize.sanitize(error.message), agent)[:_LONGEST_ERROR]
            if error.context_tokens is not None:
                self._accepted.learn_context(*self._routes.place(agent), error.context_tokens)
            raise ModelError(
                error.kind,
                self._with_hint(message, error.status_code, agent),
                error.status_code,
                error.retry_after,
                context_tokens=error.context_tokens,
            ) from None
        except Exception as error:
            # Whatever a reply makes our own code or litellm's raise is the end of that reply, not of the run.
            record_bug(error)
            raise ModelError(
                "malformed",
                f"{agent.model}: the reply could not be read ({type(error).__name__}); try again, or ask "
                "another model",
            ) from None
        for chunk in _flushed(cleaners, splitter, clean=finish.reason not in _CUT_REASONS):
            yield chunk
        yield replace(finish, notes=(*finish.notes, *splitter.notes))

    def _with_hint(self, message: str, status: int | None, agent: Agent) -> str:
        """The message of a server's refusal, and what to write where the address is wrong."""
        route = self._routes.route(agent)
        if route.api_base is None:
            return message
        is_ollama = (self.catalog.provider(agent.model) or "").startswith("ollama") and not route.is_endpoint
        hint = address_hint(shown_address(route.api_base), status, message, is_ollama=is_ollama)
        if hint is None:
            return message
        prefix = agent.model.partition("/")[0]
        where = f"base_url of [endpoints.{prefix}]" if route.is_endpoint else "api_base"
        return f"{message}; {hint} as {where}"

    def _effort_notes(self, agent: Agent) -> tuple[str, ...]:
        """A note, once for each model, where litellm leaves out the effort that was asked for."""
        is_wanted = agent.reasoning_effort not in (None, "none") and not agent.model.startswith("demo/")
        if not is_wanted or agent.model in self._told_of_effort:
            return ()
        route = self._routes.route(agent)
        if load_litellm_stream().takes_effort(route.model, route.api_base):
            return ()
        self._told_of_effort.add(agent.model)
        return ("takes no reasoning_effort, as far as litellm knows, and was asked without",)

    def _raw_stream(
        self, agent: Agent, messages: Sequence[Message], form: Form
    ) -> AsyncGenerator[Chunk | Finish, None]:
        """The agent's reply, to a request in `form`, as its server or the simulated model sends it."""
        if agent.model.startswith("demo/"):
            return demo.stream(agent, messages)
        provider = self.catalog.provider(agent.model)
        where = destination(agent, provider, self._endpoints, self._environ)
        # Every run was checked before it began. This is the last door, for a call that came by another way.
        if problem_of(agent.extra) is not None or not (where.is_set_up or where.mark in self._confirmed):
            raise ModelError("forbidden", f"not asked: {where.words} is not set up")
        route = self._routes.route(agent)
        facts = self.facts(agent)
        agent = as_asked(agent, self.catalog.thinking(agent.model), facts.thinking_tokens)
        # Where it is given no key, litellm reads one from the environment, which may be another than the one
        # that was named. So it finds one itself only where it alone knows which is needed.
        key = self._environ.get(where.key or "", "").strip() or _NO_KEY
        given_key = None if where.addresses is None and agent.api_key_env is None else key
        put = form.messages(messages)
        caching_provider = provider if form.takes_cache_marks and not route.is_endpoint else None
        generator: AsyncGenerator[Chunk | Finish, None] = load_litellm_stream().stream(
            route.model,
            self._cache_marks.marked(agent, put, provider=caching_provider),
            with_possible_format(form.parameters(parameters_of(agent)), route, provider),
            api_base=route.api_base,
            api_key=given_key,
            addresses=where.addresses,
            headers=headers_for(agent, provider, self._endpoints, self._environ),
            # What is free here may have the name of a model that its provider charges for.
            priced=bool(facts.prompt_price),
        )
        return generator

    def _without_keys(self, text: str, agent: Agent) -> str:
        """`text` with each key of the environment replaced by its variable's name: servers repeat keys."""
        routed = set(self._routes.route(agent).key_variables)
        keys = {
            value.strip(): name
            for name, value in self._environ.items()
            if (name in routed or _KEY_NAME.search(name)) and len(value.strip()) >= _SHORTEST_KEY
        }
        return without_keys(text, keys)


def _same_provider(name: str | None) -> str | None:
    return _SAME_PROVIDER.get(name or "", name)


def _flushed(
    cleaners: Mapping[str, sanitize.Sanitizer], splitter: think.ThinkSplitter, *, clean: bool = False
) -> list[Chunk | Moved]:
    """The chunks that were held back for a next piece when the stream ended, `clean` or not."""
    reasoning = cleaners["reasoning"].flush()
    chunks = splitter.feed_reasoning(reasoning) if reasoning else []
    return [*chunks, *splitter.feed(cleaners["text"].flush()), *splitter.flush(clean=clean)]


def _raise_if_missing(recipe: Recipe, missing: Mapping[str, Sequence[str]]) -> None:
    """Raise MissingKeyError if `missing` has any variable; its values are the models that need each."""
    if missing:
        lines = [f"  {variable}, for {', '.join(models)}" for variable, models in missing.items()]
        raise MissingKeyError(
            f"recipe {recipe.name} cannot run: these environment variables are not set:\n"
            + "\n".join(lines)
            + "\nSet them, or choose another recipe with -r (`moa-tui doctor` says which can run here)."
        )
