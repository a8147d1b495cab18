"""behave's own settings, read as plain behave does: what is wrong in them is named."""

from __future__ import annotations

import configparser
import contextlib
import importlib
import io
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from behave import configuration
from behave.configuration import Configuration

from stackproof import texts
from stackproof.errors import Trouble

_FILES = "behave.ini, .behaverc, setup.cfg, tox.ini, pyproject.toml here and in the home directory"


def read(arguments: Sequence[str]) -> Configuration:
    """The configuration that behave makes of its files and of command line arguments.

    Raises:
        Trouble: something in it is not understood.
    """
    said = io.StringIO()
    try:
        # Its parser tells what is wrong below a page of usage.
        with _files_named(), contextlib.redirect_stderr(said):
            made = Configuration(list(arguments))
    except Trouble:
        raise
    except SystemExit:
        raise _wrong(said.getvalue().strip().splitlines()[-1].partition("error: ")[2]) from None
    except Exception as error:
        raise _wrong(f"{type(error).__name__}: {error}") from error
    if made.lang == "help":
        raise _wrong("lang = help makes it list languages, and run nothing")
    return made


def runner(default: str, ours: type) -> str:
    """The runner class that the files name when it is ``ours`` or made of it; else the default."""
    found: dict[str, Any] = {}
    with _files_named():
        configuration.load_configuration(found)
    named = str(found.get("runner", default))
    aliases = found.get("more_runners", {})
    module, _, name = aliases.get(named, named).partition(":")
    with contextlib.suppress(Exception):  # behave has no way to say that it is none
        if issubclass(getattr(importlib.import_module(module), name), ours):
            return named
    return default


def _wrong(why: str) -> Trouble:
    return Trouble("behave's settings are not understood", why, f"correct the option, or: {_FILES}")


@contextmanager
def _files_named() -> Iterator[None]:
    """Inside, behave's files are texts in UTF-8, and each error names its file."""
    original = {name: getattr(configuration, name) for name in ("ConfigParser", "tomllib",
                "read_configuration")}  # fmt: skip

    def read_file(path: str, verbose: bool = False) -> Any:
        try:
            return original["read_configuration"](path, verbose)
        except Trouble:
            raise
        except Exception as error:
            raise Trouble(f"{path} cannot be read", str(error), "correct the file") from error

    configuration.ConfigParser = _Texts
    configuration.tomllib = _Toml
    configuration.read_configuration = read_file
    try:
        yield
    finally:
        for name, value in original.items():
            setattr(configuration, name, value)


class _Texts(configparser.ConfigParser):
    def read(self, filenames: Any, encoding: Any = None) -> Any:
        self.read_string(texts.read(Path(filenames)), source=str(filenames))


class _Toml:
    @staticmethod
    def load(stream: Any) -> Any:
        # Only what behave looks at: its way through JSON knows no dates.
        read = tomllib.loads(texts.decoded(stream.read(), stream.name))
        tool = read.get("tool", {})
        return {"tool": {"behave": tool["behave"]}} if "behave" in tool else {}
