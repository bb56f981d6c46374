"""The embedded simulated models: templates that are written out at a model's pace, so that no key is needed.

They show how a Mixture of Agents works and know nothing: the text is about how an answer would be built, and
says so. The same messages, seed and model give the same text at the same pace.

Way in: `stream` writes as one of `MODELS`. Only `pacing` waits; `reading` takes the messages apart, `fields`
says what they are about, `writing` puts that into `templates`, and `words` is what these need of texts.
"""

from moa_tui.gateway.demo.pacing import stream
from moa_tui.gateway.demo.templates import MODELS

__all__ = ["MODELS", "stream"]
