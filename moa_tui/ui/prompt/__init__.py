"""Where the user writes: the text area, its completion, its history and the external editor.

Way in: `prompt_box.PromptBox`, the prompt with all that belongs to it. It posts what was submitted as a
message. What becomes of that message, it does not know.
"""
