"""Running features: planning, worker processes, and what a scenario works with.

`scenario`, `needs`, `measuring` and `services` are what steps work with, and know nothing of the
runner: `runner`, `plan`, `selection`, `workers`, `running`. That may touch everything but commands,
systems and faults; the words of steps (`words*`, `tables`) may touch those two.
"""
