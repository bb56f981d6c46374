"""llama.cpp's own server with a real model: `python llama_server.py MODEL_FILE PORT SLOTS SLOT_TOKENS`.

It computes on one thread, so that the other tests keep a core, and ends when its input is closed: with the
process that started it, however that ends. `tests.real.conftest` starts it, with the folder of the packages
on the path.
"""

from __future__ import annotations

import os
import sys

import xllamacpp


def main(model_file: str, port: int, slots: int, slot_tokens: int) -> None:
    """Serve the model on the loopback address until the input ends."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model_file
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_parallel = slots
    parameters.n_ctx = slots * slot_tokens
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.endpoint_slots = True
    server = xllamacpp.Server(parameters)
    sys.stdin.read()
    del server
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
