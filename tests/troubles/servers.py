"""Servers, pipelines and endpoints that do not do what they should."""

from __future__ import annotations

from tests.troubles.case import trouble
from tests.troubles.configuration import SEED
from tests.troubles.sandbox import Outcome, Sandbox

SERVERS, SYSTEMS, ENDPOINTS = "Servers", "The system under test", "Endpoints"
FIFTY = ("features/messaging/predictions.feature", "--name", "Fifty", "--stack", "native")


@trouble(SERVERS, "A broker that is not ready in time", r"Kafka was not ready within 0\.\d+ s",
         "log ends", remedy="STACKPROOF_TIME_FACTOR")  # fmt: skip
def broker_late(box: Sandbox) -> Outcome:
    return box.features(*SEED, "--stack", "native", "--time-factor", "0.005")


@trouble(SERVERS, "A broker that dies while it starts", "Kafka died while it was starting",
         "OutOfMemoryError|MaxMetaspaceSize|Metaspace", remedy="log")  # fmt: skip
def broker_dies(box: Sandbox) -> Outcome:
    java = (box.root / "bin" / "java").resolve()
    box.command("java", f'test "$1" = -version && exec {java} "$@"\n'
                f'exec {java} -Xshare:off -XX:MaxMetaspaceSize=12m "$@"')  # fmt: skip
    return box.features(*SEED, "--stack", "native")


@trouble(SERVERS, "Not enough memory for a scenario's own servers",
         "the scenario needs more memory than this run may use", "MiB",
         remedy="STACKPROOF_MEMORY_MB", code=1)  # fmt: skip
def memory_short(box: Sandbox) -> Outcome:
    return box.features("features/messaging/broker.feature", "--name", "Messages survive",
                        "--stack", "native", STACKPROOF_MEMORY_MB="300")  # fmt: skip


@trouble(SYSTEMS, "A program that cannot be found", "the system churn-pipeline cannot be launched",
         "no-such-program", remedy="correct `command`", code=1)  # fmt: skip
def program_missing(box: Sandbox) -> Outcome:
    box.reconfigure('"{python}", "-m", "reference.churn_pipeline"', '"no-such-program"')
    return box.features(*FIFTY)


@trouble(SYSTEMS, "A pipeline that ends at once", "the system churn-pipeline failed to start",
         "exit code 3", "no licence", remedy="log", code=1)  # fmt: skip
def pipeline_ends(box: Sandbox) -> Outcome:
    return box.features(*FIFTY, **_instead(box, "raise SystemExit(print('no licence') or 3)"))


@trouble(SYSTEMS, "A pipeline that never becomes ready",
         "the system churn-pipeline was not ready within 2 s", "ready: ",
         remedy="ready_line|ready_within|readiness", code=1)  # fmt: skip
def pipeline_never_ready(box: Sandbox) -> Outcome:
    box.reconfigure('ready_line = "ready: "', 'ready_line = "ready: "\nready_within = 2')
    return box.features(*FIFTY, **_instead(box, "import signal; signal.pause()"))


@trouble(SYSTEMS, "An unknown field in a command", r"\{brokers\} is no field",
         "the fields are: .*kafka", remedy="stackproof.toml", code=1)  # fmt: skip
def unknown_field(box: Sandbox) -> Outcome:
    box.reconfigure('"{kafka}"', '"{brokers}"')
    return box.features(*FIFTY)


@trouble(SYSTEMS, "A working directory that is not there",
         r"\[systems\..*\] .* cannot be used", "directory .* does not exist")  # fmt: skip
def directory_missing(box: Sandbox) -> Outcome:
    box.reconfigure('directory = "."', 'directory = "pipeline"')
    return box.features(*SEED)


@trouble(SYSTEMS, "A contract that is not there",
         r"\[systems.churn-pipeline\] .* cannot be used", "contract .* does not exist")  # fmt: skip
def contract_missing(box: Sandbox) -> Outcome:
    box.reconfigure("contracts/customer.schema.json", "contracts/client.schema.json")
    return box.features(*SEED)


@trouble(SYSTEMS, "A contract that is no JSON Schema", "the contract .* cannot be used",
         "strang", code=1)  # fmt: skip
def contract_unusable(box: Sandbox) -> Outcome:
    box.reconfigure("contracts/customer.schema.json", "mine.json")
    box.write("mine.json", '{"type": "strang"}')
    return box.features(*FIFTY)


@trouble(ENDPOINTS, "An endpoint that nobody named", "where Kafka can be reached is not known",
         "bootstrap_servers", remedy="KAFKA_BOOTSTRAP_SERVERS")  # fmt: skip
def endpoint_unnamed(box: Sandbox) -> Outcome:
    return box.features(*SEED, "--stack", "external")


def _instead(box: Sandbox, program: str) -> dict[str, str]:
    """A pipeline that does ``program`` instead of the reference's work."""
    box.write("instead.py", program + "\n")
    box.reconfigure('"-m", "reference.churn_pipeline"', '"instead.py"')
    return {}
