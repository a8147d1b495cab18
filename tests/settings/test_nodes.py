"""Nodes of an endpoint: commands are lists, and what is wrong is told without what they hold."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from stackproof.errors import Trouble
from stackproof.settings import load
from stackproof.settings.nodes import NodeSettings

SECTION = "[services.kafka.nodes.broker-2]"


def nodes(directory: Path, lines: str) -> dict[str, NodeSettings]:
    (directory / "stackproof.toml").write_text(lines)
    settings = load(directory, environment={})
    assert pickle.loads(pickle.dumps(settings)) == settings
    return dict(settings.service("kafka").nodes)


def test_a_node_with_its_commands(tmp_path: Path) -> None:
    found = nodes(
        tmp_path,
        f'{SECTION}\naddress = "b2:9092"\nwithin = 90\n'
        'kill = ["ssh", "b2", "pkill -9 java"]\nstart = ["ssh", "b2", "start"]\n'
        "[services.kafka.nodes.broker-3]\n",
    )
    assert found["broker-2"].commands == {
        "kill": ("ssh", "b2", "pkill -9 java"), "start": ("ssh", "b2", "start"),
    }  # fmt: skip
    assert (found["broker-2"].address, found["broker-2"].within) == ("b2:9092", 90.0)
    assert found["broker-3"].commands == {} and found["broker-3"].within == 60.0


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (f'{SECTION}\nkil = ["x"]\n', "did you mean 'kill'"),
        (f'{SECTION}\nkill = "ssh b2 hush"\n', "it is a str; a list of texts is expected"),
        (f'{SECTION}\nkill = ["ssh", 2]\n', "it is a list; a list of texts is expected"),
        (f"{SECTION}\nkill = []\n", "it is empty; it names no program"),
        (f'{SECTION}\nkill = ["  ", "hush"]\n', "it names no program"),
        (f"{SECTION}\naddress = 5\n", "host:port is expected"),
        (f"{SECTION}\nwithin = 0\n", "a number above 0"),
        ("[services.kafka]\nnodes = 5\n", "[services.kafka.nodes.NAME]"),
        ("[services.kafka.nodes]\nbroker-2 = 5\n", f"write {SECTION}"),
    ],
)
def test_mistakes(tmp_path: Path, lines: str, told: str) -> None:
    with pytest.raises(Trouble) as caught:
        nodes(tmp_path, lines)
    assert told in str(caught.value) and "hush" not in str(caught.value)
