"""Prometheus with faults: in what it scrapes, in its rules, or in its answers."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from stackproof.obtain import Cache
from stackproof.ports import LOOPBACK
from stackproof.services.prometheus.server import Prometheus
from tests.mutants.servers import behind
from tests.mutants.servers.http import Asked, Fault, Send, Told
from tests.mutants.servers.http import serve as serve_http
from tests.mutants.servers.state import State

FIELDS = ("{port}", "{file:prometheus.yml}", "{data}", "{directory}")


def sound(state: State, asked: Asked, send: Send) -> Told:
    """No fault: the control."""
    return send(asked)


def drops_a_label(state: State, asked: Asked, send: Send) -> Told:
    """What is scraped loses its label `source`."""
    return send(asked)  # see `_CONFIGURED`


def renames_jobs(state: State, asked: Asked, send: Send) -> Told:
    """What gateways say of their jobs is called another way."""
    return send(asked)  # see `_CONFIGURED`


def asks_too_early(state: State, asked: Asked, send: Send) -> Told:
    """A query at a time is answered by the value before."""
    query = _query(asked)
    if "time" in query:
        query["time"] = f"{float(query['time']) - 15:.3f}"
    return send(_asking(asked, query))


def shifts_a_range(state: State, asked: Asked, send: Send) -> Told:
    """Each value of a range is that of the step before."""
    query = _query(asked)
    if "start" in query:
        back = float(query["step"])
        told = send(_asking(asked, {**query, "start": str(float(query["start"]) - back),
                                    "end": str(float(query["end"]) - back)}))  # fmt: skip
        answer = json.loads(told.body)
        for one in answer["data"]["result"]:
            one["values"] = [[at + back, value] for at, value in one["values"]]
        return replace(told, body=json.dumps(answer).encode())
    return send(asked)


def leaves_out_a_bucket(state: State, asked: Asked, send: Send) -> Told:
    """Percentiles are computed without the lowest bucket."""
    query = _query(asked)
    if "histogram_quantile" in query.get("query", ""):
        query["query"] = query["query"].replace("_bucket{", '_bucket{le!="0.1",')
    return send(_asking(asked, query))


def fires_at_its_threshold(state: State, asked: Asked, send: Send) -> Told:
    """Rules fire at the value that they must exceed."""
    if asked.path == "/-/reload":
        for file in Path(sys.argv[5]).glob("*.rules.yml"):
            file.write_text(file.read_text().replace("> 100\n", ">= 100\n"))
    return send(asked)


def keeps_alerts(state: State, asked: Asked, send: Send) -> Told:
    """Alerts that have fired once never end."""
    told = send(asked)
    if asked.path.startswith("/api/v1/alerts") and told.status == 200:
        answer = json.loads(told.body)
        with state.lock:
            for alert in answer["data"]["alerts"]:
                if alert["state"] == "firing":
                    key = json.dumps(alert["labels"], sort_keys=True).encode()
                    state.old[key] = 0.0, json.dumps(alert).encode()
            answer["data"]["alerts"] = [json.loads(alert) for _, alert in state.old.values()]
        return replace(told, body=json.dumps(answer).encode())
    return told


def sees_nobody_go(state: State, asked: Asked, send: Send) -> Told:
    """A target that does not answer counts as up."""
    told = send(asked)
    if _query(asked).get("query", "").startswith("up{"):
        return replace(told, body=told.body.replace(b',"0"]', b',"1"]'))
    return told


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        sound, drops_a_label, renames_jobs, asks_too_early, shifts_a_range, leaves_out_a_bucket,
        fires_at_its_threshold, keeps_alerts, sees_nobody_go,
    )
}  # fmt: skip
#: What the configuration is changed by.
_CONFIGURED = {
    "drops_a_label": (
        "honor_labels: true",
        "honor_labels: true\n    metric_relabel_configs: [{action: labeldrop, regex: source}]",
    ),
    "renames_jobs": ("honor_labels: true", "honor_labels: false"),
}


def _query(asked: Asked) -> dict[str, str]:
    if not asked.path.startswith("/api/v1/query"):
        return {}
    given = parse_qs(asked.body.decode() if asked.method == "POST" else urlsplit(asked.path).query)
    return {name: values[0] for name, values in given.items()}


def _asking(asked: Asked, query: dict[str, str]) -> Asked:
    if asked.method == "POST" and re.match(r"/api/v1/query", asked.path):
        return replace(asked, body=urlencode(query).encode())
    return asked


def serve(fault: str) -> Callable[[socket.socket, socket.socket], None]:
    """What a proxy does with each connection."""
    return serve_http(FAULTS[fault])


def main() -> None:
    """Run in the place of a Prometheus: fault, and `FIELDS`."""
    fault, port, file, data, _ = sys.argv[1:]
    before, after = _CONFIGURED.get(fault, ("", ""))
    changed = Path(file).with_name("changed.yml")
    text = Path(file).read_text()
    changed.write_text(text.replace(before, after) if before else text)
    program = Cache().path(Prometheus().server) / "usr" / "bin" / "prometheus"
    behind.serve_behind(
        lambda inner: [
            str(program), f"--web.listen-address={LOOPBACK}:{inner}", f"--config.file={changed}",
            f"--storage.tsdb.path={data}/series", "--web.enable-lifecycle",
            "--web.enable-admin-api", "--web.enable-remote-write-receiver",
            "--rules.alert.resend-delay=5s", "--log.level=warn",
        ],
        serve(fault), int(port),
    )  # fmt: skip
