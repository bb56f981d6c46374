"""The screens and widgets of the chat, on Textual."""
