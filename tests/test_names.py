"""Names of what a run creates: whose they are can be read from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof import names

prefixes = st.from_regex(r"[a-z][a-z0-9-]{0,28}[a-z0-9]", fullmatch=True)
runs = st.from_regex(r"r[0-9a-f]{8}", fullmatch=True)


@given(prefixes, runs, st.from_regex(r"s[0-9]{3}", fullmatch=True), st.text(max_size=40))
def test_a_name_tells_its_run(prefix: str, run: str, scenario: str, name: str) -> None:
    own = names.own(names.prefix(prefix), run, scenario, name)
    assert own.startswith(names.of_run(prefix, run))
    assert names.run_of(prefix, own) == run
    assert own.endswith(name)


@pytest.mark.parametrize(
    "foreign",
    ["orders", "stackproof", "stackproof-", "stackproof-orders", "stackproof-r1a2b3c4d",
     "stackproof-r1a2b3c4x-s001-a", "stackproof-r1a2b3c4d5-s001-a", "stackproofs-r1a2b3c4d-s001-a",
     "a-stackproof-r1a2b3c4d-s001-a", "STACKPROOF-r1a2b3c4d-s001-a"],
)  # fmt: skip
def test_what_only_looks_alike_is_nobodys(foreign: str) -> None:
    assert names.run_of("stackproof", foreign) is None


def test_a_prefix_that_begins_like_another_is_another() -> None:
    own = names.own("ci-2", "r1a2b3c4d", "s001", "a")
    assert names.run_of("ci", own) is None


@pytest.mark.parametrize(
    "bad", ["", "-a", "a-", "A", "a_b", "a.b", "1a", "a b", "ä", "a" * 31, "a\n"]
)
def test_prefixes_that_some_service_refuses(bad: str) -> None:
    with pytest.raises(ValueError, match="lower-case"):
        names.prefix(bad)
