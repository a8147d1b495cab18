"""What only some pipelines promise: how it is looked at, and what is said where it is not."""

import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from stackproof.errors import NotSupported
from stackproof.history import History
from stackproof.polling import DeadlineExceeded
from stackproof.processes.process import ManagedProcess
from stackproof.processes.run import Run
from stackproof.services.kafka.client.messages import Message, Received
from stackproof.settings.systems import MetricsSettings, Mistake
from stackproof.systems.contracts import Contract
from stackproof.systems.observing import DeadLetters
from stackproof.systems.promises import Promises

LETTER = {"x-original": "was", "x-original-encoding": "how", "x-omitted": "omitted",
          "x-max-bytes": 60, "x-source-partition": "p", "x-source-offset": "o"}  # fmt: skip
MESSAGE = Message(b"k", b"x" * 100)
COUNTERS = """\
# TYPE churn_messages_received counter
churn_messages_received_total 3.0
# TYPE churn_dead_letters counter
churn_dead_letters_total{error_type="a"} 1.0
churn_dead_letters_total{error_type="b"} 1.0
"""
NAMES = {"received": "churn_messages_received_total", "dead_letters": "churn_dead_letters_total"}


def letters(tmp_path, *documents):
    file = tmp_path / "c.json"
    file.write_text(json.dumps(LETTER))
    made = DeadLetters(Contract(file))
    for document in documents:
        made.take(Received("dlq", 0, 0, b"k", json.dumps(document).encode(), 0))
    return made


def test_a_letter_that_leaves_its_original_out(tmp_path):
    right = {"was": None, "how": "omitted", "p": 1, "o": 7}
    assert letters(tmp_path, right).not_omitted(MESSAGE, 1, 7) == ""


@pytest.mark.parametrize(
    ("documents", "says"),
    [
        ([], "0 dead letters"),
        ([{"was": None, "how": "omitted", "p": 1, "o": 7}] * 2, "2 dead letters"),
        ([{"was": "x", "how": "utf-8", "p": 1, "o": 7}], "has an original"),
        ([{"was": "x" * 99, "how": "utf-8", "p": 1, "o": 7}], "its contract allows 60"),
        ([{"was": None, "how": "omitted", "p": 1, "o": 8}], r"names \[1, 8\]"),
        ([{"was": 5, "how": "utf-8", "p": 1, "o": 7}], "no text but 5"),
    ],
)
def test_a_letter_that_does_not_do_so_rightly(tmp_path, documents, says):
    assert re.search(says, letters(tmp_path, *documents).not_omitted(MESSAGE, 1, 7))


def test_an_original_that_was_left_out_is_no_original(tmp_path):
    contract = letters(tmp_path).contract
    assert contract.original({"was": None, "how": "omitted"}) is None
    assert contract.omits({"how": "omitted"})
    assert not contract.omits({"how": "utf-8"})


def test_the_size_of_a_record_counts_key_value_and_headers():
    record = Received("t", 0, 0, b"key", b"value", 0, {"näme": b"12"})
    assert record.size == 3 + 5 + 5 + 2


@pytest.fixture
def kind():
    return ["text/plain; version=0.0.4"]


@pytest.fixture
def promises(kind):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", kind[0])
            self.end_headers()
            self.wfile.write(COUNTERS.encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/metrics"
    history = History("t")

    def make(received=3, dead_letters=2, counters=NAMES, **settings):
        settings = {"name": "p", "keeps_partition": False,
                    "metrics": MetricsSettings("http://...", counters), **settings}  # fmt: skip
        pipeline = SimpleNamespace(
            settings=SimpleNamespace(**settings),
            topics={"input": "in", "output": "out"},
            positions=lambda: [("a", 0, n) for n in range(received)],
            outputs=SimpleNamespace(reader=SimpleNamespace(records=[])),
            dead_letters=SimpleNamespace(
                records=[None] * dead_letters, contract=SimpleNamespace(schema={})
            ),
            instances=SimpleNamespace(metrics=lambda: [url], death=lambda: None),
        )
        session = SimpleNamespace(scaled=lambda seconds: seconds, history=history)
        return Promises(session, pipeline)

    yield make
    server.shutdown()
    server.server_close()


def test_counters_that_agree(promises):
    promises().await_counters(within=5)


def test_counters_that_no_server_would_scrape(promises, kind):
    kind[0] = "None"
    with pytest.raises(AssertionError, match="answers as 'None', which a Prometheus server"):
        promises().await_counters(within=5)


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ({"received": 4}, "churn_messages_received_total is 3, right is 4 "),
        ({"dead_letters": 1}, "churn_dead_letters_total is 2, right is 1 "),
        ({"counters": {"received": "no_such"}}, "no_such is missing, right is 3 "),
    ],
)
def test_counters_that_do_not(promises, counts, says):
    with pytest.raises(DeadlineExceeded, match=says):
        promises(**counts).await_counters(within=0.1)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda promises: promises.await_counters(within=1), "tells nobody its counters"),
        (lambda promises: promises.publish_in_turn(3), "does not promise to keep partitions"),
        (lambda promises: promises.publish_at_limit(above=0), "says no limit"),
    ],
)
def test_what_is_not_promised_is_not_supported(promises, ask, says):
    with pytest.raises(NotSupported, match=says):
        ask(promises(metrics=MetricsSettings()))


def test_outputs_that_have_moved_to_another_partition(promises):
    made = promises()
    made._pipeline.outputs.reader.records.append(None)
    history = made._session.history
    for ident, partition in (("a", 0), ("b", 1), ("c", 2)):
        op = history.send(client="producer", topic="in", ident=ident, digest=1)
        history.complete(op, "ok", partition=partition, offset=0)
        history.receive(client="observer", topic="out", partition=partition % 2, offset=0,
                        ident=ident, digest=1)  # fmt: skip
    assert made.moved() == ["c: from partition 2 to 0"]


@pytest.fixture
def refusing(promises, tmp_path):
    instances = []

    def make(program, told="--port"):
        def launch(*options):
            instance = ManagedProcess(
                "p-1", [sys.executable, "-c", program, *options], log=tmp_path / "p.log",
                cwd=tmp_path, run=Run("r1", tmp_path),
            )  # fmt: skip
            instances.append(instance)
            return instance

        made = promises(mistakes={"a value out of range": Mistake(("--port", "0"), told)})
        made._pipeline.instances.launch = launch
        made.start_with("a value out of range")
        return made

    yield make
    for instance in instances:
        instance.kill()


def test_a_mistake_that_is_refused(refusing):
    refusing("import sys; sys.exit(f'{sys.argv[1]} cannot be {sys.argv[2]}')").await_refusal(
        within=20
    )


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("import signal; signal.pause()", "still runs 1 s after it was started with"),
        ("", "ended with exit code 0, which is no refusal"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL, which is no refusal"),
        ("import sys; int(sys.argv[1])", "ended with a stack trace"),
        ("import sys; sys.exit('wrong usage')", "has not told of '--port'"),
    ],
)
def test_a_mistake_that_is_not_refused_as_it_should_be(refusing, program, says):
    within = 1 if "pause" in program else 20
    with pytest.raises(AssertionError, match=says):
        refusing(program).await_refusal(within=within)


def test_mistakes_that_the_settings_do_not_name(promises):
    with pytest.raises(NotSupported, match="not known to refuse a value out of range"):
        promises(mistakes={}).start_with("a value out of range")
