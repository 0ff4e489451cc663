"""The subcommands of `llmrouter`, one module each: EXAMPLES, configure(parser), run(arguments, load) → exit code.

A module's docstring is its help. `load` reads the settings; a command that needs none does not call it.
"""
