"""Clients that work in the background of a scenario, and how long their operations take.

`task` is work in a thread of its own; what fails it is raised where it is awaited or ended. `loops`
are clients that do one operation after the other: closed (each after the last) and open (at a
rate). `crowd`: clients that begin together, each on a connection of its own. `latencies` are their
durations, and honest percentiles of them.

It may touch `history`, `polling`, `errors` and `texts`; it knows no service and no scenario.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
