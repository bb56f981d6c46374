"""The embedded simulated models: they answer from the manual, at a model's pace, so that no key is needed.

They show how a Mixture of Agents works, know the manual and nothing else, and say so. The same messages,
seed and model give the same text at the same pace.

Way in: `stream` writes as one of `MODELS`. Only `pacing` waits. `reading` takes the messages apart, `manual`
finds the sections that answer, `choosing` picks from them in each model's manner, `merging` puts drafts
together, and `writing` calls these, or fills the `templates` of another task with what `fields` says of
drafts.
"""

from moa_tui.gateway.demo.pacing import stream
from moa_tui.gateway.demo.templates import MODELS

__all__ = ["MODELS", "stream"]
