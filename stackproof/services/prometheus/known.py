"""What server and fixture of Prometheus call the same."""

#: What scenarios put into the directory that it reads: files that end so.
TARGETS, GATEWAYS, ALERTMANAGERS, RULES = (
    ".targets.json", ".gateways.json", ".alertmanagers.json", ".rules.yml"
)  # fmt: skip
#: Of tables of queries, and of what one query tells.
VALUES, POINTS = ("metric", "labels", "values"), ("seconds", "labels", "value")
QUERIES, TOLD, ALERTS = ("query", "is"), ("labels", "is"), ("labels",)
