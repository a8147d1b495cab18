"""``python -m tests.external.breaking``: failover on a Kafka cluster of somebody else's.

Starts three brokers outside of any run, each with commands of its owner, and runs the rows of
`features/messaging/failover.feature` that every pull request runs against them, by
``--stack external``. Then once more with a ``kill``, and with a ``start``, that does nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.external.owned import OwnedServer, owned
from tests.external.running import Watched, watched_run

FEATURE = Path(__file__).parents[2] / "features" / "messaging" / "failover.feature"
_ONE_ROW = 'an idempotent producer is lost while the leader of "orders" crashes once'
NODES = [f"broker-{number}" for number in (1, 2, 3)]


def settings(brokers: list[OwnedServer], **instead: list[str]) -> str:
    """A ``stackproof.toml`` that names the cluster and allows all of it."""
    addresses = [broker.address for broker in brokers]
    lines = [
        "[services.kafka]", 'provider = "external"',
        f'bootstrap_servers = "{",".join(addresses)}"', f"allow_destructive = {addresses!r}",
    ]  # fmt: skip
    for broker in brokers:
        lines += [f"[services.kafka.nodes.{broker.name}]", f'address = "{broker.address}"',
                  broker.commands(**instead)]  # fmt: skip
    return "\n".join(lines)


def main() -> int:
    """Print what became of each; 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.external.breaking", description=__doc__)
    parser.add_argument("--time-factor", default="2")
    options = parser.parse_args()
    right = True
    with tempfile.TemporaryDirectory(prefix="breaking-") as scratch:
        place = Path(scratch)
        with owned(place, "kafka", NODES, brokers=3) as brokers:

            def run(title: str, factor: str, *arguments: str, **instead: list[str]) -> Watched:
                print(f"== {title}", flush=True)
                toml = place / "stackproof.toml"
                toml.write_text(settings(brokers, **instead))
                found = watched_run(
                    place, {"STACKPROOF_CONFIG": str(toml)}, "--no-report", *arguments,
                    "--time-factor", factor, str(FEATURE),
                )  # fmt: skip
                for name, verdict in found.verdicts.items():
                    print(f"  {verdict:8} {name}", flush=True)
                for reason in filter(None, found.reasons.values()):
                    print("    " + reason.partition("\n")[0], flush=True)
                alive = ", ".join(broker.name for broker in brokers if broker.alive())
                print(f"  exit code {found.code} after {found.seconds:.0f} s; alive: {alive}")
                return found

            found = run("failover by the owner's commands", options.time_factor)
            right &= found.code == 0 and set(found.verdicts.values()) == {"passed"}
            right &= all(broker.alive() for broker in brokers) and not found.left
            # What never comes is waited for in vain: no longer than needed.
            found = run("a kill that does nothing", "1", "--name", _ONE_ROW, kill=["true"])
            right &= any("the fault had no effect" in r for r in found.reasons.values())
            found = run("a start that does nothing", "1", "--name", _ONE_ROW, start=["true"])
            right &= any("the healing never came" in r for r in found.reasons.values())
            right &= "is left broken" in found.output and found.code == 1
    print("as it must be" if right else "WRONG")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
