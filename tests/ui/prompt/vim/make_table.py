"""Makes `vim_table.json`: what Vim itself does with the keys of the cases below, at some places of each text.

Run it where `vim` 9 is installed: `python -m tests.ui.prompt.vim.make_table`. The table is committed, so that
the tests need no Vim.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("vim_table.json")

WORDS = "foo.bar  baz_1\n\n  two, three\nlast"
BRACKETS = 'f(a, [b {c} d], "e \\" g") \'h\'\nif (\n  x\n) end'
PARAGRAPHS = "one\ntwo\n\n\n  three\n   \nfour\n"
WIDE = "日本語 e\u0301té カナ、🙂x\na\u0301b ok"
ALL = (WORDS, BRACKETS, PARAGRAPHS, WIDE, "", " ", "x")

MOTIONS = (
    *("h", "l", "j", "k", "w", "W", "b", "B", "e", "E", "ge", "gE", "0", "^", "$", "_", "+", "-", "gg", "G"),
    *(
        "{",
        "}",
        "%",
        "2l",
        "2h",
        "2w",
        "3w",
        "2e",
        "2b",
        "2ge",
        "2j",
        "2k",
        "2$",
        "2G",
        "3gg",
        "2}",
        "3{",
        "9w",
    ),
    *(
        "fo",
        "Fo",
        "ta",
        "Ta",
        "2fa",
        "2Ta",
        "fa;",
        "ta;",
        "fa,",
        "Ta;",
        "to,",
        "2ta;",
        "$j",
        "$k",
        "ljk",
        "9j",
    ),
    *("/o\n", "?o\n", "/t\nn", "/a\nN", "?t\nn", "/ee\n", "2/o\n"),
)
OPERATORS = ("d", "y", "c", ">", "gU")
ON_MOTIONS = (
    *(
        "w",
        "W",
        "e",
        "E",
        "b",
        "ge",
        "0",
        "^",
        "$",
        "j",
        "k",
        "gg",
        "G",
        "}",
        "{",
        "%",
        "l",
        "h",
        "2w",
        "3w",
        "2e",
    ),
    *("fa", "ta", "Fa", "Ta", "_", "2j", "/o\n", "B", "gE", "2$", "2}"),
)
OBJECTS = tuple(
    f"{side}{what}" for side in "ia" for what in ("w", "W", "(", "[", "{", '"', "'", "p", "b", "B", "]", "`")
)
SIMPLE = (
    *(
        "x",
        "X",
        "3x",
        "2X",
        "D",
        "C!\x1b",
        "s!\x1b",
        "S!\x1b",
        "2s!\x1b",
        "J",
        "3J",
        "~",
        "4~",
        "rz",
        "2rz",
        "9rz",
    ),
    *(
        "dd",
        "2dd",
        "yyp",
        "yyP",
        "2yyp",
        "ddp",
        "ywP",
        "yw2p",
        "xp",
        "ylp",
        "yjp",
        "yjP",
        "ywjp",
        "ccnew\x1b",
    ),
    *("i!\x1b", "a!\x1b", "I!\x1b", "A!\x1b", "o!\x1b", "O!\x1b", "3i!\x1b", "2o!\x1b", "2a!?\x1b", "i\x1b"),
    *(
        "x.",
        "dw.",
        "cwq\x1bw.",
        "A!\x1bj.",
        "2x.",
        "x3.",
        "dd.",
        "o!\x1b.",
        "~.",
        "J.",
        "3i!\x1b.",
        ">>.",
        "rz.",
    ),
    *(
        ">>",
        "<<",
        "2>>",
        "2<<",
        "g~~",
        "gUU",
        "guu",
        "g~w",
        "d2w",
        "2dw",
        "2d2w",
        "yiwP",
        "dw\x1bp",
        '"ayw"aP',
    ),
    *('"ayyjdd"ap', '"ayw"Ayw"aP', "df;", "y3", "Ydd", "yyjp", "dwP", "d2aw", "2yi(", "vx"),
)
VISUAL = (
    *("viwd", "vawd", "vapd", "vi(d", "Viwd", "vipd", "va[d", 'vi"d'),
    *(
        start + keys
        for start in ("v", "vl", "ve", "vj", "V", "Vj", "v$", "vw", "vb", "vk")
        for keys in ("d", "cq\x1b", "y", "~", "U", "J", ">", "rz", "x.", "yp", "D", "ody")
    ),
)


def cases() -> dict[str, list[str]]:
    """By text, the keys that are tried in it."""
    operations = [
        operator + target + ("!\x1b" if operator == "c" else "")
        for operator in OPERATORS
        for target in (*ON_MOTIONS, *OBJECTS)
    ]
    return {text: [*MOTIONS, *operations, *SIMPLE, *VISUAL] for text in ALL}


# Where this program is simpler than Vim, or does not follow an oddity of its.
_LEFT_OUT = {
    # An operator on nothing: Vim takes one letter for gU, and a line of one blank for d.
    *("gU0", "gUh", "gU^", "gU{", "gUb", "d{", "c{!\x1b"),
    # Fewer lines than asked for: Vim does nothing but moves the cursor.
    *("3J", "J.", "~."),
    # A selection that is repeated where there is less text than it had.
    *(
        "v$x.",
        "vjx.",
        "vwx.",
        "vex.",
        "vbx.",
        "vkx.",
        "vkrz",
        "vjD",
        "vwD",
        "vlx.",
        "vx.",
        "veD",
        "vbD",
        "vkD",
    ),
}


def is_covered(text: str, place: int, keys: str) -> bool:
    """False where what Vim does is not what this program means to do."""
    line = text[text.rfind("\n", 0, place) + 1 :].split("\n")[0]
    # Words as text objects do not go beyond their line.
    is_word_object = any(each in keys for each in ("iw", "aw", "iW", "aW"))
    if (is_word_object and not line.strip()) or "2aw" in keys:
        return False
    # The mark of a letter is no letter of its own, so `a` is found in a letter with a mark.
    if text == WIDE and ("Ta" in keys or keys == "/a\nN"):
        return False
    # In an empty prompt, a search is one in the conversation.
    if not text and keys.startswith("/"):
        return False
    # A word from a line of blanks alone.
    return keys not in _LEFT_OUT and (bool(line.strip()) or not line or "w" not in keys.lower())


_SCRIPT = r"""
set nocompatible encoding=utf-8 shiftwidth=4 expandtab ignorecase smartcase noautoindent
let results = []
for case in json_decode(join(readfile($CASES), ''))
  enew!
  call setline(1, split(case[0], "\n", 1))
  call setreg('a', '') | call setreg('"', 'reg')
  call setcharsearch({'char': ''})
  call cursor(case[1], case[2])
  silent! exe 'normal! ' . case[3]
  let at = getpos('.')
  call add(results, [join(getline(1, '$'), "\n"), at[1], at[2]])
