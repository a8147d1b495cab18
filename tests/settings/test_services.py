"""Settings of services: layers, secrets, files, mistakes."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stackproof.errors import Trouble
from stackproof.masking import mask
from stackproof.services import service
from stackproof.services.external import connect
from stackproof.settings import Settings, load

VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
KEY = "services.kafka.bootstrap_servers"


class Project:
    """A directory with a ``stackproof.toml``."""

    def __init__(self, directory: Path):
        self.file = directory / "stackproof.toml"

    def load(self, text: str = "", env: Mapping[str, str] | None = None, **given: str) -> Settings:
        self.file.write_text(text)
        line = {f"services.kafka.{key}": value for key, value in given.items()}
        return load(self.file.parent, environment=env or {}, command_line=line)

    def trouble(self, text: str = "", env: Mapping[str, str] | None = None, **given: Any) -> str:
        with pytest.raises(Trouble) as caught:
            self.load(text, env, **given)
        return str(caught.value)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# -- layers ------------------------------------------------------------------
def test_the_command_line_overrides_the_environment_overrides_the_file(project: Project) -> None:
    toml = '[services.kafka]\nbootstrap_servers = "file:1"\n'
    for env, given, expected, origin in (
        ({}, {}, "file:1", str(project.file)),
        ({VARIABLE: "env:2"}, {}, "env:2", f"environment {VARIABLE}"),
        ({VARIABLE: "env:2"}, {"bootstrap_servers": "line:3"}, "line:3", "command line"),
        ({}, {"bootstrap_servers": "line:3"}, "line:3", "command line"),
        ({VARIABLE: ""}, {}, "file:1", str(project.file)),
    ):
        kafka = project.load(toml, env, **given).service("kafka")
        assert kafka.texts["bootstrap_servers"] == expected
        assert kafka.origins["bootstrap_servers"] == origin


@pytest.mark.parametrize(
    ("toml", "env", "given", "expected"),
    [
        ("", {}, {}, ("auto", "default")),
        ("", {VARIABLE: "somebody:9092"}, {}, ("auto", "default")),  # never used unasked
        ("", {"KAFKA_PASSWORD": "x", "KAFKA_TLS": "yes"}, {}, ("auto", "default")),
        ('[services.kafka]\nbootstrap_servers = "somebody:9092"\n', {}, {}, ("auto", "default")),
        ("", {"STACK": "external"}, {}, ("external", "environment STACK")),
        ('[services.kafka]\nprovider = "external"\n', {}, {}, ("external", "toml")),
        ('[stack]\nprovider = "native"\n[services.kafka]\nprovider = "external"\n', {}, {},
         ("external", "toml")),
        # A higher layer counts, however general.
        ('[services.kafka]\nprovider = "external"\n', {"STACK": "native"}, {},
         ("native", "environment STACK")),
        ('[services.kafka]\nprovider = "native"\n', {"STACK": "native"}, {"provider": "external"},
         ("external", "command line")),
        ("", {"STACK": "native"}, {"provider": "External"}, ("external", "command line")),
    ],
)  # fmt: skip
def test_an_endpoint_is_used_only_where_it_is_asked_for(
    project: Project, toml: str, env: dict[str, str], given: dict[str, str],
    expected: tuple[str, str],
) -> None:  # fmt: skip
    provider, origin = project.load(toml, env, **given).provider_of("kafka")
    assert provider == expected[0]
    assert origin.endswith(expected[1])


@pytest.mark.parametrize("name", ["redis", "rabbitmq"])
@pytest.mark.parametrize("injected", ["tcp://10.0.0.1:6379", "udp://10.0.0.1:53", "tcp://[::1]:1"])
def test_variables_that_kubernetes_injects_are_passed_over(
    project: Project, name: str, injected: str
) -> None:
    env = {f"{name.upper()}_PORT": injected, f"{name.upper()}_SERVICE_HOST": "10.0.0.1",
           f"{name.upper()}_PORT_6379_TCP": injected, "KAFKA_PORT": injected}  # fmt: skip

    def address(text: str, **more: str) -> str:
        texts = project.load(text, {**env, **more}).service(name).texts
        (found,) = connect(service(name), texts)[0].values()
        return found

    section = f'[services.{name}]\nhost = "h"\n'
    assert address(section + "port = 7787\n") == "h:7787"
    usual = {"redis": 6379, "rabbitmq": 5672}[name]
    assert address(section) == f"h:{usual}"
    scheme = {"redis": "redis", "rabbitmq": "amqp"}[name]
    assert address("", **{f"{name.upper()}_URL": f"{scheme}://h"}) == f"h:{usual}"
    assert address(section, **{f"{name.upper()}_PORT": "7"}) == "h:7"


def test_the_provider_of_one_service_says_nothing_of_others(project: Project) -> None:
    settings = project.load('[services.kafka]\nprovider = "external"\n')
    assert settings.provider_of("redis")[0] == "auto"


# -- secrets -----------------------------------------------------------------
@pytest.mark.parametrize("key", ["password", "key_password"])
def test_secrets_stand_neither_in_the_file_nor_on_the_command_line(
    project: Project, key: str
) -> None:
    told = [
        project.trouble(f'[services.kafka]\n{key} = "swordfish-1"\n'),
        project.trouble(**{key: "swordfish-1"}),
        project.trouble(env={f"KAFKA_{key.upper()}": "x"}, **{key: "swordfish-1"}),
    ]
    for text in told:
        assert f"the secret kafka.{key} must not stand in" in text
        assert f"{key}_file" in text and f"KAFKA_{key.upper()}" in text
        assert "swordfish" not in text
    assert str(project.file) in told[0] and "command line" in told[1]


def test_secrets_are_masked_and_not_shown_by_repr(project: Project) -> None:
    settings = project.load(env={"KAFKA_PASSWORD": "swordfish-2"})
    assert settings.service("kafka").texts["password"] == "swordfish-2"
    assert mask("is swordfish-2 it?") == "is ***** it?"
    assert "swordfish" not in repr(settings)


def test_a_password_file(project: Project, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" sword fish-3 \n")
    toml = '[services.kafka]\nusername = "qa"\nbootstrap_servers = "a:1"\n'
    toml += 'password_file = "secret"\n'
    _, access = connect(service("kafka"), project.load(toml).service("kafka").texts)
    assert access.password == " sword fish-3 ", "blanks may be meant, the line's end is not"
    assert mask("it is sword fish-3, without blanks") == "it is *****, without blanks"
    assert "fish" not in repr(access)


@pytest.mark.parametrize(
    ("content", "told"),
    [("", "is empty"), ("\n", "is empty"), (None, "No such file"), (b"\xff\xfe\x00", "UTF-8")],
)
def test_a_password_file_without_a_password(
    project: Project, tmp_path: Path, content: Any, told: str
) -> None:
    if content is not None:
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / "secret").write_bytes(data)
    settings = project.load('[services.kafka]\nbootstrap_servers = "a:1"\npassword_file = "secret"')
    with pytest.raises(Trouble, match="password_file") as caught:
        connect(service("kafka"), settings.service("kafka").texts)
    assert told in str(caught.value)


def test_of_a_secret_and_its_file_the_higher_layer_counts(project: Project) -> None:
    toml = '[services.kafka]\npassword_file = "secret"\n'
    texts = project.load(toml, {"KAFKA_PASSWORD": "from-env"}).service("kafka").texts
    assert "password_file" not in texts and texts["password"] == "from-env"
    given = project.load(toml, {"KAFKA_PASSWORD": "from-env"}, password_file="mine")
    texts = given.service("kafka").texts
    assert "password" not in texts and texts["password_file"].endswith("mine")


# -- files -------------------------------------------------------------------
def test_paths_are_relative_to_what_names_them(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "elsewhere"
    here.mkdir()
    monkeypatch.chdir(here)
    toml = '[services.kafka]\nca_file = "ca.pem"\nkey_file = "/etc/key.pem"\n'
    texts = project.load(toml, {"KAFKA_CERTIFICATE_FILE": "mine.pem"}).service("kafka").texts
    assert texts["ca_file"] == str(tmp_path / "ca.pem")
    assert texts["certificate_file"] == str(here / "mine.pem"), "systems run in other directories"
    assert texts["key_file"] == "/etc/key.pem"
    assert project.load(toml, ca_file="x").service("kafka").texts["ca_file"] == str(here / "x")


# -- mistakes ----------------------------------------------------------------
def test_unknown_keys_and_services_name_the_nearest(project: Project) -> None:
    toml = project.trouble('[services.kafka]\nbootstrap_server = "a:1"\n')
    assert "did you mean 'bootstrap_servers'" in toml and str(project.file) in toml
    line = project.trouble(usrname="qa")
    assert "did you mean 'username'" in line and "command line" in line
    assert "did you mean 'kafka'" in project.trouble('[services.kafak]\nprovider = "native"\n')
    with pytest.raises(Trouble, match="no service is called 'kafak'"):
        load(project.file.parent, environment={}, command_line={"services.kafak.tls": "yes"})


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("[services]\nkafka = 3\n", "is not a section"),
        ('[services.kafka]\nprovider = "extern"\n', "did you mean 'external'"),
        ('[services.kafka]\nallow_destructive = "a:1"\n', "a list of addresses"),
        ("[services.kafka]\nallow_destructive = [9092]\n", "a list of addresses"),
        ('[services.kafka]\nbootstrap_servers = ["a:1", "b:2"]\n', "one value is expected"),
    ],
)
def test_mistakes_in_a_section(project: Project, toml: str, told: str) -> None:
    assert told in project.trouble(toml)


def test_only_the_file_allows_destruction(project: Project) -> None:
    toml = '[services.kafka]\nallow_destructive = ["a:1", "b:2"]\n'
    assert project.load(toml).service("kafka").allow_destructive == ("a:1", "b:2")
    for key in ("allow_destructive", "nodes", "nodes.broker-1.kill"):
        told = project.trouble(**{key: "a:1"})
        assert f"{key} cannot be given on the command line" in told and "stackproof.toml" in told
    env = {"KAFKA_ALLOW_DESTRUCTIVE": "a:1", VARIABLE: "a:1"}
    assert project.load("", env).service("kafka").allow_destructive == ()


def test_settings_cross_process_boundaries(project: Project) -> None:
    settings = project.load('[services.kafka]\ntls = true\nprovider = "external"\n')
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize(
    ("variable", "value", "key", "expected"),
    [
        ("INTEGRATION_TEST_TIMEOUT", "90", "run.scenario_timeout", 90.0),
        ("INTEGRATION_TEST_CLEANUP", "no", "run.cleanup", False),
        ("INTEGRATION_TEST_VERBOSE", "1", "run.verbose", True),
        ("LOG_LEVEL", "debug", "run.log_level", "DEBUG"),
        ("STACKPROOF_PREFIX", "ci-7", "run.prefix", "ci-7"),
    ],
)
def test_general_variables(
    project: Project, variable: str, value: str, key: str, expected: Any
) -> None:
    settings = project.load(env={variable: value})
    assert (settings[key], settings.origins[key]) == (expected, f"environment {variable}")
