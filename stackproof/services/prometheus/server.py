"""Prometheus: scrapes what scenarios name, evaluates their rules, and answers queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from stackproof.services.base import Endpoint
from stackproof.services.exporting import SERVER, Exporting, debian, image, location
from stackproof.services.keeping import Keeper, KeeperProbe, Keeping
from stackproof.services.prometheus.known import ALERTMANAGERS, GATEWAYS, RULES, TARGETS
from stackproof.services.where import Node, Where

#: Of scrapes and of rules, in seconds.
INTERVAL = 1
_CONFIGURATION = """\
global:
  scrape_interval: {interval}s
  scrape_timeout: {interval}s
  evaluation_interval: {interval}s
rule_files: ["{shared}/*{rules}"]
alerting:
  alertmanagers:
    - file_sd_configs: [{{files: ["{shared}/*{alertmanagers}"], refresh_interval: 1s}}]
scrape_configs:
  - job_name: applications
    file_sd_configs: [{{files: ["{shared}/*{targets}"], refresh_interval: 1s}}]
  - job_name: pushgateways
    honor_labels: true
    file_sd_configs: [{{files: ["{shared}/*{gateways}"], refresh_interval: 1s}}]
"""


class _Probe(KeeperProbe):
    """Somebody's own need not take what it did not scrape."""

    def healthy(self) -> None:
        """It answers a query."""
        self.answers("")


class Prometheus(Exporting, Keeping):
    """The service ``prometheus``."""

    name = program = "prometheus"
    title = "Prometheus"
    kept = "series"
    written_to = SERVER
    on_host = True
    server = debian(
        program, title, "fonts-glyphicons-halflings", "libjs-bootstrap4",
        "libjs-eonasdan-bootstrap-datetimepicker", "libjs-jquery", "libjs-jquery-hotkeys",
        "libjs-moment", "libjs-moment-timezone", "libjs-mustache", "libjs-popper.js",
        "libjs-rickshaw",
    )  # fmt: skip
    image = image(program, "2.42.0")
    ports: Mapping[str, int] = {"client": 9090}
    location = replace(location(name), directory=("PROMETHEUS_DIRECTORY",))

    def nodes(self, where: Where) -> list[Node]:
        """One server, that scrapes nothing until it is told to."""
        data = where.data(SERVER, "/prometheus")
        text = _CONFIGURATION.format(
            interval=INTERVAL, shared=where.shared(SERVER), rules=RULES, targets=TARGETS,
            gateways=GATEWAYS, alertmanagers=ALERTMANAGERS,
        )  # fmt: skip
        argv = [
            self.called(where), self.listening(where),
            f"--config.file={where.file(SERVER, 'prometheus.yml')}",
            f"--storage.tsdb.path={data}/series", "--storage.tsdb.retention.time=1d",
            "--web.enable-lifecycle", "--web.enable-admin-api",
            "--web.enable-remote-write-receiver", "--rules.alert.resend-delay=5s",
            "--log.level=warn",
        ]  # fmt: skip
        return [
            Node(SERVER, argv, files={"prometheus.yml": text}, shared={}, data=data,
                 memory_mb=200, health=self.health(where))
        ]  # fmt: skip

    def keeper(self, endpoint: Endpoint, node: str = "", *, timeout: float = 10.0) -> Keeper:
        """See `stackproof.services.prometheus.client`."""
        from stackproof.services.prometheus.client import SeriesKeeper

        return SeriesKeeper(endpoint, timeout=timeout)

    def probe(self, endpoint: Endpoint, *, timeout: float) -> KeeperProbe:
        """What follows from its keeper."""
        return _Probe(lambda node: self.keeper(endpoint, node, timeout=timeout), endpoint)


SERVICE = Prometheus
