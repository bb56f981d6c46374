"""Runs in a process of its own: the graders read outputs, and print as JSON what they make of them.

    python loaders.py PACKAGES alpaca-eval OUTPUTS BASELINE
    python loaders.py PACKAGES mt-bench QUESTIONS FOLDER MODEL
    python loaders.py PACKAGES arena-hard OUTPUTS

Arena-Hard's grader is in no registry. What its `show_result.py` does with outputs, it does with pandas.
"""

import importlib.abc
import importlib.machinery
import json
import sys
import tempfile
import types
from pathlib import Path

# Imported by the graders, and used for asking models or for training only.
_STAND_INS = (
    "anthropic",
    "datasets",
    "fastchat.model",
    "fire",
    "huggingface_hub",
    "openai",
    "scipy",
    "sklearn",
)
_CONFIG = """
fixed:
  prompt_template: {template}
  fn_completions: test_completions
  completions_kwargs: {{value: Output (b)}}
  fn_completion_parser: regex_parser
  completion_parser_kwargs: {{outputs_to_match: {{1: 'Output \\(a\\)', 2: 'Output \\(b\\)'}}}}
  is_randomize_output_order: false
  batch_size: 1
"""


class _StandIn(types.ModuleType):
    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if any(name == module or name.startswith(f"{module}.") for module in _STAND_INS):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return _StandIn(spec.name)

    def exec_module(self, module):
        pass


def alpaca_eval(outputs: str, baseline: str) -> dict[str, object]:
    """The leaderboard and annotations of outputs against a baseline, by a judge that prefers the outputs."""
    import alpaca_eval

    with tempfile.TemporaryDirectory() as folder:
        template, config = Path(folder, "template.txt"), Path(folder, "configs.yaml")
        template.write_text("{instruction} {output_1} {output_2}")
        config.write_text(_CONFIG.format(template=template))
        leaderboard, annotations = alpaca_eval.evaluate(
            outputs,
            baseline,
            annotators_config=str(config),
            fn_metric="get_winrate",
            sort_by="win_rate",
            precomputed_leaderboard=None,
            output_path=None,
            is_return_instead_of_print=True,
            is_cache_leaderboard=False,
            caching_path=None,
        )
    return {"leaderboard": leaderboard.to_dict("index"), "annotations": annotations}


def mt_bench(questions: str, folder: str, model: str) -> dict[str, object]:
    """The matches of a model on all questions, after the grader's own check of questions and answers."""
    from fastchat.llm_judge import common, gen_judgment

    asked = common.load_questions(questions, None, None)
    answers = common.load_model_answers(folder)
    models = common.get_model_list(folder)
    judge = common.Judge("judge", {"name": "pair"}, multi_turn=True)
    common.check_data(asked, answers, {}, models, {"judge": judge})
    matches = gen_judgment.make_match_single(asked, [model], answers, judge, multi_turn=True)
    return {
        "models": models,
        "temperatures": common.temperature_config,
        "turns": [match.answer["choices"][0]["turns"] for match in matches],
        "ids": [match.answer["question_id"] for match in matches],
    }


def arena_hard(outputs: str) -> dict[str, object]:
    """The model's name, and for each prompt the numbers of its style, as `show_result.py` takes them."""
    import pandas

    table = pandas.read_json(outputs, lines=True)
    metadata = table.set_index("uid")["metadata"].to_dict()
    return {
        "model": table.iloc[0]["model"],
        "answers": [messages[-1]["content"]["answer"] for messages in table["messages"]],
        "style": {
            uid: [value if isinstance(value, int) else sum(value.values()) for value in fields.values()]
            for uid, fields in metadata.items()
        },
    }


if __name__ == "__main__":
    packages, command, *arguments = sys.argv[1:]
    sys.path.insert(0, packages)
    sys.meta_path.insert(0, _Finder())
    graders = {"alpaca-eval": alpaca_eval, "mt-bench": mt_bench, "arena-hard": arena_hard}
    document = graders[command](*arguments)
    print(json.dumps(document, default=str))
