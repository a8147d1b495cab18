"""Secrets never survive in anything that is reported."""

import string
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackproof.masking import MASK, Masker

# An asterisk beside a mask would make the mask itself look like the secret.
SECRETS = st.text(min_size=1, max_size=12).filter(lambda text: text.strip() and "*" not in text)
SMALL = st.text(alphabet="ab\n =:\"'", min_size=1, max_size=4).filter(str.strip)


def encodable(text: str) -> bool:
    return not any(0xD800 <= ord(c) <= 0xDFFF for c in text)


@settings(deadline=None)
@given(st.lists(SECRETS | SMALL, min_size=1, max_size=4), st.text(max_size=30), st.data())
def test_a_registered_secret_never_survives(secrets: list[str], filler: str, data):
    masker = Masker(secrets)
    pieces = data.draw(st.lists(st.sampled_from([*secrets, filler, "a", "\n"]), max_size=12))
    masked = masker.mask("".join(pieces))
    for secret in secrets:
        assert secret not in masked


@settings(deadline=None)
@given(
    st.lists((SECRETS | SMALL).filter(encodable), min_size=1, max_size=3),
    st.data(),
    st.integers(min_value=1, max_value=9),
)
def test_a_registered_secret_never_survives_in_a_file(tmp_path_factory, secrets, data, chunk):
    folder: Path = tmp_path_factory.mktemp("mask")
    masker = Masker(secrets)
    pieces = data.draw(st.lists(st.sampled_from([*secrets, "abab", "x" * 200, "\n"]), max_size=12))
    (folder / "source").write_text("".join(pieces), encoding="utf-8", newline="")
    masker.mask_file(folder / "source", folder / "target", chunk=chunk)
    masked = (folder / "target").read_bytes().decode()
    for secret in secrets:
        assert secret not in masked


@settings(deadline=None)
@given(st.text(alphabet=string.printable, max_size=80))
def test_masking_twice_changes_nothing_more(text: str):
    masker = Masker(["s3cr3t"])
    once = masker.mask(text)
    assert masker.mask(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "amqp://app:hunter22@localhost:5672/vhost",
        "postgresql://app:hunt@hunter22@db/x",
        "redis://:hunter22@127.0.0.1:6379/0",
        "http://app:hun/hunter22@host/path",
        "password=hunter22",
        "ssl.keystore.password = hunter22",
        'sasl.jaas.config=PlainLoginModule required username="x" password="hunter22";',
        "{'password': 'hunter22', 'user': 'x'}",
        '{"db_password": "hunt\\"er22hunter22"}',
        '"{\\"secret\\": \\"hunter22\\"}"',
        "POSTGRES_PASSWORD=hun,ter;hunter22 next",
        '"env": ["MINIO_ROOT_PASSWORD=hunter22"]',
        "AWS_SECRET_ACCESS_KEY=hunter22",
        "GITHUB_TOKEN=hunter22",
        "APP_CREDENTIALS=hunter22",
        "password: hunter22",
        "secret_key: hunter22",
        "jdbc:postgresql://h/db?user=a&password=hunter22&ssl=true",
        "server --root-password hunter22 --port 1",
        "Authorization: Bearer hunter22",
        "'Authorization': 'Basic hunter22'",
        "connect(host='x', password='hunter22')",
        "secret => 'hunter22'",
        "api_key=hunter22, apiVersion=0",
    ],
)
def test_what_looks_like_a_credential_is_masked(text: str):
    masked = Masker().mask(text)
    assert "hunter22" not in masked
    assert MASK in masked


def test_what_kafka_calls_its_requests_is_told_and_no_other_value_beside_it():
    text = "RequestHeader(apiKey=FETCH, apiVersion=17, token=FETCH, apiVersion=17)"
    expected = "RequestHeader(apiKey=FETCH, apiVersion=17, token=*****, apiVersion=17)"
    assert Masker().mask(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:9200/index/_search?q=a@b",
        "broker at localhost:9092, group churn-1",
        "Unexpected token: expected ',' at line 3",
        "max_tokens=512 tokens=3",
        "ssl.keystore.password = null",
        "sasl.jaas.config = [hidden]",
        "RequestHeader(apiKey=BROKER_REGISTRATION, apiVersion=0, clientId=3)",
        "the password is wrong",
        "user@example.org wrote: hello",
        'password=""',
        "partition=3 offset=17 key=customer-1",
    ],
)
def test_other_text_stays_as_it_is(text: str):
    assert Masker().mask(text) == text


def test_only_the_secret_goes():
    masked = Masker().mask("jdbc:x://h/db?user=a&password=b&ssl=true and amqp://u:p@h:1/v")
    assert masked == f"jdbc:x://h/db?user=a&password={MASK}&ssl=true and amqp://u:{MASK}@h:1/v"


@pytest.mark.parametrize(
    "carried",
    ["p%40ss%20w%2Frd%22", 'p@ss w/rd\\"', "p@ss w/rd&quot;", "cEBzcyB3L3JkIg", "p%40ss+w%2Frd%22"],
)
def test_usual_encodings_of_a_secret_are_masked(carried: str):
    assert Masker(['p@ss w/rd"']).mask(f"x{carried}y") == f"x{MASK}y"


def test_values_of_secret_names_are_masked_whole():
    values = {"KAFKA_PASSWORD": "a b,c", "provider": "native", "url": "amqp://u:p@h", "X_TOKEN": ""}
    assert Masker().mask_mapping(values) == {
        "KAFKA_PASSWORD": MASK,
        "provider": "native",
        "url": f"amqp://u:{MASK}@h",
        "X_TOKEN": "",
    }


def test_secrets_that_cannot_be_masked_are_ignored():
    masker = Masker(["", "   ", "***"])
    assert masker.mask("a *** b   c") == "a *** b   c"


@pytest.mark.parametrize("unit", ["a-", "key.", "://a:", "password", 'token="', "a_key-b:"])
def test_endless_lines_are_masked_in_a_moment(unit: str):
    started = time.process_time()
    Masker(["s3cr3t"]).mask(unit * (200_000 // len(unit)))
    assert time.process_time() - started < 10
