"""Systems under test as ``[systems.NAME]`` describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from stackproof import values
from stackproof.errors import Trouble
from stackproof.paths import absolute
from stackproof.polling import STALLED_AFTER
from stackproof.settings.vocabulary import ERROR_TYPES, FINER, FLAWS, MISTAKES

OWN = "own"
EXACT = "exact"
#: Exactly one of these says when a launched system is ready.
READINESS = ("ready_line", "ready_http", "ready_port", "ready_group")
_LAUNCHING = {
    "command", "directory", "environment", "ready_line", "stop_within", "stop_exit_codes",
    "mistakes",
}  # fmt: skip
#: How a program ends that was told to: as it likes, or as shells and Java tell of SIGTERM.
STOP_EXIT_CODES = (0, 143)
_SYSTEM_KEYS = {
    *_LAUNCHING, *READINESS, "attach", "ready_within", "names", "group", "topics",
    "contracts", "completeness", "limits", "samples", "invalid_samples", "error_types",
    "error_words", "not_applicable", "keeps_partition", "metrics", "component", "options",
    "methods", "errors",
}  # fmt: skip


@dataclass(frozen=True)
class TopicSettings:
    """One topic of a system.

    Attributes:
        partitions: of the topic, when it is made for the system.
        config: topic settings by Kafka's names, when it is made for the system.
        name: exact name, or the beginning of the scenario's own; empty: after its role.
    """

    partitions: int = 1
    config: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class Limits:
    """What a system is granted that features do not know of.

    Attributes:
        time_factor: multiplies every time limit for what it is to do, besides the run's own.
        stalled_after: seconds without progress after which it counts as stalled, not as late.
        ahead: messages that keep arriving are at most so many ahead of what has come out.
    """

    time_factor: float = 1.0
    stalled_after: float = STALLED_AFTER
    ahead: int = 500


@dataclass(frozen=True)
class MetricsSettings:
    """A system's own counters.

    Attributes:
        url: address that answers in the text format of Prometheus; empty: there is none.
        counters: names of samples by what they count (received, predictions, dead_letters).
    """

    url: str = ""
    counters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Mistake:
    """A command line that a system must refuse.

    Attributes:
        options: added to the end of its command; fields are filled in.
        told: text that its message must hold.
    """

    options: tuple[str, ...]
    told: str


@dataclass(frozen=True)
class SystemSettings:
    """A system under test as ``[systems.NAME]`` describes it.

    Attributes:
        name: as features call it.
        command: program and arguments; ``{}`` fields are filled in when it is launched.
            Empty when it is attached.
        directory: working directory, absolute.
        environment: variables added to its environment; fields are filled in too.
        contracts: JSON Schema files by role (customer, prediction, dead_letter), absolute.
        completeness: fraction of valid inputs that must come out, 0 to 1.
        ready_line: text in its output that says it is ready.
        ready_http: address that answers with 2xx when it is ready.
        ready_port: ``port`` or ``host:port`` that accepts connections when it is ready.
        ready_group: it is ready when its consumer group has a new member.
        ready_within: seconds from launch to ready.
        stop_within: seconds from SIGTERM to its end.
        stop_exit_codes: what it may end with then; negative: killed by that signal.
        topics: by role (input, output, dead_letter).
        names: "own": topics and group are the scenario's own; "exact": taken literally.
        group: the consumer group's name; empty: after the system, unknown if attached.
        attach: it runs already; nothing is launched.
        samples: JSONL file of valid inputs to take instead of generated ones.
        invalid_samples: JSONL file or directory of invalid inputs.
        error_types: the system's names of error types, by the features' names.
        error_words: how its errors' texts word the rule that is broken, by the same names.
        not_applicable: kinds of invalid messages that the system does not have, with reasons.
        limits: what it is granted beyond the features' limits.
        keeps_partition: it promises that an output is in the partition of its input.
        metrics: its own counters.
        mistakes: what it must refuse at its start, by the features' names.
        component: ``package.module:Class`` that is hosted in a process of its own, or what a
            ``command`` that answers lines of JSON is called; empty: it is a program.
        options: arguments of a component; fields in texts are filled in.
        methods: how a component wants to be called, by the features' names of its methods.
        errors: kinds of a component's errors, by the features' words for them.
    """

    name: str
    command: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    contracts: Mapping[str, Path] = field(default_factory=dict)
    completeness: float = 1.0
    ready_line: str = ""
    ready_within: float = 30.0
    stop_within: float = 15.0
    stop_exit_codes: tuple[int, ...] = STOP_EXIT_CODES
    topics: Mapping[str, TopicSettings] = field(default_factory=dict)
    ready_http: str = ""
    ready_port: str = ""
    ready_group: bool = False
    names: str = OWN
    group: str = ""
    attach: bool = False
    samples: Path | None = None
    invalid_samples: Path | None = None
    error_types: Mapping[str, str] = field(default_factory=dict)
    error_words: Mapping[str, str] = field(default_factory=dict)
    not_applicable: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()
    keeps_partition: bool = False
    metrics: MetricsSettings = MetricsSettings()
    mistakes: Mapping[str, Mistake] = field(default_factory=dict)
    component: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    methods: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def exact(self) -> bool:
        """Whether topics and group are taken literally."""
        return self.names == EXACT

    def error_type(self, name: str) -> str:
        """The system's own name for an error type of the features."""
        common = FINER.get(name, name)
        return self.error_types.get(name, self.error_types.get(common, common))


