"""Runs a command on a machine where everything that could lead the tests astray is there.

    python -m tests.hostile_machine .venv/bin/pytest -q

A model server answers on the default port of each local server that is looked for, and one stands in for
every proxy. Every variable in which a key, a token or a server's address is known to be looked for holds a
canary. The config names a recipe that does not exist; locale, time zone, terminal and editor are unusual.

It exits as the command does; and with 1 where a server was asked, the canary is in the command's output, or
something was written into the home, data or state directory.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from moa_tui.gateway.catalog import KEY_VARIABLES
from moa_tui.gateway.discovery import default_servers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CANARY = "sk-canary-of-a-hostile-machine"
_SECRET_NAME = re.compile(rb"""["']([A-Z][A-Z0-9_]*_(?:API_KEY|TOKEN|API_BASE|BASE_URL|ACCESS_KEY))["']""")
_MODELS = {
    "models": [{"name": "hostile:7b", "details": {"parameter_size": "7B"}}],
    "data": [{"id": "hostile-7b"}],
}


class WatchedServer:
    """A model server on a loopback port that notes each request; a context manager that ends it.

    Raises OSError where the port is in use.
    """

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.requests: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def parse_request(self) -> bool:
                server.requests.append(self.raw_requestline.decode("latin-1").strip())
                return super().parse_request()

            def do_GET(self) -> None:
                body = json.dumps(_MODELS).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_port

    def __enter__(self) -> WatchedServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@functools.cache
def secret_names() -> set[str]:
    """Names of variables in which this program or litellm looks for keys, tokens and servers' addresses."""
    names = {name for variables in KEY_VARIABLES.values() for name in variables}
    spec = importlib.util.find_spec("litellm")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for file in Path(folder).rglob("*.py"):
            names.update(name.decode() for name in _SECRET_NAME.findall(file.read_bytes()))
    return names


def hostile_environ(machine: Mapping[str, str], home: Path, proxy: str) -> dict[str, str]:
    """The environment of a hostile machine, with the directories of `home` and a proxy's URL."""
    config = home / ".config"
    environ = dict(machine) | dict.fromkeys(secret_names(), CANARY)
    for name in ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "socks_proxy", "ws_proxy"):
        environ |= {name: proxy, name.upper(): proxy}
    for name in ("no_proxy", "NO_PROXY", "OLLAMA_HOST", "MOA_TUI_LOCAL_SERVERS"):
        environ.pop(name, None)
    return environ | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(config),
        "XDG_DATA_HOME": str(home / "share"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "MOA_TUI_CONFIG": str(config / "moa-tui" / "config.toml"),
        "MOA_TUI_DATA_DIR": str(home / "data"),
        "MOA_TUI_STATE_DIR": str(home / "logs"),
        "OPENAI_BASE_URL": f"{proxy}/v1",
        "LANG": "tr_TR.UTF-8",
        "LC_ALL": "tr_TR.UTF-8",
        "LANGUAGE": "tr",
        "TZ": "Pacific/Kiritimati",
        "TERM": "dumb",
        "COLORTERM": "",
        "COLUMNS": "37",
        "LINES": "11",
        "NO_COLOR": "1",
        "EDITOR": "false",
        "VISUAL": "false",
        "PAGER": "false",
        "TMUX": "/nowhere,1,0",
        "SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22",
    }


def furnish(home: Path) -> None:
    """Put a user's config, recipe, theme and data into `home`, all of them wrong."""
    config = home / ".config" / "moa-tui"
    for folder in (config / "recipes", config / "themes", home / "data", home / "logs"):
        folder.mkdir(parents=True)
    (config / "config.toml").write_text(
        'default_recipe = "no-such-recipe"\nprivate = true\n', encoding="utf-8"
    )
    (config / "recipes" / "demo.toml").write_text("name = ", encoding="utf-8")
    (config / "themes" / "moa-dark.toml").write_text("name = ", encoding="utf-8")
    (home / "data" / "moa-tui.db").write_text("this is no database\n" * 100, encoding="utf-8")


def run(command: Sequence[str], ports: Mapping[str, int]) -> tuple[int, list[str]]:
    """Run `command` with a watched server on each of `ports`.

    Returns its exit code, and what is wrong with what it did, a line each. A port that is in use on this
    machine is not watched, which is told on stderr.
    """
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moa-tui-hostile-")))
        furnish(home)
        servers = []
        for name, port in ports.items():
            try:
                servers.append(stack.enter_context(WatchedServer(name, port)))
            except OSError as error:
                print(f"port {port} of {name} is not watched: {error}", file=sys.stderr)
        # The last to get a port, so that it gets none of theirs.
        servers.append(proxy := stack.enter_context(WatchedServer("the proxy", 0)))
        before = _state_of(home)
        environ = hostile_environ(os.environ, home, f"http://127.0.0.1:{proxy.port}")
        code, is_canary_shown = _run_watched(command, environ)
        faults = [
            f"{server.name} on port {server.port} was asked {len(server.requests)} times: "
            f"{server.requests[0]}"
            for server in servers
            if server.requests
        ]
        if is_canary_shown:
            faults.append("a key of the machine is in the output")
        after = _state_of(home)
        faults += [
            f"made, changed or removed in the machine's home: {path}"
            for path in sorted(before.keys() | after.keys())
            if before.get(path) != after.get(path)
        ]
        return code, faults


def _run_watched(command: Sequence[str], environ: Mapping[str, str]) -> tuple[int, bool]:
    """Run a command and pass its output on; its exit code, and whether the canary was in the output."""
    is_canary_shown = False
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            is_canary_shown = is_canary_shown or CANARY.encode() in line
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    return process.returncode, is_canary_shown


def _state_of(folder: Path) -> dict[str, bytes]:
    """The path of everything below `folder` -> what is in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


_FAULTS = 70
"""No exit code of pytest's, so that nobody takes it for a test that failed."""


def main() -> int:
    """Run the command of the arguments on the default ports; its exit code, _FAULTS where it did wrong."""
    ports = {server.name: urlsplit(server.url).port or 80 for server in default_servers({})}
    code, faults = run(sys.argv[1:], ports)
    for fault in faults:
        print(f"hostile machine: {fault}", file=sys.stderr)
    return _FAULTS if faults else code


if __name__ == "__main__":
    sys.exit(main())
