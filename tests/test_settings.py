"""Where configuration comes together: layers, origins, and what is said about mistakes."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof import settings as settings_module
from stackproof import values
from stackproof.errors import Trouble
from stackproof.settings import SETTINGS, Settings, load
from stackproof.settings.systems import Mistake

BY_KEY = {setting.key: setting for setting in SETTINGS}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        file = tmp_path / "stackproof.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def loaded(directory: Path, **given: Any) -> Settings:
    return load(directory, **{"environment": {}, **given})


def trouble(directory: Path, **given: Any) -> str:
    with pytest.raises(Trouble) as caught:
        loaded(directory, **given)
    return str(caught.value)


# -- layers ------------------------------------------------------------------
def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    assert settings.file is None
    assert dict(settings.values) == {s.key: s.default for s in SETTINGS}
    assert set(settings.origins.values()) == {"default"}
    assert dict(settings.systems) == {}


def test_each_layer_overrides_the_one_below(tmp_path: Path, write: Callable[[str], Path]) -> None:
    key, variable = "run.scenario_timeout", "INTEGRATION_TEST_TIMEOUT"
    file = write("[run]\nscenario_timeout = 10\n")
    in_file = loaded(tmp_path)
    assert (in_file[key], in_file.origins[key]) == (10.0, str(file))
    in_environment = loaded(tmp_path, environment={variable: "20"})
    assert (in_environment[key], in_environment.origins[key]) == (20.0, f"environment {variable}")
    on_line = loaded(tmp_path, environment={variable: "20"}, command_line={key: "30"})
    assert (on_line[key], on_line.origins[key]) == (30.0, "command line")
    # The others are not touched.
    assert on_line.origins["run.verbose"] == "default"


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("INTEGRATION_TEST_TIMEOUT", "90", "run.scenario_timeout", 90.0),
        ("INTEGRATION_TEST_CLEANUP", "no", "run.cleanup", False),
        ("INTEGRATION_TEST_CLEANUP", "false", "run.cleanup", False),
        ("INTEGRATION_TEST_CLEANUP", "0", "run.cleanup", False),
        ("INTEGRATION_TEST_VERBOSE", "1", "run.verbose", True),
        ("INTEGRATION_TEST_VERBOSE", "True", "run.verbose", True),
        ("LOG_LEVEL", "DEBUG", "run.log_level", "DEBUG"),
        ("LOG_LEVEL", "warning", "run.log_level", "WARNING"),
        ("STACK", "native", "stack.provider", "native"),
        ("STACKPROOF_TIME_FACTOR", "2.5", "run.time_factor", 2.5),
        ("STACKPROOF_SEED", "42", "run.seed", 42),
    ],
)
def test_variables_of_the_requirements_are_known(
    tmp_path: Path, variable: str, text: str, key: str, value: object
) -> None:
    settings = loaded(tmp_path, environment={variable: text})
    assert settings[key] == value
    assert type(settings[key]) is type(value)
    assert settings.origins[key] == f"environment {variable}"


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.key)
def test_an_empty_variable_is_as_good_as_none(
    tmp_path: Path, setting: settings_module.Setting
) -> None:
    # CI systems pass unset variables on as empty ones; INTEGRATION_TEST_CLEANUP="" must
    # not leave stacks behind.
    settings = loaded(tmp_path, environment={setting.variable: ""})
    assert settings[setting.key] == setting.default
    assert settings.origins[setting.key] == "default"


def test_no_two_settings_share_a_key_or_a_variable() -> None:
    assert len({s.key for s in SETTINGS}) == len(SETTINGS)
    assert len({s.variable for s in SETTINGS}) == len(SETTINGS)


def test_toml_values_of_their_own_kind(tmp_path: Path, write: Callable[[str], Path]) -> None:
    write("[run]\ncleanup = false\nscenario_timeout = 7.5\nseed = 3\n[stack]\nprovider='auto'\n")
    settings = loaded(tmp_path)
    assert settings["run.cleanup"] is False
    assert settings["run.scenario_timeout"] == 7.5
    assert settings["run.seed"] == 3


# -- the file ----------------------------------------------------------------
def test_the_file_is_found_above(tmp_path: Path, write: Callable[[str], Path]) -> None:
    file = write("[run]\nverbose = true\n")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    settings = loaded(below)
    assert settings.file == file
    assert settings["run.verbose"] is True


def test_a_file_named_by_the_environment_wins(tmp_path: Path, write: Callable[[str], Path]) -> None:
    write("[run]\nseed = 1\n")
    other = tmp_path / "other.toml"
    other.write_text("[run]\nseed = 2\n")
    settings = loaded(tmp_path, environment={"STACKPROOF_CONFIG": str(other)})
    assert settings.file == other
    assert settings["run.seed"] == 2


def test_a_named_file_must_exist(tmp_path: Path, write: Callable[[str], Path]) -> None:
    write("")
    told = trouble(tmp_path, environment={"STACKPROOF_CONFIG": "no/such.toml"})
    assert "no/such.toml does not exist" in told
    assert "STACKPROOF_CONFIG" in told


def test_letters_beyond_ascii_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = "[systems.p]\ncommand=['p']\nready_line='läuft ✓'\n"
    (tmp_path / "stackproof.toml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert loaded(tmp_path).system("p").ready_line == "läuft ✓"


@pytest.mark.parametrize("content", [b"[run\n", b"[run]\nseed = \n", b"\xff\xfe[run]"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "stackproof.toml"
    file.write_bytes(content)
    assert f"{file} cannot be read" in trouble(tmp_path)


# -- mistakes ----------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "unknown", "hint"),
    [
        ("[run]\nscenario_timout = 5\n", "run.scenario_timout", "run.scenario_timeout"),
        ("[stack]\nprovidr = 'auto'\n", "stack.providr", "stack.provider"),
        ("[rum]\nverbose = true\n", "rum", "run"),
        ("[run.verbos]\nx = 1\n", "run.verbos", "run.verbose"),
        ("[system.p]\ncommand = ['p']\n", "system", "systems"),
    ],
)
def test_unknown_keys_name_the_nearest(
    tmp_path: Path, write: Callable[[str], Path], text: str, unknown: str, hint: str
) -> None:
    file = write(text)
    told = trouble(tmp_path)
    assert f"{unknown!r} is no setting" in told
    assert str(file) in told
    assert f"did you mean {hint!r}?" in told


def test_unknown_keys_without_a_neighbour_list_the_known(
    tmp_path: Path, write: Callable[[str], Path]
) -> None:
    write("[run]\nzzzzzz = 1\n")
    assert all(key in trouble(tmp_path) for key in BY_KEY)


def test_unknown_keys_of_the_command_line(tmp_path: Path) -> None:
    told = trouble(tmp_path, command_line={"run.sede": "1"})
    assert "'run.sede' is no setting" in told
    assert "command line" in told
    assert "did you mean 'run.seed'?" in told


def test_a_section_that_is_a_value(tmp_path: Path, write: Callable[[str], Path]) -> None:
    write("run = 5\n")
    assert "[run]" in trouble(tmp_path)


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("run.scenario_timeout", "soon", "a number above 0"),
        ("run.scenario_timeout", "0", "a number above 0"),
        ("run.scenario_timeout", "-1", "a number above 0"),
        ("run.scenario_timeout", "nan", "a number above 0"),
        ("run.scenario_timeout", "inf", "below a million"),
        ("run.cleanup", "maybe", "yes or no"),
        ("run.seed", "-1", "a whole number from 0"),
        ("run.seed", "1.5", "a whole number from 0"),
        ("run.log_level", "LOUD", "one of DEBUG, INFO, WARNING, ERROR"),
        ("run.log_level", "WARN", "did you mean 'WARNING'?"),
        ("stack.provider", "nativ", "did you mean 'native'?"),
    ],
)
def test_bad_values_say_what_is_expected_and_where_they_stand(
    tmp_path: Path, write: Callable[[str], Path], key: str, text: str, expected: str
) -> None:
    setting = BY_KEY[key]
    section, _, name = key.partition(".")
    from_line = trouble(tmp_path, command_line={key: text})
    from_environment = trouble(tmp_path, environment={setting.variable: text})
    file = write(f"[{section}]\n{name} = '{text}'\n")
    from_file = trouble(tmp_path)
    for told in (from_line, from_environment, from_file):
        assert f"the setting {key} cannot be {text!r}" in told
        assert expected in told
        assert repr(setting.default) in told
    assert "command line" in from_line
    assert setting.variable in from_environment
    assert str(file) in from_file


# -- parsing, whatever is written --------------------------------------------
@given(st.one_of(st.text(), st.floats().map(str), st.integers().map(str)))
def test_parsing_gives_a_fitting_value_or_says_what_is_expected(text: str) -> None:
    def parsed(parse: Callable[[str], Any]) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            assert "expected" in str(error)  # never Python's own words
            return None

    positive = parsed(values.positive)
    assert positive is None or 0 < positive < 1e6
    count = parsed(values.count)
    assert count is None or (isinstance(count, int) and count >= 0)
    fraction = parsed(values.fraction)
    assert fraction is None or 0 <= fraction <= 1
    assert parsed(values.flag) in (None, True, False)
    assert parsed(values.one_of("A", "b")) in (None, "A", "b")


@given(st.floats(0, 1e6, exclude_min=True, exclude_max=True))
def test_positive_numbers_are_read_as_written(number: float) -> None:
    assert values.positive(str(number)) == number


@given(st.integers(0, 10**12))
def test_counts_are_read_as_written(number: int) -> None:
    assert values.count(str(number)) == number


@given(st.floats(0, 1))
def test_fractions_are_read_as_written(number: float) -> None:
    assert values.fraction(str(number)) == number
    assert math.isfinite(values.fraction(str(number)))


# -- systems under test ------------------------------------------------------
SYSTEM = """
[systems.orders]
command = ["java", "-jar", "orders.jar", "--broker", "{kafka}"]
directory = "app"
ready_line = "started"
ready_within = 5
completeness = 0.8
[systems.orders.environment]
RETRIES = 3
DEBUG = true
[systems.orders.contracts]
input = "contracts/order.json"
[systems.orders.topics]
input = { partitions = 3, config = { "max.message.bytes" = 1000, "preallocate" = true } }
"""


EXACT = (
    "names = 'exact'\n"
    "topics = { input = { name = 'a' }, output = { name = 'b' }, dead_letter = { name = 'c' } }\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "order.json").write_text("{}")
    return tmp_path


def test_a_system(project: Path, write: Callable[[str], Path]) -> None:
    write(SYSTEM)
    system = loaded(project).system("orders")
    assert system.command[-1] == "{kafka}"
    assert system.directory == project / "app"
    assert system.contracts == {"input": project / "contracts" / "order.json"}
    assert (system.ready_line, system.ready_within, system.stop_within) == ("started", 5.0, 15.0)
    assert system.stop_exit_codes == (0, 143)
    assert system.completeness == 0.8
    assert system.environment == {"RETRIES": "3", "DEBUG": "true"}
    assert system.topics["input"].partitions == 3
    assert system.topics["input"].config == {"max.message.bytes": "1000", "preallocate": "true"}


def test_settings_cross_process_boundaries(project: Path, write: Callable[[str], Path]) -> None:
    write(SYSTEM)
    settings = loaded(project)
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_topic_settings_need_no_quotes(project: Path, write: Callable[[str], Path]) -> None:
    system = "[systems.a]\ncommand=['p']\nready_line='x'\n"
    write(f"{system}[systems.a.topics.input.config]\nmax.message.bytes = 9\n")
    assert loaded(project).system("a").topics["input"].config == {"max.message.bytes": "9"}


def test_what_a_system_is_granted(project: Path, write: Callable[[str], Path]) -> None:
    system = "[systems.a]\ncommand=['p']\nready_line='x'\n"
    write(system)
    limits = loaded(project).system("a").limits
    assert (limits.time_factor, limits.stalled_after, limits.ahead) == (1.0, 10.0, 500)
    write(f"{system}[systems.a.limits]\ntime_factor = 2.5\nstalled_after = 30\nahead = 50\n")
    limits = loaded(project).system("a").limits
    assert (limits.time_factor, limits.stalled_after, limits.ahead) == (2.5, 30.0, 50)


def test_an_attached_system(project: Path, write: Callable[[str], Path]) -> None:
    write(f"[systems.a]\nattach = true\n{EXACT}group = 'g'\nready_group = true\n")
    system = loaded(project).system("a")
    assert system.exact
    assert system.attach
    assert system.command == ()
    assert [system.topics[role].name for role in ("input", "output", "dead_letter")] == [*"abc"]


def test_names_and_kinds_of_its_own(project: Path, write: Callable[[str], Path]) -> None:
    write("""
        [systems.a]
        command = ["p"]
        ready_http = "http://127.0.0.1:{port}/ready"
        samples = "contracts/order.json"
        invalid_samples = "contracts"
        error_types = { missing_field = "E_M", invalid_json = "E_JSON", duplicate_field = "E_2" }
        error_words = { missing_field = "is missing" }
        not_applicable = { "that is null" = "tombstones delete" }
        mistakes = { "an unknown option" = { options = ["--x", "{input}"], told = "--x" } }
        """)
    system = loaded(project).system("a")
    assert not system.exact
    assert system.samples == project / "contracts" / "order.json"
    assert system.invalid_samples == project / "contracts"
    names = ("missing_field", "wrong_type", "invalid_json", "not_a_number", "duplicate_field")
    assert [system.error_type(name) for name in names] == [
        "E_M", "wrong_type", "E_JSON", "E_JSON", "E_2",
    ]  # fmt: skip
    assert replace(system, error_types={}).error_type("not_a_number") == "invalid_json"
    assert system.error_words == {"missing_field": "is missing"}
    assert system.not_applicable == {"that is null": "tombstones delete"}
    assert system.mistakes == {"an unknown option": Mistake(("--x", "{input}"), "--x")}


def test_what_features_call_it_and_its_messages(
    project: Path, write: Callable[[str], Path]
) -> None:
    start = "[systems.order-rater]\ncommand = ['p']\nready_line = 'x'\n"
    write(f"{start}nouns.input = ['late order', 'late orders']\nguarantee = 'exactly-once'\n")
    system = loaded(project).system("order-rater")
    assert system.called == "order rater"
    assert [system.noun("input", count) for count in (0, 1, 2)] == [
        "late orders", "late order", "late orders",
    ]  # fmt: skip
    assert (system.noun("output"), system.noun("output", 2)) == ("output", "outputs")
    assert system.exactly_once
    write(start)
    assert not loaded(project).system("order-rater").exactly_once
    assert loaded(project).system("order-rater").noun("input", 2) == "messages"


@pytest.mark.parametrize("name", ["leader", "Broker", "dead-letter-topic", "dead_letter_topic"])
def test_a_system_that_is_called_like_a_word_of_the_steps(
    tmp_path: Path, write: Callable[[str], Path], name: str
) -> None:
    write(f"[systems.{name}]\ncommand = ['p']\n")
    told = trouble(tmp_path)
    assert "has the name of a word of the steps" in told
    assert f"[systems.{name}-service]" in told


@pytest.mark.parametrize(
    ("lines", "services"),
    [
        ("command = ['p']", []),
        ("command = ['p', '--broker={kafka}']", ["kafka"]),
        ("command = ['p', '{kafka_client_properties}']", ["kafka"]),
        ("command = ['p', '{{kafka}}', '{port}']", []),
        ("command = ['p', '{input}']", ["kafka"]),
        ("command = ['p']\nenvironment = { URL = '{postgresql_url}' }", ["postgresql"]),
        ("command = ['p']\nuses = ['redis']\nenvironment = { GROUP = '{group}' }",
         ["kafka", "redis"]),
        ("command = ['p']\nmetrics = { url = '{rabbitmq_url}', received = 'n' }", ["rabbitmq"]),
        ("command = ['p']\ntopics.input = { partitions = 3 }", ["kafka"]),
        ("command = ['p', '{kafka']", []),
        (f"attach = true\n{EXACT}", ["kafka"]),
        ("component = 'a:B'\noptions = { url = '{postgresql_url}', size = 10 }", ["postgresql"]),
    ],
)  # fmt: skip
def test_what_a_system_needs_follows_from_its_fields(
    tmp_path: Path, write: Callable[[str], Path], lines: str, services: list[str]
) -> None:
    ready = "" if "attach" in lines or "component" in lines else "ready_line = 'x'\n"
    write(f"[systems.a]\n{ready}{lines}\n")
    assert list(loaded(tmp_path).system("a").services) == services


def test_an_unknown_system_names_the_nearest(project: Path, write: Callable[[str], Path]) -> None:
    write(SYSTEM)
    settings = loaded(project)
    with pytest.raises(Trouble, match="did you mean 'orders'") as caught:
        settings.system("order")
    assert str(settings.file) in str(caught.value)
    with pytest.raises(Trouble, match=r"add a section \[systems.zzz\]"):
        settings.system("zzz")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", "no usable command"),
        ("command = []", "no usable command"),
        ("command = ['']", "no usable command"),
        ("command = 'python -m p'", "no usable command"),
        ("command = ['p', 5]", "no usable command"),
        ("command = ['p']\ndirectory = 'nowhere'", "nowhere does not exist"),
        ("command = ['p']\ndirectory = 5", "cannot be used"),
        ("command = ['p']\ncontracts = { input = 'no.json' }", "no.json does not exist"),
        ("command = ['p']\ncontracts = 'order.json'", "contracts cannot be 'order.json'"),
        ("command = ['p']\nenvironment = 5", "environment cannot be 5"),
        ("command = ['p']\ncomplete = 0.5", "did you mean 'completeness'?"),
        ("command = ['p']\nlimits.timefactor = 2", "did you mean 'time_factor'?"),
        ("command = ['p']\nlimits.ahead = 0", "ahead cannot be 0: a whole number from 1"),
        ("command = ['p']\nlimits.time_factor = 0", "time_factor cannot be 0: a number above 0"),
        ("command = ['p']\ncompleteness = 80", "completeness cannot be 80: a fraction"),
        ("command = ['p']\nready_within = 0", "ready_within cannot be 0: a number above 0"),
        ("command = ['p']\nstop_within = 'x'", "stop_within cannot be 'x'"),
        ("command = ['p']\nmetrics = { url = 'u' }", "one counter at least"),
        ("command = ['p']\nmetrics = { received = 'n' }", "metrics needs a url"),
        ("command = ['p']\nmetrics = { url = 'u', sent = 'n' }", "'sent' is no setting"),
        ("command = ['p']\nmetrics = { predictions = 'n' }", "is now called 'outputs'"),
        ("command = ['p']\ncontracts.customer = 'c.json'", "is now called 'input'"),
        ("command = ['p']\ncontracts.vectors = 'c.json'", "write input = 'c.json'"),
        ("command = ['p']\ncontracts.prediction = 'c.json'", "is now called 'output'"),
        ("command = ['p']\ncontracts.outputs = 'c.json'", "did you mean 'output'?"),
        (
            "command = ['p']\nnouns.input = 'order'",
            "nouns.input cannot be 'order': one and several",
        ),
        ("command = ['p']\nnouns.input = ['order']", "nouns.input cannot be ['order']"),
        ("command = ['p']\nnouns.input = ['{a}', 'b']", "nouns.input cannot be ['{a}', 'b']"),
        ("command = ['p']\nnouns.inputs = ['a', 'b']", "did you mean 'input'?"),
        ("command = ['p']\nuses = 'kafka'", "a list is expected"),
        ("command = ['p']\nuses = ['kafak']", "did you mean 'kafka'?"),
        ("command = ['p']\nguarantee = 'at-most-once'", "did you mean 'at-least-once'?"),
        ("command = ['p']\nmistakes = { 'an unknow option' = 5 }", "mean 'an unknown option'?"),
        ("command = ['p']\nmistakes = { 'an unknown option' = 5 }", "cannot be 5: options and"),
        ("command = ['p']\nmistakes.'an unknown option' = { options = ['x'] }", "cannot be {"),
        ("command = ['p']\nkeeps_partition = 'perhaps'", "keeps_partition cannot be 'perhaps'"),
        ("command = ['p']\nstop_exit_codes = 143", "stop_exit_codes cannot be 143"),
        ("command = ['p']\nstop_exit_codes = []", "a list of exit codes is expected"),
        ("command = ['p']\nstop_exit_codes = [true]", "stop_exit_codes cannot be"),
        ("command = ['p']\nstop_exit_codes = [0, 256]", "-15 stands for"),
        ("command = ['p']\ntopics = 5", "topics cannot be 5"),
        ("command = ['p']\ntopics = { input = 5 }", "topics.input cannot be 5"),
        ("command = ['p']\ntopics = { input = { partition = 1 } }", "topics.input has no"),
        ("command = ['p']\ntopics = { input = { partitions = 0 } }", "a whole number from 1"),
        ("command = ['p']\ntopics = { input = { partitions = 1.5 } }", "a whole number from 1"),
        ("command = ['p']\ntopics = { input = { config = 5 } }", "topics.input: config cannot be"),
        ("command = ['p']", "exactly one sign that the system is ready is needed, and it has none"),
        ("command = ['p']\nready_line = 'x'\nready_port = 80", "it has ready_line and ready_port"),
        ("command = ['p']\nready_group = 'soon'", "ready_group cannot be 'soon'"),
        ("command = ['p']\nready_line = ['x']", "ready_line cannot be ['x']: a text"),
        ("attach = true", 'needs names = "exact"'),
        ("attach = true\ncommand = ['p']", "launches nothing, so command has no meaning"),
        ("attach = true\nready_line = 'x'", "launches nothing, so ready_line has no meaning"),
        (f"attach = true\n{EXACT}ready_group = true", "needs the name of the group"),
        ("command = ['p']\nready_line = 'x'\nnames = 'exact'", "topics.input has none"),
        ("command = ['p']\nnames = 'exakt'", "did you mean 'exact'?"),
        (f"attach = true\n{EXACT}".replace("'b'", "'a'"), "must differ, not a, a, c"),
        ("command = ['p']\nerror_types = { missing_feld = 'E' }", "did you mean 'missing_field'?"),
        ("command = ['p']\nnot_applicable = { 'that is nul' = 'x' }", "mean 'that is null'?"),
        ("command = ['p']\nsamples = 'none.jsonl'", "none.jsonl does not exist"),
        ("command = ['p']\ninvalid_samples = 'none'", "none does not exist"),
    ],
)
def test_mistakes_in_a_system_name_the_place(
    project: Path, write: Callable[[str], Path], lines: str, expected: str
) -> None:
    file = write(f"[systems.orders]\n{lines}\n")
    told = trouble(project)
    assert expected in told
    assert f"in {file}" in told
    assert "[systems.orders" in told


def test_a_system_that_is_a_value(tmp_path: Path, write: Callable[[str], Path]) -> None:
    write("[systems]\norders = 5\n")
    assert "[systems.orders]" in trouble(tmp_path)
