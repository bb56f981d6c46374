"""Models: how they are reached, what is known of them, and how the text that they send is cleaned.

Way in: `gateway.Gateway.stream` takes an agent and messages and yields clean chunks; `catalog` knows
context sizes and prices, `discovery` finds keys and local servers, `server_replies` reads what those say of
their models, and `thread` has the event loop on which models are called. `litellm_stream` is the only module
of the program that imports litellm, and `demo` has the simulated models. `sanitize` cleans all text that
comes in, and `think` splits reasoning from answer. This package knows no recipe file, no conversation and no
screen.
"""
