"""Components in processes of their own: hosted classes, and programs that speak the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from stackproof.errors import Trouble
from stackproof.history import History
from stackproof.polling import DeadlineExceeded, Died, poll
from stackproof.processes.run import Run
from stackproof.settings import SystemSettings
from stackproof.settings.sections import read_system
from stackproof.systems import components
from stackproof.systems.calls import call_of
from stackproof.systems.components import Component, ComponentError, Role

SHOP = r"""
import decimal, math, os, subprocess, sys, threading

print("this is for the log")

class Shop:
    def __init__(self, url, size=1):
        self.url, self.size = url, size
        self.all_in = threading.Barrier(20)
    def told(self): return [self.url, self.size]
    def same(self, value): return value
    def both(self, *values, **named): return [values, named]
    def refuse(self): raise KeyError("no such order")
    def together(self): return self.all_in.wait(20) is not None
    def end(self): os._exit(3)
    def half(self): return "\ud83d"
    def proxies(self): return [os.environ["no_proxy"], os.environ["NO_PROXY"]]
    def leave(self): sys.exit("goodbye")
    def hang(self): threading.Event().wait()
    def read(self): return [sys.stdin.read(), subprocess.run(["cat"], capture_output=True).stdout]
    def price(self): return decimal.Decimal("1.50")
    def binary(self): return b"\xff"
    def keyed(self): return {(1, 2): 3}
    def much(self): return "x" * (1 << 22)
    def none(self): return math.nan
    def noisy(self):
        os.write(1, b"a line of C code\n")
        sys.stderr.write("x" * (1 << 20))
        return 1
    def fork(self):
        if os.fork() == 0:
            threading.Event().wait()
        os._exit(3)
