"""What operations on keys mean: register, queue, set, lock and limit; each finds its anomalies.

    verdict = check(history, Registers("the balance", space="accounts"))

The log of messages has its own records and checks (`flow`, `checks`); everything else is one of
these. They may touch `history` alone.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
