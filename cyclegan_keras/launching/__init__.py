"""Starts the processes that train one model together: on this machine, by Slurm, or by Ray."""
