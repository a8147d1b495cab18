"""Endpoints that the suite did not start, and that will not have it: a real secured broker."""

from __future__ import annotations

import atexit
import contextlib
import shutil
import tempfile
from functools import cache
from pathlib import Path

from tests.external.broker import USER, SecuredBroker, secured_broker
from tests.troubles.case import trouble
from tests.troubles.configuration import SEED
from tests.troubles.sandbox import Outcome, Sandbox
from tests.troubles.servers import ENDPOINTS

CANNOT = "the external Kafka cannot be used: "


@cache
def somebodys() -> SecuredBroker:
    """One broker for all cases; it ends with this process."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    place = Path(tempfile.mkdtemp(prefix="somebodys-"))
    stack.callback(shutil.rmtree, place, ignore_errors=True)
    return stack.enter_context(secured_broker(place))


def reach(box: Sandbox, listener: str, password: str = "", **env: str) -> Outcome:
    """Run features on a listener of somebody's broker; no password may be printed."""
    broker = somebodys()
    if password:
        env |= {"KAFKA_USERNAME": USER, "KAFKA_PASSWORD": password}
    address = broker.addresses.get(listener, listener)
    outcome = box.features(*SEED, "--stack", "external", KAFKA_BOOTSTRAP_SERVERS=address, **env)
    assert not password or password not in outcome.text, outcome.text
    assert not broker.content(), broker.content()
    return outcome


def trusting(stranger: bool = False) -> dict[str, str]:
    """TLS, and whom to trust."""
    broker = somebodys()
    file = (broker.stranger if stranger else broker.authority).file
    return {"KAFKA_TLS": "yes", "KAFKA_CA_FILE": str(file)}


@trouble(ENDPOINTS, "Nobody at the address", f"{CANNOT}nobody listens at", "refused",
         remedy="correct the address")  # fmt: skip
def endpoint_refuses(box: Sandbox) -> Outcome:
    return reach(box, "127.0.0.1:9")


@trouble(ENDPOINTS, "A host that is not known", f"{CANNOT}the host broker.invalid is not known",
         r"\w", remedy="correct the address")  # fmt: skip
def host_unknown(box: Sandbox) -> Outcome:
    return reach(box, "broker.invalid:9092")


@trouble(ENDPOINTS, "A wrong password", f"{CANNOT}.* refuses the user 'suite'",
         "[Ii]nvalid credentials", remedy="password")  # fmt: skip
def wrong_password(box: Sandbox) -> Outcome:
    return reach(box, "SECURED", "sword-fish-and-chips", **trusting(),
                 KAFKA_SASL_MECHANISM="SCRAM-SHA-512")  # fmt: skip


@trouble(ENDPOINTS, "A user is expected, and none is configured",
         f"{CANNOT}.* expects a user and a password", "SCRAM-SHA-512",
         remedy="username")  # fmt: skip
def user_missing(box: Sandbox) -> Outcome:
    return reach(box, "SECURED", **trusting())


@trouble(ENDPOINTS, "A certificate that is not trusted", f"{CANNOT}the certificate .* not trusted",
         "issuer", remedy="ca_file")  # fmt: skip
def certificate_not_trusted(box: Sandbox) -> Outcome:
    return reach(box, "ENCRYPTED", **trusting(stranger=True))


@trouble(ENDPOINTS, "A certificate for another host", f"{CANNOT}the certificate .* another host",
         "mismatch", remedy="verify_hostname")  # fmt: skip
def certificate_of_another_host(box: Sandbox) -> Outcome:
    return reach(box, "MISNAMED", **trusting())


@trouble(ENDPOINTS, "No TLS where TLS is expected", f"{CANNOT}.* expects TLS", "tls is off",
         remedy="tls = true")  # fmt: skip
def tls_expected(box: Sandbox) -> Outcome:
    return reach(box, "ENCRYPTED")


@trouble(ENDPOINTS, "TLS where there is none", f"{CANNOT}.* does not speak TLS", "handshake",
         remedy="tls = false")  # fmt: skip
def tls_not_offered(box: Sandbox) -> Outcome:
    return reach(box, "OPENLY", somebodys().password, **trusting())


@trouble(ENDPOINTS, "A client's certificate is expected",
         f"{CANNOT}.* expects a client's certificate", "CERTIFICATE",
         remedy="certificate_file")  # fmt: skip
def client_certificate_missing(box: Sandbox) -> Outcome:
    return reach(box, "MUTUAL", **trusting())


@trouble(ENDPOINTS, "A user without the right to create topics",
         "the suite's user may not create topics", "TopicAuthorizationFailedError: mine-r",
         remedy="run.prefix", code=1)  # fmt: skip
def rights_missing(box: Sandbox) -> Outcome:
    broker = somebodys()
    return box.features(
        "features/messaging/publishing.feature", "--name", "Fifty", "--stack", "external",
        KAFKA_BOOTSTRAP_SERVERS=broker.addresses["SECURED"], KAFKA_USERNAME=USER,
        KAFKA_PASSWORD=broker.password, STACKPROOF_PREFIX="mine", **trusting(),
    )  # fmt: skip


@trouble(ENDPOINTS, "A scenario that would break somebody's server",
         "the external Kafka cannot be broken", "stops or breaks servers",
         remedy="STACK=native", code=1, times=2)  # fmt: skip
def breaking_somebodys(box: Sandbox) -> Outcome:
    broker = somebodys()
    outcome = box.features("features/messaging/broker.feature", "--name", "Messages survive",
                           "--stack", "external",
                           KAFKA_BOOTSTRAP_SERVERS=broker.addresses["PLAINTEXT"])  # fmt: skip
    assert not broker.content(), broker.content()
    return outcome


@trouble(ENDPOINTS, "Leftovers, and nobody who could say whether to remove them",
         "nobody can be asked whether to remove this", "no terminal", remedy="--yes")  # fmt: skip
def nobody_to_ask(box: Sandbox) -> Outcome:
    topic = "stackproof-r00000000-s001-left"
    with somebodys().owner() as admin:
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}})
        try:
            return box.run("clean", STACK="external",
                           KAFKA_BOOTSTRAP_SERVERS=somebodys().addresses["PLAINTEXT"])  # fmt: skip
        finally:
            admin.delete_topics([topic])