def read_system(name: str, table: Any, file: Path | None) -> SystemSettings:
    """Read one section ``[systems.NAME]``.

    Raises:
        Trouble: an unknown key or a value that cannot be understood.
    """
    where = f"[systems.{name}] in {file}"
    assert file is not None
    if not isinstance(table, dict):
        raise Trouble(f"{where} is not a section", "", f"write [systems.{name}]")
    for key in table:
        if key not in _SYSTEM_KEYS:
            raise values.unknown_key(key, _SYSTEM_KEYS, where)
    errors = (*ERROR_TYPES, *FINER)
    for key, known in (
        ("error_types", errors), ("error_words", errors), ("not_applicable", FLAWS),
        ("mistakes", MISTAKES),
    ):  # fmt: skip
        given = table.get(key, {})
        for word in given if isinstance(given, dict) else ():
            if word not in known:
                raise values.unknown_key(word, known, f"[systems.{name}.{key}] in {file}")
    base = file.parent
    try:
        attach = values.value(table, "attach", values.flag, False)
        system = SystemSettings(
            name=name,
            command=() if attach or _hosted(table) else _command(table, where),
            directory=_existing(base, table.get("directory", "."), "directory", folder=True),
            environment={k: values.text(v) for k, v in values.table(table, "environment").items()},
            contracts={
                role: _existing(base, path, "contract")
                for role, path in values.table(table, "contracts").items()
            },
            completeness=values.value(table, "completeness", values.fraction, 1.0),
            ready_line=_text(table, "ready_line"),
            ready_within=values.value(table, "ready_within", values.positive, 30.0),
            stop_within=values.value(table, "stop_within", values.positive, 15.0),
            stop_exit_codes=_exit_codes(table),
            topics={
                role: _topic(role, topic) for role, topic in values.table(table, "topics").items()
            },
            ready_http=_text(table, "ready_http"),
            ready_port=_text(table, "ready_port"),
            ready_group=values.value(table, "ready_group", values.flag, False),
            names=values.value(table, "names", values.one_of(OWN, EXACT), OWN),
            group=_text(table, "group"),
            attach=attach,
            samples=_existing(base, table["samples"], "file of samples")
            if "samples" in table
            else None,
            invalid_samples=_existing(base, table["invalid_samples"], "samples", folder=None)
            if "invalid_samples" in table
            else None,
            error_types=_texts(table, "error_types"),
            error_words=_texts(table, "error_words"),
            not_applicable=_texts(table, "not_applicable"),
            limits=_limits(values.table(table, "limits"), f"[systems.{name}.limits] in {file}"),
            keeps_partition=values.value(table, "keeps_partition", values.flag, False),
            metrics=_metrics(_texts(table, "metrics"), attach),
            mistakes={
                name: _mistake(name, mistake)
                for name, mistake in values.table(table, "mistakes").items()
            },
            component=_text(table, "component"),
            options=values.table(table, "options"),
            methods=_texts(table, "methods"),
            errors={word: _kinds(kinds) for word, kinds in values.table(table, "errors").items()},
        )
        _check(system, table)
    except (ValueError, TypeError) as error:
        raise Trouble(f"{where} cannot be used", str(error), "correct it") from error
    return system


def _hosted(table: Mapping[str, Any]) -> bool:
    """Whether it is a class that the suite hosts: then it needs no command."""
    return bool(table.get("component")) and "command" not in table


def _limits(table: Mapping[str, Any], where: str) -> Limits:
    known = {field.name for field in fields(Limits)}
    for key in table:
        if key not in known:
            raise values.unknown_key(key, known, where)
    usual = Limits()
    return Limits(
        time_factor=values.value(table, "time_factor", values.positive, usual.time_factor),
        stalled_after=values.value(table, "stalled_after", values.positive, usual.stalled_after),
        ahead=values.value(table, "ahead", values.from_one, usual.ahead),
    )


def _command(table: Mapping[str, Any], where: str) -> tuple[str, ...]:
    command = table.get("command")
    if (not isinstance(command, list) or not command
            or not all(isinstance(word, str) for word in command) or not command[0]):  # fmt: skip
        raise Trouble(
            f"{where} has no usable command",
            "`command` must be a list of strings: the program and its arguments",
            'e.g. command = ["python", "-m", "my_pipeline", "--broker", "{kafka}"], '
            "or attach = true for a system that runs already",
        )
    return tuple(command)


