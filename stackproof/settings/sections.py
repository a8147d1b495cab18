"""Reading a section ``[systems.NAME]``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from stackproof import values
from stackproof.errors import Trouble
from stackproof.paths import absolute
from stackproof.services import service_names
from stackproof.settings.systems import (
    AT_LEAST_ONCE,
    EXACT,
    EXACTLY_ONCE,
    NOUNS,
    OWN,
    ROLES,
    Limits,
    MetricsSettings,
    Mistake,
    SystemSettings,
    TopicSettings,
    spoken,
)
from stackproof.settings.vocabulary import ERROR_TYPES, FINER, FLAWS, MISTAKES, RESERVED

#: What the roles of contracts, and what counters count, were called before.
_FORMER_ROLES = {"customer": "input", "vectors": "input", "prediction": "output"}
_FORMER_COUNTERS = {"predictions": "outputs"}
_NOUN = re.compile(r"[^\W_]+(?:[ -][^\W_]+)*")
#: Exactly one of these says when a launched system is ready.
READINESS = ("ready_line", "ready_http", "ready_port", "ready_group")
_LAUNCHING = {
    "command", "directory", "environment", "ready_line", "stop_within", "stop_exit_codes",
    "mistakes",
}  # fmt: skip
_COUNTERS = ("received", "outputs", "dead_letters")


def read_system(name: str, table: Any, file: Path | None) -> SystemSettings:
    """Read one section ``[systems.NAME]``.

    Raises:
        Trouble: an unknown key or a value that cannot be understood.
    """
    where = f"[systems.{name}] in {file}"
    assert file is not None
    if not isinstance(table, dict):
        raise Trouble(f"{where} is not a section", "", f"write [systems.{name}]")
    if spoken(name).lower() in RESERVED:
        raise Trouble(
            f"{where} has the name of a word of the steps",
            f'in features, "the {spoken(name)}" is something else',
            f"choose another name, e.g. [systems.{name}-service]",
        )
    for key in table:
        if key not in (*_READERS, "command"):
            raise values.unknown_key(key, (*_READERS, "command"), where)
    try:
        attach = values.value(table, "attach", values.flag, False)
        hosted = table.get("component") and "command" not in table
        command = () if attach or hosted else _command(table, where)
        given = {"directory": ".", **{key: table[key] for key in table if key != "command"}}
        read = {
            key: _READERS[key](_Entry(given, key, f"[systems.{name}.{key}] in {file}", file.parent))
            for key in given
        }
        system = SystemSettings(name=name, command=command, **read)
        _check(system, table)
    except (ValueError, TypeError) as error:
        raise Trouble(f"{where} cannot be used", str(error), "correct it") from error
    return system


class _Entry(NamedTuple):
    """One value of a section: where it stands, and where its paths begin."""

    table: Mapping[str, Any]
    key: str
    where: str
    base: Path

    @property
    def value(self) -> Any:
        return self.table[self.key]

    def inner(self) -> dict[str, Any]:
        return values.table(self.table, self.key)


_Reader = Callable[[_Entry], Any]


def _parsed(parse: Callable[[str], Any]) -> _Reader:
    return lambda entry: values.value(entry.table, entry.key, parse, None)


def _path(what: str, *, folder: bool | None = False) -> _Reader:
    return lambda entry: _existing(entry.base, entry.value, what, folder=folder)


def _named(*known: str) -> _Reader:
    """Texts by these names."""

    def read(entry: _Entry) -> dict[str, str]:
        _refuse_unknown(entry, known)
        return _texts(entry)

    return read


def _refuse_unknown(
    entry: _Entry, known: Iterable[str], former: Mapping[str, str] = MappingProxyType({})
) -> None:
    """An unknown name below a key: told with the nearest one, or with what it is called now."""
    for name in entry.value if isinstance(entry.value, dict) else ():
        if name in former:
            raise Trouble(
                f"{name!r} is now called {former[name]!r}",
                f"it stands in: {entry.where}",
                f"write {former[name]} = {entry.value[name]!r}",
            )
        if name not in known:
            raise values.unknown_key(name, known, entry.where)


def _text(entry: _Entry) -> str:
    if isinstance(entry.value, dict | list):
        raise TypeError(f"{entry.key} cannot be {entry.value!r}: a text is expected")
    return values.text(entry.value)


def _texts(entry: _Entry) -> dict[str, str]:
    return {name: values.text(value) for name, value in entry.inner().items()}


def _contracts(entry: _Entry) -> dict[str, Path]:
    _refuse_unknown(entry, ROLES, _FORMER_ROLES)
    return {role: _existing(entry.base, path, "contract") for role, path in entry.inner().items()}


def _limits(entry: _Entry) -> Limits:
    _refuse_unknown(entry, [field.name for field in fields(Limits)])
    table, usual = entry.inner(), Limits()
    return Limits(
        time_factor=values.value(table, "time_factor", values.positive, usual.time_factor),
        stalled_after=values.value(table, "stalled_after", values.positive, usual.stalled_after),
        ahead=values.value(table, "ahead", values.from_one, usual.ahead),
    )


def _nouns(entry: _Entry) -> dict[str, tuple[str, str]]:
    _refuse_unknown(entry, NOUNS)
    for role, given in entry.inner().items():
        words = given if isinstance(given, list) else []
        if len(words) != 2 or not all(isinstance(w, str) and _NOUN.fullmatch(w) for w in words):
            raise ValueError(
                f"nouns.{role} cannot be {given!r}: one and several are expected, e.g. "
                f'{role} = ["order", "orders"]'
            )
    return {role: (one, several) for role, (one, several) in entry.inner().items()}


def _uses(entry: _Entry) -> tuple[str, ...]:
    known = service_names()
    if not isinstance(entry.value, list):
        raise TypeError(f'uses cannot be {entry.value!r}: a list is expected, e.g. ["kafka"]')
    for name in entry.value:
        if name not in known:
            raise ValueError(
                f"uses names {name!r}, and the services are {', '.join(known)}; "
                + values.did_you_mean(str(name), known, "correct it")
            )
    return tuple(entry.value)


def _metrics(entry: _Entry) -> MetricsSettings:
    _refuse_unknown(entry, ("url", *_COUNTERS), _FORMER_COUNTERS)
    counters = _texts(entry)
    url = counters.pop("url", "")
    if not url or not counters:
        raise ValueError(f"metrics needs a url and one counter at least: {', '.join(_COUNTERS)}")
    return MetricsSettings(url, counters)


def _mistakes(entry: _Entry) -> dict[str, Mistake]:
    _refuse_unknown(entry, MISTAKES)
    return {name: _mistake(name, mistake) for name, mistake in entry.inner().items()}


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
        if system.metrics.url:
            raise ValueError("metrics has no meaning for a system that has counted before (attach)")
        if system.ready_group and not system.group:
            raise ValueError("ready_group = true needs the name of the group: group = ...")
    if system.exact:
        unnamed = [r for r in system.roles if r not in system.topics or not system.topics[r].name]
        if unnamed:
            raise ValueError(
                f'names = "exact" needs the name of each topic, and topics.{unnamed[0]} '
                f'has none: {unnamed[0]} = {{ name = "..." }}'
            )
        named = [system.topics[r].name for r in system.roles]
        if len(set(named)) < len(named):
            raise ValueError(f"input, output and dead_letter must differ, not {', '.join(named)}")


def _mistake(name: str, table: Any) -> Mistake:
    options, told = (table.get("options"), table.get("told")) if isinstance(table, dict) else (0, 0)
    if (not isinstance(options, list) or not options or not isinstance(told, str) or not told
            or not all(isinstance(word, str) for word in options) or len(table) > 2):  # fmt: skip
        raise ValueError(
            f"mistakes.{name!r} cannot be {table!r}: options and what its message must tell are "
            'expected, e.g. { options = ["--port", "0"], told = "--port" }'
        )
    return Mistake(tuple(options), told)


def _exit_codes(entry: _Entry) -> tuple[int, ...]:
    given = entry.value
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


def _topics(entry: _Entry) -> dict[str, TopicSettings]:
    _refuse_unknown(entry, ROLES)
    return {role: _topic(role, topic) for role, topic in entry.inner().items()}


def _errors(entry: _Entry) -> dict[str, tuple[str, ...]]:
    """One kind of error, or several, by word."""
    found = {}
    for word, given in entry.inner().items():
        kinds = given if isinstance(given, list) else [given]
        if not all(isinstance(kind, str) for kind in kinds):
            raise TypeError(f"errors cannot be {given!r}: a text or a list of texts is expected")
        found[word] = tuple(kinds)
    return found


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
        return TopicSettings(partitions, config, values.text(table.get("name", "")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"topics.{role}: {error}") from None


#: How each key of a section is read, besides its command; what is absent is as by default.
_READERS: Mapping[str, _Reader] = {
    "attach": _parsed(values.flag),
    "completeness": _parsed(values.fraction),
    "component": _text,
    "contracts": _contracts,
    "directory": _path("directory", folder=True),
    "environment": _texts,
    "errors": _errors,
    "error_types": _named(*ERROR_TYPES, *FINER),
    "error_words": _named(*ERROR_TYPES, *FINER),
    "group": _text,
    "guarantee": _parsed(values.one_of(AT_LEAST_ONCE, EXACTLY_ONCE)),
    "invalid_samples": _path("samples", folder=None),
    "keeps_partition": _parsed(values.flag),
    "limits": _limits,
    "methods": _texts,
    "fields": _texts,
    "metrics": _metrics,
    "mistakes": _mistakes,
    "names": _parsed(values.one_of(OWN, EXACT)),
    "not_applicable": _named(*FLAWS),
    "nouns": _nouns,
    "options": _Entry.inner,
    "ready_group": _parsed(values.flag),
    "ready_http": _text,
    "ready_line": _text,
    "ready_port": _text,
    "ready_within": _parsed(values.positive),
    "samples": _path("file of samples"),
    "stop_exit_codes": _exit_codes,
    "stop_within": _parsed(values.positive),
    "topics": _topics,
    "uses": _uses,
}
