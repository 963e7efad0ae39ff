"""The command line: `./stormwatch COMMAND`. One module per group of commands.

Heavy modules are imported inside the commands, so that `--help` answers at once.
"""