def _check(system: SystemSettings, table: Mapping[str, Any]) -> None:
    """What single values cannot tell: whether they fit together."""
    ready = [key for key in READINESS if table.get(key) not in (None, "", False)]
    if system.component:
        if ready or system.attach:
            raise ValueError(f"a component is ready when it answers: {(*ready, 'attach')[0]} has "
                             "no meaning")  # fmt: skip
        return
    if len(ready) > 1 or (not ready and not system.attach):
        has = f"it has {' and '.join(ready)}" if ready else "it has none"
        raise ValueError(
            f"exactly one sign that the system is ready is needed, and {has}: ready_line (text in "
            "its output), ready_http (address that answers 2xx), ready_port, or "
            "ready_group = true (its consumer group has a new member)"
        )
    if system.attach:
        idle = sorted(_LAUNCHING & set(table))
        if idle:
            raise ValueError(f"attach = true launches nothing, so {idle[0]} has no meaning")
        if not system.exact:
            raise ValueError(
                'attach = true needs names = "exact": a system that runs already has its topics'
            )
        if system.ready_group and not system.group:
            raise ValueError("ready_group = true needs the name of the group: group = ...")
    if system.exact:
        unnamed = [r for r in ("input", "output", "dead_letter")
                   if r not in system.topics or not system.topics[r].name]  # fmt: skip
        if unnamed:
            raise ValueError(
                f'names = "exact" needs the name of each topic, and topics.{unnamed[0]} '
                f'has none: {unnamed[0]} = {{ name = "..." }}'
            )
        named = [system.topics[r].name for r in ("input", "output", "dead_letter")]
        if len(set(named)) < len(named):
            raise ValueError(f"input, output and dead_letter must differ, not {', '.join(named)}")


_COUNTERS = ("received", "predictions", "dead_letters")


def _metrics(table: Mapping[str, str], attach: bool) -> MetricsSettings:
    if not table:
        return MetricsSettings()
    counters = {name: counter for name, counter in table.items() if name != "url"}
    if unknown := sorted(set(counters) - set(_COUNTERS)):
        raise ValueError(f"metrics has no {unknown[0]!r}, only url and {', '.join(_COUNTERS)}")
    if "url" not in table or not counters:
        raise ValueError(f"metrics needs a url and one counter at least: {', '.join(_COUNTERS)}")
    if attach:
        raise ValueError("metrics has no meaning for a system that has counted before (attach)")
    return MetricsSettings(table["url"], counters)


def _mistake(name: str, table: Any) -> Mistake:
    options, told = (table.get("options"), table.get("told")) if isinstance(table, dict) else (0, 0)
    if (not isinstance(options, list) or not options or not isinstance(told, str) or not told
            or not all(isinstance(word, str) for word in options) or len(table) > 2):  # fmt: skip
        raise ValueError(
            f"mistakes.{name!r} cannot be {table!r}: options and what its message must tell are "
            'expected, e.g. { options = ["--port", "0"], told = "--port" }'
        )
    return Mistake(tuple(options), told)


def _exit_codes(table: Mapping[str, Any]) -> tuple[int, ...]:
    given = table.get("stop_exit_codes", list(STOP_EXIT_CODES))
    known = isinstance(given, list) and given and all(
        type(code) is int and -64 <= code <= 255 for code in given
    )  # fmt: skip
    if not known:
        raise ValueError(
            f"stop_exit_codes cannot be {given!r}: a list of exit codes is expected, such as "
            "[0, 143]; -15 stands for a program that SIGTERM (15) kills"
        )
    return tuple(given)


def _existing(base: Path, path: Any, what: str, *, folder: bool | None = False) -> Path:
    if not isinstance(path, str):
        raise TypeError(f"{what} cannot be {path!r}: a path is expected")
    place = absolute(path, base).resolve()
    there = {True: place.is_dir, False: place.is_file, None: place.exists}[folder]()
    if not there:
        raise ValueError(f"{what} {place} does not exist")
    return place


def _text(table: Mapping[str, Any], key: str) -> str:
    found = table.get(key, "")
    if isinstance(found, dict | list):
        raise TypeError(f"{key} cannot be {found!r}: a text is expected")
    return values.text(found)


def _texts(table: Mapping[str, Any], key: str) -> dict[str, str]:
    return {k: values.text(v) for k, v in values.table(table, key).items()}


def _kinds(given: Any) -> tuple[str, ...]:
    """One kind of error, or several."""
    kinds = given if isinstance(given, list) else [given]
    if not all(isinstance(kind, str) for kind in kinds):
        raise TypeError(f"errors cannot be {given!r}: a text or a list of texts is expected")
    return tuple(kinds)


def _topic(role: str, table: Any) -> TopicSettings:
    if not isinstance(table, dict):
        raise TypeError(f"topics.{role} cannot be {table!r}: names with values are expected")
    unknown = sorted(set(table) - {"partitions", "config", "name"})
    if unknown:
        raise ValueError(f"topics.{role} has no {unknown[0]!r}, only name, partitions and config")
    try:
        config = {
            name: values.text(value) for name, value in values.flat(values.table(table, "config"))
        }
        partitions = values.value(table, "partitions", values.from_one, 1)
        return TopicSettings(partitions, config, _text(table, "name"))
    except (ValueError, TypeError) as error:
        raise ValueError(f"topics.{role}: {error}") from None
