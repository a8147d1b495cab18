"""What the clients of a scenario did, recorded; pure checks over it.

    history = History("orders arrive")
    op = history.send(client="producer", topic="orders", ident="o-1", digest=digest_of(data))
    history.complete(op, "ok", partition=0, offset=17)
    history.receive(client="consumer", topic="orders", partition=0, offset=17, ...)
    verdict = check_flow(history, Flow("orders", "orders", "orders", content="bytes"))
    assert verdict.ok, verdict.explain()

`record` and `ledger` keep the operations, `columns` their form in numpy, `flow` says what was
expected and `guarantee` what is promised, `books` keep the books over one flow, `log` what is
known of a topic's positions, `checks` find anomalies, `verdict`
explains them, `files` saves, loads and checks again.

It may touch nothing else of the suite, no client and no network: checks run offline.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
