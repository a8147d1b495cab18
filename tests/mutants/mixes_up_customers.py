"""Neighbouring predictions carry each other's customerID; the set of IDs is complete."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.dead_letters import to_json
from reference.churn_pipeline.pipeline import Record
from tests.mutants.lingering import LingeringPipeline


class MixesUpCustomers(LingeringPipeline):
    def deliver(self, records: Sequence[Record]) -> None:
        mixed = list(records)
        places = [place for place, record in enumerate(records) if record.error_type is None]
        for one, other in zip(places[::2], places[1::2], strict=False):
            mixed[one] = _with_id_of(records[other], records[one])
            mixed[other] = _with_id_of(records[one], records[other])
        super().deliver(mixed)


def _with_id_of(stranger: Record, record: Record) -> Record:
    customer_id = json.loads(stranger.value)["customerID"]
    return replace(record, value=to_json(json.loads(record.value) | {"customerID": customer_id}))


if __name__ == "__main__":
    sys.exit(main(pipeline_class=MixesUpCustomers))
