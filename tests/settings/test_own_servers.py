"""Versions and programs of one's own: read, shown, and told at once where they cannot be."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from stackproof.commands import doctor
from stackproof.errors import Trouble
from stackproof.services import service
from stackproof.settings import Settings, load
from stackproof.stack.choosing import chosen


def settings(directory: Path, text: str, **given: str) -> Settings:
    (directory / "stackproof.toml").write_text(text)
    line = {f"services.{key.replace('_', '.')}": value for key, value in given.items()}
    found = load(directory, environment={}, command_line=line)
    assert pickle.loads(pickle.dumps(found)) == found
    return found


def test_a_version_and_where_it_is_said(tmp_path: Path) -> None:
    text = '[services.kafka]\nversion = "3.9.2"\n'
    found = settings(tmp_path, text)
    assert found.service("kafka").version == "3.9.2"
    assert str(tmp_path) in found.service("kafka").origins["version"]
    kafka = chosen(service("kafka"), found)
    assert kafka.artifacts()[0].title == "Apache Kafka 3.9.2"
    assert [i.official for i in kafka.images()] == ["apache/kafka:3.9.2"]
    assert service("kafka").artifacts()[0].title == "Apache Kafka 4.3.1", "ours is as it was"
    found = settings(tmp_path, text, kafka_version="3.8.1")
    assert found.service("kafka").version == "3.8.1"
    assert found.service("kafka").origins["version"] == "command line"


def test_a_command_is_relative_to_the_file(tmp_path: Path) -> None:
    text = '[services.redis]\ncommand = ["./mine", "{port}", "{{}}", "{file:redis.conf}"]\n'
    found = settings(tmp_path, text)
    assert found.service("redis").command[0] == str(tmp_path / "mine")
    lines = list(doctor._services(found))
    (line,) = [line for line in lines if line.strip().startswith("command = ")]
    assert str(tmp_path / "mine") in line and "[services.redis]" in line
    assert "mine" not in repr(found.service("redis")), "it may hold what nobody should read"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[services.kafka]\nversion = "4"\n', "three numbers are expected"),
        ('[services.kafka]\nversion = "2.8.2"\n', "3.3.0 or newer"),
        ('[services.kafka]\nversion = ["4.0.0"]\n', "one value is expected"),
        ('[services.redis]\ncommand = "hush"\n', "it is a str; a program"),
        ("[services.redis]\ncommand = []\n", "it is empty; a program"),
        ('[services.redis]\ncommand = ["x", 3]\n', "it is a list; a program"),
        ('[services.redis]\ncommand = ["x", "{prot}"]\n', "'prot'"),
        ('[services.redis]\ncommand = ["x", "{file:redis.cnf}"]\n', "{file:redis.conf}"),
        ('[services.redis]\ncommand = ["x", "{port:peer}"]\n', "{port:client}"),
        ('[services.redis]\ncommand = ["x", "{"]\n', "double braces"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(Trouble) as caught:
        settings(tmp_path, text)
    assert told in str(caught.value) and "hush" not in str(caught.value)


def test_a_command_is_said_by_the_file_alone(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="command cannot be given on the command line"):
        settings(tmp_path, "", redis_command="x")
