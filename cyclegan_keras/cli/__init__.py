"""The command line, one file per verb. Only here are the process's arguments read."""
