"""Models: how they are reached, what is known of them, and the border that their text crosses.

Way in: `gateway.Gateway.stream` takes an agent and messages and yields clean chunks; `catalog` knows
context sizes and prices, `discovery` finds keys and local servers, `thread` is the loop on which models are
called. `litellm_stream` is the only module of the program that imports litellm, and `sanitize` cleans
whatever enters. This package knows no recipe file, no conversation and no screen.
"""
