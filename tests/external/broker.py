"""A Kafka of somebody else's: TLS, SASL, mutual TLS, access rights; no part of any run."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
    UserScramCredentialUpsertion,
)

from stackproof.obtain import Cache
from stackproof.polling import poll
from stackproof.ports import LOOPBACK, free_port
from stackproof.services.base import Endpoint, resolve_options
from stackproof.services.kafka import Kafka
from stackproof.stack.site import LocalSite
from tests.external.certificates import Authority, Certificate

USER = "suite"
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_PROTOCOLS = {"SECURED": "SASL_SSL", "OPENLY": "SASL_PLAINTEXT", "MUTUAL": "SSL",
              "ENCRYPTED": "SSL", "MISNAMED": "SSL"}  # fmt: skip
#: Nobody is told to trust a certificate of another host: a name that leads nowhere.
_OTHER_HOST = "broker.example.org"
_RIGHTS = (
    (ResourceType.TOPIC, "stackproof-", ACLResourcePatternType.PREFIXED, ACLOperation.ALL),
    (ResourceType.GROUP, "stackproof-", ACLResourcePatternType.PREFIXED, ACLOperation.ALL),
    (ResourceType.CLUSTER, "kafka-cluster", ACLResourcePatternType.LITERAL, ACLOperation.DESCRIBE),
)


@dataclass
class SecuredBroker:
    """One running broker.

    Attributes:
        addresses: by listener: PLAINTEXT (its owner's, without restrictions), SECURED (TLS and
            SASL), OPENLY (SASL alone), MUTUAL (client certificates), ENCRYPTED (TLS alone),
            MISNAMED (TLS with a certificate for another host).
        password: of `USER`, which has rights on the prefix ``stackproof-`` alone.
        authority: whom to trust.
        stranger: whom the broker's certificates do not come from.
        client: a client's certificate, its key encrypted with `key_password`.
    """

    addresses: Mapping[str, str]
    password: str
    key_password: str
    authority: Authority
    stranger: Authority
    client: Certificate
    log: Path

    @contextlib.contextmanager
    def owner(self) -> Iterator[KafkaAdminClient]:
        """The admin API without restrictions."""
        with contextlib.closing(
            KafkaAdminClient(bootstrap_servers=self.addresses["PLAINTEXT"])
        ) as admin:
            yield admin

    def content(self) -> list[str]:
        """Names of all topics and groups but Kafka's own, as of now.

        What was created and deleted shows a while later, but in order: what is created here
        shows after everything before it.
        """
        latest = f"__latest-{secrets.token_hex(4)}"
        with self.owner() as admin:
            admin.create_topics({latest: {"num_partitions": 1, "replication_factor": 1}})
            poll(lambda: latest in admin.list_topics(), within=30, awaiting="the latest topic")
            admin.delete_topics([latest])
            names = [*admin.list_topics(), *(g["group_id"] for g in admin.list_groups())]
        return sorted(name for name in names if not name.startswith("__"))


@contextlib.contextmanager
def secured_broker(directory: Path) -> Iterator[SecuredBroker]:
    """Start a broker below ``directory``; it is gone afterwards."""
    # Marks that neither a sentence nor another value could hold by accident.
    password, key_password = (f"pw+{secrets.token_hex(6)}/ü \"{n}'\\x" for n in "12")
    authority = Authority(directory / "certificates")
    stranger = Authority(directory / "certificates", "stranger")
    server = authority.issue("server", "localhost", LOOPBACK)
    misnamed = authority.issue("misnamed", _OTHER_HOST)
    client = authority.issue("client", "suite@example.org", common_name=USER,
                             password=key_password)  # fmt: skip
    ports = {name: free_port() for name in _PROTOCOLS}
    kafka, cache = Kafka(), Cache()
    for artifact in kafka.artifacts():
        cache.ensure(artifact, lambda _: None)
    site = LocalSite("somebodys", directory / "broker", {}, cache)
    own, controller = (site.port(f"broker-1 {role}") for role in ("client", "controller"))
    listeners = {"PLAINTEXT": own, **ports}
    config = {
        "listeners": ",".join([
            *(f"{name}://{LOOPBACK}:{port}" for name, port in listeners.items()),
            f"CONTROLLER://{LOOPBACK}:{controller}",
        ]),
        "advertised.listeners": ",".join(
            f"{name}://{LOOPBACK}:{port}" for name, port in listeners.items()
        ),
        "listener.security.protocol.map": ",".join(
            f"{name}:{protocol}" for name, protocol in
            {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **_PROTOCOLS}.items()
        ),
        "inter.broker.listener.name": "PLAINTEXT",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/,DEFAULT",
        "listener.name.mutual.ssl.client.auth": "required",
        **_tls("secured", server, authority), **_tls("mutual", server, authority),
        **_tls("encrypted", server, authority), **_tls("misnamed", misnamed, authority),
        **_sasl("secured", password), **_sasl("openly", password),
    }  # fmt: skip
    site.options = resolve_options(kafka, {"config": tuple(config.items())})
    (spec,) = kafka.lay_out(site)
    # Values of properties files are unescaped when they are read.
    properties = spec.cwd / "server.properties"
    log = directory / "broker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            spec.argv, cwd=spec.cwd, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        properties.chmod(0o600)
        addresses = {name: f"{LOOPBACK}:{port}" for name, port in listeners.items()}
        broker = SecuredBroker(addresses, password, key_password, authority, stranger, client, log)
        endpoint = Endpoint("kafka", "somebodys", "", {"bootstrap": addresses["PLAINTEXT"]})
        poll(
            lambda: kafka.check(endpoint, timeout=2),
            until=lambda _: True,
            within=60,
            awaiting="somebody's broker",
            retry_on=kafka.unready,
            alive=lambda: (
                None if process.poll() is None else f"it ended:\n{log.read_text()[-3000:]}"
            ),
        )
        _grant(broker)
        yield broker
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(directory / "broker", ignore_errors=True)


def _tls(listener: str, certificate: Certificate, authority: Authority) -> dict[str, Any]:
    prefix = f"listener.name.{listener}.ssl"
    return {
        f"{prefix}.keystore.type": "PEM",
        f"{prefix}.keystore.location": certificate.both,
        f"{prefix}.truststore.type": "PEM",
        f"{prefix}.truststore.location": authority.file,
    }


def _sasl(listener: str, password: str) -> dict[str, str]:
    prefix = f"listener.name.{listener}"
    module = "org.apache.kafka.common.security"
    # Escaped twice: for the log-in configuration, then for the properties file.
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    escaped = "".join(
        c if ord(c) < 128 else f"\\u{ord(c):04x}" for c in quoted.replace("\\", "\\\\")
    )
    return {
        f"{prefix}.sasl.enabled.mechanisms": ",".join(MECHANISMS),
        f"{prefix}.plain.sasl.jaas.config":
            f'{module}.plain.PlainLoginModule required user_{USER}="{escaped}";',
        **{f"{prefix}.{mechanism}.sasl.jaas.config":
           f"{module}.scram.ScramLoginModule required;"
           for mechanism in ("scram-sha-256", "scram-sha-512")},
    }  # fmt: skip


def _grant(broker: SecuredBroker) -> None:
    with broker.owner() as admin:
        for mechanism in MECHANISMS[1:]:  # one a request
            problems = admin.alter_user_scram_credentials(
                [UserScramCredentialUpsertion(USER, mechanism, broker.password)]
            )
            assert not any(problems.values()), problems
        answer = admin.create_acls(
            [ACL(f"User:{USER}", "*", operation, ACLPermissionType.ALLOW,
                 ResourcePattern(kind, name, pattern))
             for kind, name, pattern, operation in _RIGHTS]
        )  # fmt: skip
    assert not answer["failed"], answer
