"""Components in processes of their own: hosted classes, and programs that speak the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stackproof.errors import Trouble
from stackproof.polling import Died
from stackproof.processes.run import Run
from stackproof.settings import SystemSettings
from stackproof.settings.systems import read_system
from stackproof.systems.components import Component, ComponentError

SHOP = """
import os, threading

print("this is for the log")

class Shop:
    def __init__(self, url, size=1):
        self.url, self.size = url, size
        self.all_in = threading.Barrier(20)
    def told(self): return [self.url, self.size]
    def same(self, value): return value
    def refuse(self): raise KeyError("no such order")
    def together(self): return self.all_in.wait(20) is not None
    def end(self): os._exit(3)
"""
#: A program of its own: answers each line with what it was asked for.
PERL = r"""$| = 1; while (<STDIN>) { /"id": (\d+)/; print "{\"id\": $1, \"value\": $1}\n"; }"""
Make = Callable[..., Component]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    cleanups: list[Callable[[], None]] = []
    (tmp_path / "shop.py").write_text(SHOP)

    def made(command: tuple[str, ...] = (), *, given: Any = None, **settings: Any) -> Component:
        settings = {"component": "shop:Shop", "options": {"url": "{place}/x"}, **settings}
        session: Any = SimpleNamespace(
            directory=tmp_path, run=Run("r1", tmp_path), add_cleanup=cleanups.append,
            scaled=lambda seconds: seconds,
            settings=SimpleNamespace(
                system=lambda name: SystemSettings(name, command, tmp_path, **settings)
            ),
        )  # fmt: skip
        return Component(session, "shop", {"place": "db"}, given)

    yield made
    for cleanup in reversed(cleanups):
        cleanup()


def test_a_class_is_made_with_its_options_and_called(make: Make) -> None:
    shop = make(given={"size": 7})
    assert shop.call("told") == ["db/x", 7]
    assert shop.call("same", {"ä": [1, None, "\u2028\n"]}) == {"ä": [1, None, "\u2028\n"]}


def test_calls_are_made_side_by_side_and_each_has_its_own_answer(make: Make) -> None:
    shop = make()
    with ThreadPoolExecutor(20) as threads:
        assert all(threads.map(lambda _: shop.call("together"), range(20)))
        assert list(threads.map(lambda n: shop.call("same", n), range(200))) == list(range(200))


def test_its_errors_are_told(make: Make) -> None:
    with pytest.raises(ComponentError, match=r"KeyError: .*no such order"):
        make().call("refuse")


def test_its_death_is_told_with_its_log(make: Make) -> None:
    shop = make()
    with pytest.raises(Died, match=r"(?s)exit code 3.*this is for the log"):
        shop.call("end")
    with pytest.raises(Died):
        shop.call("told")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"component": "shop:Shopp"}, "cannot be made\n.*AttributeError"),
        ({"component": "shops:Shop"}, "cannot be made\n.*No module named 'shops'"),
        ({"options": {}}, "cannot be made\n.*missing 1 required"),
        ({"command": ("no-such-program",)}, "cannot be started\n.*no-such-program: No such file"),
        ({"command": ("sh", "-c", "echo hello; read x; read y")}, "cannot be made\n.*'hello'"),
        ({"command": ("sh", "-c", "echo '[1]'; read x; read y")}, "cannot be made\n.*it wrote"),
        ({"command": ("sh", "-c", "exit 4")}, "cannot be made\n.*exit code 4"),
        ({"component": ""}, "is no component"),
    ],
)
def test_what_cannot_be_made(make: Make, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(Trouble, match=says):
        make(**settings)


def test_a_program_in_another_language_speaks_the_same(make: Make) -> None:
    shop = make(("perl", "-e", PERL.replace("{", "{{").replace("}", "}}")))
    assert [shop.call("any") for _ in range(3)] == [2, 3, 4]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"component": "a:B"}, ""),
        ({"component": "a:B", "command": ["b"]}, ""),
        ({"component": "a:B", "ready_line": "x"}, "ready when it answers: ready_line has no"),
        ({"component": "a:B", "attach": True}, "ready when it answers: attach has no"),
        ({"component": "a:B", "options": 3}, "options"),
    ],
)
def test_its_section(table: dict[str, Any], says: str, tmp_path: Path) -> None:
    if not says:
        read = read_system("pool", table, tmp_path / "stackproof.toml")
        assert read.component == "a:B"
        return
    with pytest.raises(Trouble, match=says):
        read_system("pool", table, tmp_path / "stackproof.toml")
