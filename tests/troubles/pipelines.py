"""Systems under test that are described wrongly, or that do too little."""

from __future__ import annotations

import re

from tests.troubles.case import trouble
from tests.troubles.configuration import SEED
from tests.troubles.sandbox import Outcome, Sandbox
from tests.troubles.servers import FIFTY, SYSTEMS

_TOPICS = """
[systems.churn-pipeline.topics]
input = { name = "customers" }
output = { name = "predictions" }
dead_letter = { name = "rejected" }
"""
_CREATE = """
import sys
from kafka import KafkaAdminClient
KafkaAdminClient(bootstrap_servers=sys.argv[1]).create_topics(
    {"predictions": {"num_partitions": 1, "replication_factor": 1, "configs": {}}})
"""


@trouble(SYSTEMS, "Fewer predictions than its completeness demands",
         r"predictions: \d+ of 50 valid customers have come out .* \d+ out_of_range",
         remedy="", code=1)  # fmt: skip
def too_few_predictions(box: Sandbox) -> Outcome:
    schema = (box.root / "contracts" / "customer.schema.json").read_text()
    assert '"maximum": 1000\n' in schema
    # The pipeline knows a narrower range than the contract that inputs are made from.
    box.write("mine.json", schema.replace('"maximum": 1000\n', '"maximum": 9000\n'))
    box.reconfigure("contracts/customer.schema.json", "mine.json")
    box.reconfigure("completeness = 1.0", "completeness = 0.8")
    return box.features(*FIFTY, "--time-factor", "0.3")


@trouble(SYSTEMS, "No sign that it is ready", r"\[systems.churn-pipeline\] .* cannot be used",
         "exactly one sign", "it has none")  # fmt: skip
def no_readiness(box: Sandbox) -> Outcome:
    box.reconfigure('ready_line = "ready: "\n', "")
    return box.features(*SEED)


@trouble(SYSTEMS, "Something else answers in its place",
         "whether the system churn-pipeline is ready could not be seen",
         "before it was launched", remedy=r"\{port\}", code=1)  # fmt: skip
def readiness_of_another(box: Sandbox) -> Outcome:
    box.reconfigure('ready_line = "ready: "', 'ready_port = "{kafka}"')
    return box.features(*FIFTY)


@trouble(SYSTEMS, "Its topics exist already on somebody's broker",
         "topics exist already: predictions", "did not create them",
         remedy="allow_destructive", code=1)  # fmt: skip
def topics_exist(box: Sandbox) -> Outcome:
    text = (box.root / "stackproof.toml").read_text()
    begin = text.index("[systems.churn-pipeline.topics]")
    box.write("stackproof.toml", text[:begin])
    box.reconfigure("completeness = 1.0", 'completeness = 1.0\nnames = "exact"\ngroup = "scorer"')
    box.configure(_TOPICS)
    started = box.run("up", "kafka", STACK="native")
    found = re.search(r"run (\w+)\n.*: (127\.0\.0\.1:\d+)", started.text)
    assert found, started.text
    run, address = found.groups()
    try:
        created = box.program(["python", "-c", _CREATE, address])
        assert created.code == 0, created.text
        return box.features(*FIFTY[:-2], "--stack", "external", KAFKA_BOOTSTRAP_SERVERS=address)
    finally:
        box.run("down", run)
