"""What the settings of an endpoint amount to; contradictions are told before anything connects."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stackproof.access import Access
from stackproof.errors import Trouble
from stackproof.services import service
from stackproof.services.external import connect
from stackproof.services.kafka.client.connection import connection
from tests.external.certificates import Authority, Certificate


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    return authority.issue("client", "qa@example.org", password="sword+fish")


@pytest.fixture(scope="module")
def files(authority: Authority, certificate: Certificate) -> dict[str, str]:
    other = authority.issue("other", "other@example.org")
    return {
        "CA": str(authority.file), "CERT": str(certificate.certificate),
        "KEY": str(certificate.key), "OTHER_KEY": str(other.key), "BOTH": str(other.both),
        "OTHER_CERT": str(other.certificate), "TEXT": __file__, "DIR": str(Path(__file__).parent),
    }  # fmt: skip


def access_of(files: dict[str, str], **texts: str) -> Access:
    given = {key: files.get(text, text) for key, text in texts.items()}
    return connect(service("kafka"), {"bootstrap_servers": "a:9092", **given})[1]


USER = {"username": "qa", "password": "x-y-z"}
MUTUAL = {"certificate_file": "CERT", "key_file": "KEY", "key_password": "sword+fish"}


@pytest.mark.parametrize(
    ("texts", "protocol", "mechanism"),
    [
        ({}, None, ""),
        ({"tls": "yes"}, "SSL", ""),
        ({"tls": "yes", "ca_file": "CA"}, "SSL", ""),
        ({"tls": "yes", "ca_file": "CA", **MUTUAL}, "SSL", ""),
        ({"tls": "yes", "certificate_file": "BOTH"}, "SSL", ""),
        (USER, "SASL_PLAINTEXT", "PLAIN"),
        ({**USER, "sasl_mechanism": "scram-sha-512"}, "SASL_PLAINTEXT", "SCRAM-SHA-512"),
        ({**USER, "tls": "true", "ca_file": "CA"}, "SASL_SSL", "PLAIN"),
        ({**USER, "security_protocol": "sasl_ssl"}, "SASL_SSL", "PLAIN"),
        ({**USER, "security_protocol": "SASL_PLAINTEXT"}, "SASL_PLAINTEXT", "PLAIN"),
        ({"security_protocol": "SSL", "ca_file": "CA", **MUTUAL}, "SSL", ""),
        ({"security_protocol": "PLAINTEXT"}, None, ""),
    ],
)
def test_what_makes_sense(
    files: dict[str, str], texts: dict[str, str], protocol: str | None, mechanism: str
) -> None:
    access = access_of(files, **texts)
    assert access.sasl_mechanism == mechanism
    arguments = connection({"bootstrap": "a:9092"}, access)
    assert arguments.get("security_protocol") == protocol
    assert arguments.get("sasl_plain_password") == (USER["password"] if mechanism else None)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        # TLS
        ({"ca_file": "CA"}, r"ca_file has no meaning\n.*not encrypted(.|\n)*tls = true"),
        (MUTUAL, r"certificate_file has no meaning"),
        ({"tls": "maybe"}, r"tls cannot be 'maybe'"),
        ({"tls": "yes", "verify_hostname": "x"}, r"verify_hostname cannot be 'x'"),
        ({"tls": "yes", "ca_file": "/no/ca.pem"}, r"ca_file cannot be read\n.*/no/ca.pem: No such"),
        ({"tls": "yes", "ca_file": "DIR"}, r"ca_file cannot be read"),
        ({"tls": "yes", "ca_file": "TEXT"}, r"ca_file cannot be used\n.*no certificate in PEM"),
        ({"tls": "yes", "certificate_file": "CERT"}, r"holds no key, and no key_file is named"),
        ({"tls": "yes", "key_file": "KEY"}, r"key_file has no meaning\n.*no certificate_file"),
        ({"tls": "yes", **MUTUAL, "key_password": "wrong"}, r"key_password is missing or wrong"),
        ({"tls": "yes", "certificate_file": "CERT", "key_file": "KEY"},
         r"key_password is missing or wrong"),
        ({"tls": "yes", "certificate_file": "CERT", "key_file": "OTHER_KEY"},
         r"is not that of"),
        # SASL
        ({**USER, "sasl_mechanism": "SCRAM-SHA-265"}, r"did you mean 'SCRAM-SHA-256'"),
        ({**USER, "sasl_mechanism": "OAUTHBEARER"}, r"user and password alone"),
        ({**USER, "sasl_mechanism": "gssapi"}, r"user and password alone"),
        ({"sasl_mechanism": "SCRAM-SHA-256"}, r"username is missing\n.*SCRAM-SHA-256"),
        ({"sasl_mechanism": "SCRAM-SHA-256", "username": "qa"}, r"password is missing"),
        ({"username": "qa"}, r"password is missing\n(.|\n)*KAFKA_PASSWORD or password_file"),
        ({"password": "x-y-z"}, r"username is missing"),
        # by Kafka's own names
        ({"security_protocol": "SSL", "tls": "no"}, r"contradicts tls = no"),
        ({"security_protocol": "SASL_PLAINTEXT", "tls": "yes", **USER}, r"contradicts tls = yes"),
        ({"security_protocol": "SSL", **USER}, r"contradicts username"),
        ({"security_protocol": "PLAINTEXT", "sasl_mechanism": "PLAIN"}, r"contradicts sasl_mech"),
        ({"security_protocol": "SASL_SSL"}, r"username is missing"),
        ({"security_protocol": "SASLSSL"}, r"did you mean 'SASL_SSL'"),
        # addresses
        ({"bootstrap_servers": ""}, r"is not known(.|\n)*KAFKA_BOOTSTRAP_SERVERS"),
        ({"bootstrap_servers": "broker"}, r"cannot be 'broker'\n.*host:port"),
        ({"bootstrap_servers": "a:1,b"}, r"cannot be 'b'"),
        ({"bootstrap_servers": "a:1,"}, r"cannot be ''"),
        ({"bootstrap_servers": "kafka://a:1"}, r"host:port"),
        ({"bootstrap_servers": "a:99999"}, r"host:port"),
        ({"bootstrap_servers": ":9092"}, r"host:port"),
    ],
)  # fmt: skip
def test_what_makes_no_sense(files: dict[str, str], texts: dict[str, str], told: str) -> None:
    with pytest.raises(Trouble) as caught:
        access_of(files, **texts)
    message = str(caught.value)
    assert re.search(told, message), message
    assert "what to do: " in message
    assert USER["password"] not in message and "sword+fish" not in message


def test_addresses_may_have_blanks_and_brackets() -> None:
    texts = {"bootstrap_servers": "a:1, [::1]:9092"}
    assert connect(service("kafka"), texts)[0] == {"bootstrap": "a:1,[::1]:9092"}
