"""What models write and plain CommonMark would spoil, as it is shown."""

from __future__ import annotations

import re

import pytest

from moa_tui.text.markdown import Work
from moa_tui.text.shown_markdown import ShownMarkdown


def html(source: str) -> str:
    parser = ShownMarkdown(["table", "strikethrough"])
    return str(parser.renderer.render(parser.counted(source, Work(5)), parser.options, {})).strip()


FORMULAS = [
    r"\( x_1 = \{a,b\} \)",
    r"\(a\,b\)",
    r"\[ y_1*z*2 = \left\{ \frac{1}{2} \right\} \]",
    r"$$\{x\}_1 * y * z_1$$",
    r"$\{a\}_1$",
    r"$f(x) = \sqrt{x\$}$",
    r"\begin{cases} a_1 & *b* \\ c_1 \end{cases}",
    r"\(x\)",
    r"\(f\)(x)",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_keeps_every_character(formula: str) -> None:
    shown = formula.replace("&", "&amp;")
    assert html(formula) == f"<p>{shown}</p>"
    assert html(f"So *thus* {formula}, **bold**.") == (
        f"<p>So <em>thus</em> {shown}, <strong>bold</strong>.</p>"
    )


def test_a_formula_may_stand_between_words_without_spaces() -> None:
    assert html(r"函数$f=\{x*y*z\}$的值") == r"<p>函数$f=\{x*y*z\}$的值</p>"


@pytest.mark.parametrize(
    ("begin", "end"), [("\\[", "\\]"), ("$$", "$$"), ("\\begin{align*}", "\\end{align*}")], ids=str
)
def test_the_lines_of_a_formula_are_no_list_heading_or_quotation(begin: str, end: str) -> None:
    formula = f"{begin}\nx_1 = a\n- b \\\\\n+ c_1\n# d\n===\n1. e \\,\n{end}"
    assert html(f"Text:\n{formula}\nafter") == f"<p>Text:</p>\n<p>{formula}</p>\n<p>after</p>"
    quoted = formula.replace("\n", "\n> ")
    assert html(f"> {quoted}") == f"<blockquote>\n<p>{formula}</p>\n</blockquote>"
    indented = formula.replace("\n", "\n  ")
    assert html(f"- {indented}") == f"<ul>\n<li>{formula}</li>\n</ul>"


@pytest.mark.parametrize("mark", ["\\[", "$$"])
def test_a_formula_that_is_still_being_written_is_one(mark: str) -> None:
    formula = f"{mark}\nx_1 = \\{{a\n- *b*"
    assert html(f"Text:\n\n{formula}") == f"<p>Text:</p>\n<p>{formula}</p>"
    indented = formula.replace("\n", "\n  ")
    assert html(f"- t\n\n  {indented}").endswith(f"<p>{formula}</p>\n</li>\n</ul>")
    assert html(f"{formula}\n\nafter").count("<em>b</em>") == 1


def test_the_marks_of_a_formula_with_blank_lines_stay() -> None:
    assert html("\\[\n\nx\n\n\\]") == "<p>\\[</p>\n<p>x</p>\n<p>\\]</p>"
    assert html("\\[\nx_1\n\n- y\n\\]").endswith("<li>y\n\\]</li>\n</ul>")


@pytest.mark.parametrize("formula", ["$$ a_1 *b* \\\\ c_2 $$", "\\[ a_1 *b* \\, c_2 \\]"])
def test_a_formula_on_a_line_of_its_own_keeps_the_line(formula: str) -> None:
    assert html(f"So\n{formula}\nis *it*.") == f"<p>So</p>\n<p>{formula}</p>\n<p>is <em>it</em>.</p>"
    assert html(f"1. So\n   {formula}\n2. x").count(f"{formula}</li>") == 1
    assert html(f"So {formula} is\n{formula} *it*.").startswith(f"<p>So {formula} is\n{formula} <em>")


# The forms that models use side by side: ggml-org/llama.cpp#16508, prices in formulas: the same, #21795.
WRITTEN_BY_MODELS = [
    r"\(x = \frac{-b \pm \sqrt{b^2 - 4ac}}{2a}\)",
    r"$\mathbb{E}[X_i] = \mu_i$",
    r"$P(A \mid B) = \frac{P(B \mid A)\,P(A)}{P(B)}$",
    r"$\|x\|_2 = \sqrt{\sum_i x_i^2}$",
    r"$\{1, 2, 3\}$",
    r"$\$0.60$",
    r"$50\%$",
    r"$A^{*}B^{*}$",
    r"\begin{bmatrix} \frac{\partial f}{\partial x_1} \\ \vdots \\ a & b \end{bmatrix}",
]


@pytest.mark.parametrize("formula", WRITTEN_BY_MODELS)
def test_a_formula_of_a_model_stands_as_it_was_written_in_text_lists_and_tables(formula: str) -> None:
    shown = formula.replace("&", "&amp;")
    assert html(f"- **So** {formula}, *or* $5\n- {formula}") == (
        f"<ul>\n<li><strong>So</strong> {shown}, <em>or</em> $5</li>\n<li>{shown}</li>\n</ul>"
    )
    assert cells(f"| a | b |\n|---|---|\n| {formula} | $5 |") == [["a", "b"], [shown, "$5"]]


@pytest.mark.parametrize("begin", ["aligned", "pmatrix", "cases"])
def test_the_rows_of_an_environment_keep_their_ends(begin: str) -> None:
    formula = f"\\begin{{{begin}}}\na_1 &= b \\\\\n  &= c*d*e \\\\\n\\end{{{begin}}}"
    for opening, closing in (("$$", "$$"), ("\\[", "\\]")):
        source = f"{opening}\n{formula}\n{closing}"
        assert html(f"Text:\n{source}").endswith(f"<p>{source.replace('&', '&amp;')}</p>")


@pytest.mark.parametrize(
    "price",
    [
        "it costs $5 and $10 *now*",
        "$5-$10 *now*",
        "US$20, 5$ *now*",
        "$1,000 (*now*), then $3.",
        "$5 and $x *now*",
    ],
)
def test_a_price_is_no_formula(price: str) -> None:
    assert html(price) == f"<p>{price.replace('*now*', '<em>now</em>')}</p>"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (r"\[x\](https://example.org)", "[x](https://example.org)"),
        (r"\[ \] to do, \[x\] done", "[ ] to do, [x] done"),
        (r"as in \[1\] and \[2, 3\]", "as in [1] and [2, 3]"),
        (r"`\(code\)`", r"<code>\(code\)</code>"),
        ("$5 *or* $6", "$5 <em>or</em> $6"),
        ("**$5**–**$6**", "<strong>$5</strong>–<strong>$6</strong>"),
        ("**$HOME** and **$PATH**", "<strong>$HOME</strong> and <strong>$PATH</strong>"),
        ("$a `b$c` $", "$a <code>b$c</code> $"),
        (r"\$5 and \$6", "$5 and $6"),
        (r"\( never *closed*", "( never <em>closed</em>"),
        ("$$ never *closed*", "$$ never <em>closed</em>"),
        (r"\begin{x} *never* \end{y}", r"\begin{x} <em>never</em> \end{y}"),
    ],
)
def test_what_only_looks_like_a_formula_is_markdown(source: str, shown: str) -> None:
    assert html(source) == f"<p>{shown}</p>"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("**注意：**这里", "<strong>注意：</strong>这里"),
        ("这是**「注意」**的", "这是<strong>「注意」</strong>的"),
        ("中文**“引用”**中文", "中文<strong>“引用”</strong>中文"),
        ("*（一）*二", "<em>（一）</em>二"),
        ("~~删除。~~后", "<s>删除。</s>后"),
        ("これは**重要。**です", "これは<strong>重要。</strong>です"),
        ("한국어**(강조)**입니다", "한국어<strong>(강조)</strong>입니다"),
        ("**คำ:**ข้อความ", "<strong>คำ:</strong>ข้อความ"),
        ("**မှတ်ချက်။**စာ", "<strong>မှတ်ချက်။</strong>စာ"),
        ("**ចំណាំ៖**អត្ថបទ", "<strong>ចំណាំ៖</strong>អត្ថបទ"),
        ("***注意：***这里", "<em><strong>注意：</strong></em>这里"),
        ("**Note:**text", "**Note:**text"),
        ("2 ** 3 **", "2 ** 3 **"),
        ("中 ** 文 ** 中", "中 ** 文 ** 中"),
        ("变量_名字_在此", "变量_名字_在此"),
    ],
)
def test_emphasis_may_end_between_words_without_spaces(source: str, shown: str) -> None:
    assert html(source) == f"<p>{shown}</p>"