"""
ROLE = Role(
    {
        "told": (), "same": ("value",), "both": ("one", "other"), "refuse": (), "together": (),
        "end": (), "leave": (), "hang": (), "read": (), "price": (), "binary": (), "keyed": (),
        "half": (), "proxies": (), "much": (), "none": (), "noisy": (), "fork": (),
    },
    {"missing": "NoSuchOrder"},
)  # fmt: skip
Make = Callable[..., Component]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    cleanups: list[Callable[[], None]] = []
    (tmp_path / "shop.py").write_text(SHOP)

    def made(command: tuple[str, ...] = (), *, given: Any = None, **settings: Any) -> Component:
        settings = {"component": "shop:Shop", "options": {"url": "{place}/x"}, **settings}
        session: Any = SimpleNamespace(
            id="s1", directory=tmp_path, run=Run("r1", tmp_path), add_cleanup=cleanups.append,
            scaled=lambda seconds: seconds,
            settings=SimpleNamespace(
                system=lambda name: SystemSettings(name, command, tmp_path, **settings)
            ),
        )  # fmt: skip
        return Component(session, "shop", ROLE, {"place": "db"}, given)

    yield made
    for cleanup in reversed(cleanups):
        cleanup()


def program(answer: str, before: str = "") -> tuple[str, ...]:
    """One in another language, whose answer to each request is a line of Perl; $i is its id."""
    text = f'$| = 1; {before}; while (<STDIN>) {{ ($i) = /"id": (\\d+)/; {answer} }}'
    return ("perl", "-e", text.replace("{", "{{").replace("}", "}}"))


#: Answers each request with its id.
ECHO = r'print "{\"id\": $i, \"value\": $i}\n";'


def test_a_class_is_made_with_its_options_and_called(make: Make) -> None:
    shop = make(given={"size": 7})
    assert shop.call("told") == ["db/x", 7]
    assert shop.call("same", {"ä": [1, None, "\u2028\n"]}) == {"ä": [1, None, "\u2028\n"]}


def test_calls_are_made_side_by_side_and_each_has_its_own_answer(make: Make) -> None:
    shop = make()
    with ThreadPoolExecutor(20) as threads:
        assert all(threads.map(lambda _: shop.call("together"), range(20)))
        assert list(threads.map(lambda n: shop.call("same", n), range(200))) == list(range(200))


def test_its_errors_are_told_in_the_words_of_features(make: Make) -> None:
    with pytest.raises(ComponentError, match=r"^KeyError: .*no such order"):
        make().call("refuse")
    with pytest.raises(ComponentError, match=r"^missing: .*no such order"):
        make(errors={"missing": ("NotFound", "KeyError")}).call("refuse")


def test_what_is_not_called_as_features_call_it(make: Make) -> None:
    shop = make(methods={"told": "same('x')", "same": "both(1, value)",
                         "both": "both(other, one=one, size=null)"})  # fmt: skip
    assert shop.call("told") == "x"
    assert shop.call("same", "y") == [[1, "y"], {}]
    assert shop.call("both", 1, 2) == [[2], {"one": 1, "size": None}]


@pytest.mark.parametrize(
    ("text", "takes"),
    [
        ("fetch", {"name", "value"}),
        ("cache/fetch", {"name", "value"}),
        ("fetch()", set()),
        ("fetch(name, -1, 2.5, 'x', true)", {"name"}),
        ("fetch(value=value)", {"value"}),
        ("", None),
        ("(name)", None),
        ("fetch(name", None),
        ("fetch(nam)", None),
        ("fetch(name + value)", None),
        ("fetch(*name)", None),
        ("fetch(**name)", None),
        ("fetch(name) or 1", None),
        ("fetch([name])", None),
    ],
)
def test_ways_to_call_a_method(text: str, takes: set[str] | None) -> None:
    if takes is not None:
        assert call_of(text, ("name", "value")).takes == takes
        return
    with pytest.raises(ValueError, match=r"is no way to call a method.*one of: name, value"):
        call_of(text, ("name", "value"))


def test_its_death_is_told_with_its_log(make: Make) -> None:
    shop = make()
    with pytest.raises(Died, match=r"(?s)exit code 3.*this is for the log"):
        shop.call("end")
    with pytest.raises(Died):
        shop.call("told")


def test_its_death_is_told_though_a_child_of_its_own_goes_on(make: Make) -> None:
    with pytest.raises(Died, match="exit code 3"):
        make().call("fork")


def test_one_that_hangs_is_told_with_its_log_and_killed(make: Make) -> None:
    shop = make()
    with pytest.raises(DeadlineExceeded, match=r"(?s)shop.hang for 0.2 s.*this is for the log"):
        shop.call("hang", within=0.2)
    assert shop.call("told") == ["db/x", 1]
    shop.stop()


def test_one_that_does_not_read_its_input_keeps_nobody_waiting(make: Make) -> None:
    shop = make(("sh", "-c", "read x; echo '{{\"id\": 1}}'; exec sleep 600"))
    for _ in range(3):
        shop.begin("same", "x" * 100_000)
    with pytest.raises(DeadlineExceeded):
        shop.call("told", within=0.1)


def test_one_that_keeps_its_answers_back_is_told_so(make: Make) -> None:
    with pytest.raises(Trouble, match=r"written out at once \(flushed\)"):
        make(program(ECHO, "$| = 0"), ready_within=0.5)


def test_a_program_in_python_keeps_nothing_back(make: Make) -> None:
    text = "import json\nwhile True: print(json.dumps({'id': json.loads(input())['id']}))"
    shop = make((sys.executable, "-c", text.replace("{", "{{").replace("}", "}}")))
    assert shop.call("told") is None


def test_what_is_on_loopback_is_reached_without_a_proxy(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "shop.internal")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert make().call("proxies") == ["shop.internal,127.0.0.1,localhost", "127.0.0.1,localhost"]


def test_a_host_ends_though_a_call_hangs(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    asked = [{"id": 1, "make": {"url": ""}}, {"id": 2, "call": "hang", "arguments": []}]
    host = Path(components.__file__).with_name("hosting.py")
    done = subprocess.run(
        [sys.executable, "-P", str(host), "shop:Shop"], cwd=tmp_path, capture_output=True,
        text=True, timeout=60, input="".join(json.dumps(one) + "\n" for one in asked),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, '{"id": 1, "value": null}\n')


def test_half_a_character_is_read_like_any_other_text(make: Make) -> None:
    found = make().call("half")
    history = History("t")
    with history.doing("read", client="c", space="s", key="k") as answer:
        answer.value = found
    assert found == "\ud83d"


def test_it_ends_when_its_input_does(make: Make, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    shop = make(("sh", "-c", f"read x; echo '{{{{\"id\": 1}}}}'; read x; echo yes >{ended}"))
    shop.stop()
    assert ended.read_text() == "yes\n"


def test_one_that_does_not_end_is_killed_with_what_it_started(make: Make, tmp_path: Path) -> None:
    child = tmp_path / "child"
    started = f"sleep 600 & echo $! >{child}; read x; echo '{{{{\"id\": 1}}}}'; exec sleep 600"
    shop = make(("sh", "-c", started), stop_within=0.2)
    shop.stop()
    poll(lambda: psutil.pid_exists(int(child.read_text())), until=lambda there: not there,
         within=20, awaiting="the end of what it started")  # fmt: skip


def test_nothing_gets_between_requests_and_answers(make: Make) -> None:
    shop = make()
    assert shop.call("read") == ["", ""]
    assert shop.call("noisy") == 1
    assert len(shop.call("much")) == 1 << 22
    assert shop.call("same", "y" * (1 << 22)) == "y" * (1 << 22)
    assert "a line of C code" in (shop._process.log).read_text()


@pytest.mark.parametrize(
    ("method", "says"),
    [
        ("binary", "UnicodeDecodeError"),
        ("keyed", "TypeError: keys must be"),
        ("none", "ValueError: Out of range"),
        ("leave", "SystemExit: goodbye"),
    ],
)
def test_what_json_does_not_have_is_an_error(make: Make, method: str, says: str) -> None:
    shop = make()
    assert shop.call("price") == "1.50"
    with pytest.raises(ComponentError, match=says):
        shop.call(method)
    assert shop.call("told") == ["db/x", 1]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"component": "shop:Shopp"}, "cannot be made\n.*AttributeError"),
        ({"component": "shops:Shop"}, "cannot be made\n.*No module named 'shops'"),
        ({"options": {}}, "cannot be made\n.*missing 1 required"),
        ({"command": ("no-such-program",)}, "cannot be started\n.*no-such-program: No such file"),
        ({"command": ("sh", "-c", "echo hello; read x; read y")}, "for 1 s(?s:.*)hello"),
        ({"command": ("sh", "-c", "echo '{{\"id\"'; read x; read y")}, "one JSON object in one li"),
        ({"command": ("sh", "-c", "exit 4")}, "cannot be made\n.*exit code 4"),
        ({"component": ""}, "is no component"),
        ({"methods": {"tell": "told"}}, "'tell' is no setting\n.*methods(?s:.*)known: .*told"),
        ({"methods": {"told": "told("}}, "cannot be used\n.*is no way to call"),
        ({"errors": {"missed": ("x",)}}, "'missed' is no setting\n.*errors(?s:.*)'missing'"),
    ],
)
def test_what_cannot_be_made(make: Make, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(Trouble, match=says):
        make(**{"ready_within": 1.0 if "hello" in str(settings) else 30.0, **settings})


def test_a_program_in_another_language_speaks_the_same(make: Make) -> None:
    shop = make(program(ECHO))
    assert [shop.call("same", "ä") for _ in range(3)] == [2, 3, 4]


@pytest.mark.parametrize(
    "answer",
    [
        r'print "{\"id\": \"$i\", \"value\": $i}\r\n";',
        r'print "Loading...\n\n[1]\n{\"value\": $i, \"id\": $i, \"took\": 3, \"error\": null}\n";',
        r'print "{\"level\": \"info\", \"msg\": \"asked\"}\n"; ' + ECHO,
        r'print "\xef\xbb\xbf{\"id\": $i, \"value\": $i}\n";',
        r'print "{\"id\": "; print "$i, \"value\": $i"; print "}\n";',
    ],
    ids=["text ids, CRLF", "lines besides", "a log in JSON", "byte order mark", "in parts"],
)
def test_what_programs_do_that_does_no_harm(make: Make, answer: str) -> None:
    assert make(program(answer)).call("told") == 2


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (r'print "{\"id\": 7}\n";', "the id of a request that waits"),
        (r'print "{\"id\": null}\n";', "the id of a request that waits"),
        (r'print "{\"id\": 1}\n";', "the id of a request that waits"),
        (r'print "{\"id\": $i, \"value\": \"\xe4\"}\n";', "in UTF-8"),
        (r'print "{\n\"id\": $i\n}\n";', "one JSON object in one line"),
        (r'print "{\"id\": $i, \"error\": \"no\"}\n";', "an error is"),
        (r'print "{\"id\": $i, \"error\": {}}\n";', "an error is"),
        (r'print "{\"id\": $i, \"val"; exit 5;', "exit code 5"),
        (r'print "x" x (65 << 20);', "more than 64 MiB"),
    ],
)
def test_what_programs_do_that_is_no_answer(make: Make, answer: str, says: str) -> None:
    shop = make(program(f"if ($i == 1) {{ {ECHO} }} else {{ {answer} }}"))
    with pytest.raises((ComponentError, Died), match=re.escape(says)):
        shop.call("told", within=20)
    with pytest.raises((ComponentError, Died)):
        shop.call("told", within=20)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"component": "a:B"}, ""),
        ({"component": "a:B", "command": ["b"]}, ""),
        ({"component": "a:B", "methods": {"a": "b"}, "errors": {"c": "D", "e": ["F", "G"]}}, ""),
        ({"component": "a:B", "ready_line": "x"}, "ready when it answers: ready_line has no"),
        ({"component": "a:B", "attach": True}, "ready when it answers: attach has no"),
        ({"component": "a:B", "options": 3}, "options"),
        ({"component": "a:B", "methods": 3}, "methods"),
        ({"component": "a:B", "errors": {"c": {"d": 1}}}, "text"),
    ],
)
def test_its_section(table: dict[str, Any], says: str, tmp_path: Path) -> None:
    if not says:
        read = read_system("pool", table, tmp_path / "stackproof.toml")
        assert read.component == "a:B"
        assert "errors" not in table or read.errors == {"c": ("D",), "e": ("F", "G")}
        return
    with pytest.raises(Trouble, match=says):
        read_system("pool", table, tmp_path / "stackproof.toml")
