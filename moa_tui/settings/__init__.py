"""The user's settings, and where the user's files lie.

Way in: `config.load` reads and checks the config file, `paths` names every directory and file and writes
them so that only their owner can read them, `toml_file.read` turns any TOML file into a checked model, and
`fault_log` writes bugs and failed calls to a rotating file.
This package knows the values of the engine and the errors. It knows no gateway, no store and no screen:
whoever needs a setting is handed it.
"""
