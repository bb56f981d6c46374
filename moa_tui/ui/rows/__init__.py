"""Text as rows of a terminal's width: wrapped, styled, compared, drawn and copied.

Way in: `text_rows` wraps plain text, `markdown_rows` lays out Markdown, `word_diff` compares two texts, and
`rows_widget.RowsWidget` draws rows. `line_filter` removes what a terminal would obey before it is drawn.
This package knows nothing of runs, calls or conversations.
"""
