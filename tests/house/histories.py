"""``python -m tests.house.histories [REPORTS]``: which scenarios of a run recorded nothing.

Every scenario that writes and reads records what it did, so that models can check it. Those that
may be without are listed here, with the reason.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from stackproof.history import load

#: A feature, or one scenario of it as it is called there, and why it records nothing.
WITHOUT: Mapping[str, str] = {
    "features/cache/basics.feature: Setting and getting takes less than a millisecond": "measured",
    "features/cache/basics.feature: "
    "Operations take less than 10 milliseconds on average": "measured",
    "features/cache/cluster.feature: "
    "While a slot moves, clients are led to each of its keys": "asks the nodes where keys are",
    "features/cache/cluster_throughput.feature": "measured",
    "features/cache/memory.feature": "counts what was evicted",
    "features/cache/messages.feature: A stream takes and gives 10,000 entries a second": "measured",
    "features/cache/replication.feature: "
    "Replicas of Redis refuse to be written to": "writes nothing",
    "features/database/health.feature": "asks the server how it is",
    "features/database/replication.feature: Replicas refuse to be written to": "writes nothing",
    "features/messaging/broker.feature": "asks the broker how it is",
    "features/messaging/pipeline_settings.feature": "what does not start does nothing",
    "features/messaging/topics.feature": "makes topics, and sends nothing",
    "features/monitoring/host.feature": "asks the kernel how the machine is",
    "features/sinks/rabbitmq_sink.feature: "
    "A URL that cannot be meant is refused": "what is not made does nothing",
    "features/sinks/redis_sink.feature: "
    "A URL that cannot be meant is refused": "what is not made does nothing",
    "features/sinks/speed.feature": "measured",
    "features/streams/troubles.feature: "
    "Without a broker the stream gives up and says why": "has no broker to send to",
    "features/vectors/collections.feature: "
    "A collection lives from its creation until it is dropped": "stores no vectors",
}


def silent(reports: Path) -> Iterator[str]:
    """Scenarios of a run that passed, recorded nothing, and are not listed; listed ones that did.

    Args:
        reports: the run's folder of reports.
    """
    for ran in json.loads((reports / "results.json").read_text("utf-8"))["scenarios"]:
        if ran["verdict"] != "passed":
            continue
        name = f"{ran['feature']}: {ran['name'].partition(' -- @')[0]}"
        entry = next((one for one in (name, ran["feature"]) if one in WITHOUT), None)
        recorded = _recorded(reports / "evidence" / ran["id"] / "history.npz")
        if not recorded and entry is None:
            yield f"{name} has recorded nothing that a model could check"
        elif recorded and entry == name:
            yield f"{name} has recorded something, and is listed as one that does not"


def _recorded(file: Path) -> bool:
    if not file.exists():
        return False
    snapshot = load(file)
    return any(len(table.client) for table in (
        snapshot.sends, snapshot.receptions, snapshot.operations))  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Print them; 1 when there are any."""
    parser = argparse.ArgumentParser(prog="python -m tests.house.histories", description=__doc__)
    parser.add_argument("reports", nargs="?", type=Path, default=Path("reports"))
    told = list(silent(parser.parse_args(arguments).reports))
    print("\n".join(told) or "each scenario has recorded what it did, or is listed")
    return bool(told)


if __name__ == "__main__":
    sys.exit(main())
