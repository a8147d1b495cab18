"""Every fault of a server is listed with what must catch it, and the other way round."""

import pytest

from tests.mutants.mutant import known
from tests.mutants.servers import (
    alertmanager,
    kafka,
    postgresql,
    prometheus,
    pushgateway,
    rabbitmq,
    redis,
    s3,
)
from tests.mutants.servers.running import FEATURES, SOUND


@pytest.mark.parametrize("service", [alertmanager, prometheus])
def test_every_fault_of_the_suites_own_servers_is_listed(service):
    name = service.__name__.rpartition(".")[2]
    listed = {mutant.name for mutant in known() if mutant.group == name}
    assert listed == service.FAULTS.keys() - {SOUND}


@pytest.mark.parametrize("service", [redis, rabbitmq, kafka, postgresql, pushgateway, s3])
def test_every_fault_is_listed(service):
    name = service.__name__.rpartition(".")[2]
    listed = {mutant.name for mutant in known() if mutant.group == name}
    assert listed == service.FAULTS.keys() - {SOUND}
    assert name in FEATURES
    assert all(mutant.caught_by and mutant.anomaly for mutant in known())
