"""The parts that screens are put together from, each with one job.

Way in: one module for each widget, named after it. A widget is handed values, draws them, and says what the
user did in a typed message. A widget knows neither the screen it stands on nor the app, and it asks no
chat, store or model.
"""
