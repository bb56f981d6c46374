"""Conversations as files: the formats that moa-tui writes and reads.

Way in: `export.render` and `export.write` for JSON, Markdown, HTML and messages; `importer` for files of
moa-tui and of other programs. `json_writer` and `json_reader` are the two halves of moa-tui's own JSON
format. A file may come from anybody, so whatever is read is checked and nothing in it is trusted. This
package knows neither the store, which keeps rows of its own, nor models, chat and screens.
"""
