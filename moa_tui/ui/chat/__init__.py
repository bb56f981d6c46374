"""The chat screen: the conversation, the panes of its run, and the prompt.

`screen.ChatScreen` maps keys, clicks and commands to controllers and is otherwise only laid out. A controller
is a plain object that is handed the state of the chat and a `view.ChatView`: it calls the headless
`moa_tui.chat`, which decides, and has the view show what came of it. `controllers.Controllers` puts them
together; `commands` has the slash commands.

Nothing here may import the store, the gateway or the app.
"""
