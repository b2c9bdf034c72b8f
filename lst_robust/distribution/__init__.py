"""Evaluations on more than one process: tasks that any executor with `submit` runs, here, on Slurm or on Ray."""