endfor
call writefile([json_encode(results)], $RESULTS)
qa!
"""


def ask_vim(all_cases: list[tuple[str, int, str]]) -> list[tuple[str, int]]:
    """What Vim makes of each text, cursor and keys: the text, and the cursor in it."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / name for name in ("cases", "results", "script")}
        asked = []
        for text, cursor, keys in all_cases:
            before = text[:cursor]
            column = len(before[before.rfind("\n") + 1 :].encode()) + 1
            asked.append([text, before.count("\n") + 1, column, keys.replace("\n", "\r")])
        paths["cases"].write_text(json.dumps(asked, ensure_ascii=False), encoding="utf-8")
        paths["script"].write_text(_SCRIPT)
        environment = {"CASES": str(paths["cases"]), "RESULTS": str(paths["results"]), "LC_ALL": "C.UTF-8"}
        subprocess.run(
            ["vim", "-u", "NONE", "-i", "NONE", "-n", "-es", "-S", str(paths["script"])],
            env=environment | {"PATH": "/usr/bin:/bin"},
            check=True,
            timeout=600,
        )
        answers: list[list[Any]] = json.loads(paths["results"].read_text(encoding="utf-8"))
    results = []
    for text, line, column in answers:
        lines = text.split("\n")
        letters = len(lines[line - 1].encode()[: column - 1].decode())
        results.append((text, sum(len(each) + 1 for each in lines[: line - 1]) + letters))
    return results


def places_of(text: str) -> list[int]:
    """Every place on which the cursor of normal mode can stand."""
    from moa_tui.ui.prompt.vim import places

    return sorted({places.clamp(text, place) for place in range(len(text) + 1)})


def every_tenth(all_places: list[int], number: int) -> list[int]:
    """Every tenth place, others for each number, so that the table stays small; all of a short text."""
    return all_places if len(all_places) < 4 else all_places[number % 10 :: 10]


def main() -> None:
    asked = [
        (text, place, keys)
        for text, all_keys in cases().items()
        for number, keys in enumerate(all_keys)
        for place in every_tenth(places_of(text), number)
        if is_covered(text, place, keys)
    ]
    table: dict[str, dict[str, list[list[Any]]]] = {}
    for (text, place, keys), (after, cursor) in zip(asked, ask_vim(asked), strict=True):
        row = table.setdefault(text, {}).setdefault(keys, [])
        row.append([place, cursor] if after == text else [place, cursor, after])
    TABLE.write_text(json.dumps(table, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
