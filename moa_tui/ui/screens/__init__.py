"""The screens that open above the chat, one package for each family and each with its own `.tcss`.

Way in: the screen classes, which are pushed by the chat screen or the app and are dismissed with a result.
A screen is handed what it shows. It knows neither the app nor the chat screen.
"""