@pytest.mark.parametrize("tag", ["<br>", "<br/>", "<br />", "<BR>"])
def test_the_tag_of_a_line_break_breaks_the_line(tag: str) -> None:
    assert html(f"a{tag}b") == "<p>a<br />\nb</p>"


def test_other_tags_stay_as_they_are_written() -> None:
    assert html("a <b>c</b> <brx> <br x>") == "<p>a &lt;b&gt;c&lt;/b&gt; &lt;brx&gt; &lt;br x&gt;</p>"
    assert html("`a<br>b`") == "<p><code>a&lt;br&gt;b</code></p>"


def test_definitions_of_links_are_shown() -> None:
    assert html('See [a][1].\n\n[1]: https://example.org "T"') == (
        '<p>See <a href="https://example.org" title="T">a</a>.</p>\n'
        '<p><a href="https://example.org" title="T">1</a>: https://example.org &quot;T&quot;</p>'
    )


def test_a_footnote_is_no_definition_of_a_link() -> None:
    assert html("So[^1].\n\n[^1]: https://e.org/a *b*") == (
        "<p>So[^1].</p>\n<p>[^1]: https://e.org/a <em>b</em></p>"
    )


def cells(source: str) -> list[list[str]]:
    """The rows of the tables in a text, with the HTML of each cell."""
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in html(source).split("<tr>")[1:]]


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ("| `a || b` | or |", ["<code>a || b</code>", "or"]),
        (r"| \(|x|\) | $|y_1*z*|$ |", [r"\(|x|\)", "$|y_1*z*|$"]),
        (r"| `x \| y|z` | w |", ["<code>x | y|z</code>", "w"]),
        (r"| $\|x\|$ | $5 \| $6 |", [r"$\|x\|$", "$5 | $6"]),
        ("| a | *b* | c | d |", ["a", "<em>b</em> | c | d"]),
        ("$5 | $6", ["$5", "$6"]),
        ("|$5|$6|$7|", ["$5", "$6|$7"]),
        ("| `a | b` |", ["`a", "b`"]),
        ("| a | b | | |", ["a", "b"]),
        ("| a |", ["a", ""]),
    ],
)
def test_a_row_of_a_table_keeps_all_its_text(row: str, shown: list[str]) -> None:
    table = f"| 1 | 2 |\n|--|--|\n{row}\n| 3 | 4 |"
    assert cells(table) == [["1", "2"], shown, ["3", "4"]]
    assert cells("- t\n\n  > " + table.replace("\n", "\n  > ")) == [["1", "2"], shown, ["3", "4"]]


def test_the_header_of_a_table_may_have_pipes_in_formulas() -> None:
    assert cells("| $|x|$ | b |\n|---|---|\n| 1 | 2 |") == [["$|x|$", "b"], ["1", "2"]]
    assert html("a | b | c\n--|--\n1 | 2") == "<p>a | b | c\n--|--\n1 | 2</p>"


def test_a_line_that_defines_no_link_is_text() -> None:
    assert html("[INFO]: done\n\n[WARNING]: low") == "<p>[INFO]: done</p>\n<p>[WARNING]: low</p>"


@pytest.mark.parametrize(
    "piece",
    [
        "\\(",
        "\\[",
        "$",
        "$$",
        "$a ",
        "\\begin{a}",
        "$\\$",
        "\\[\n",
        "$$\n",
        "\\]\n",
        "$$x$$\n",
        "$\\|",
        "<br",
        "**注：**这",
        "|`",
        "|$a",
        "|\\(",
    ],
)
def test_marks_without_an_end_take_time_that_grows_with_the_text(piece: str) -> None:
    html(piece * (20_000 // len(piece)))
    html("a|b\n-|-\n" + piece * (20_000 // len(piece)))


@pytest.mark.parametrize("rows", ["a|b\n-|-\n`c|d`|e\n\n", "a|b|c\n-|-\n", "> a|b\n> -|-\n"])
def test_many_tables_take_time_that_grows_with_the_text(rows: str) -> None:
    html(rows * (20_000 // len(rows)))
