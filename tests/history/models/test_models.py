"""Each anomaly is found where it is, and nothing is found where all is well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackproof.history import (
    MODELS,
    History,
    Locks,
    Members,
    Queue,
    Registers,
    check,
    tells_apart,
)
from stackproof.history.models.checking import books_of, expectation_from
from stackproof.history.models.sets import until_visible
from tests.history.models.cases import (
    A1,
    A2,
    CASES,
    P1,
    START,
    T1,
    W1,
    Case,
    R,
    history,
    listing,
    op,
)

EACH = [pytest.param(model, name, case, id=f"{model}-{name}")
        for model, cases in CASES.items() for name, case in cases.items()]  # fmt: skip


def test_each_anomaly_has_a_case() -> None:
    assert {model: set(cases) for model, cases in CASES.items()} == {
        model: set(checks) for model, checks in MODELS.items()
    }


@pytest.mark.parametrize(("model", "name", "case"), EACH)
def test_the_violating_history(model: str, name: str, case: Case) -> None:
    verdict = check(history(case.violating), case.of)
    found = verdict.anomaly(name)
    assert found is not None, verdict.explain()
    assert (found.count, found.severity) == (case.count, "violation")
    assert set(case.keys) <= set(found.idents)
    assert not verdict.ok and name in verdict.headline()
    assert name.upper() in verdict.brief(), verdict.brief()
    allowed = check(history(case.violating), replace(case.of, allowed=(name,)))  # type: ignore[call-arg]
    assert name not in [one.name for one in allowed.violations]
    expected = check(history(case.violating), replace(case.of, expected=(name,)))  # type: ignore[call-arg]
    assert not expected.missing


@pytest.mark.parametrize(
    ("name", "of", "rows"),
    [pytest.param(name, case.of, rows, id=f"{model}-{name}-{number}")
     for model, cases in CASES.items() for name, case in cases.items()
     for number, rows in enumerate(case.clean)],
)  # fmt: skip
def test_clean_histories(name: str, of: Registers, rows: list) -> None:
    verdict = check(history(rows), of)
    assert verdict.ok, verdict.explain()
    expected = check(history(rows), replace(of, expected=(name,)))
    assert expected.missing == (name,) and not expected.conclusive


@pytest.mark.parametrize(("model", "name", "case"), EACH)
def test_what_is_expected_survives_json(model: str, name: str, case: Case) -> None:
    assert expectation_from(case.of.as_dict()) == case.of


def test_an_unknown_anomaly_is_refused() -> None:
    for of in (replace(R, allowed=("late",)), replace(R, expected=("late",))):
        with pytest.raises(ValueError, match="unknown anomaly: late; known: never-written"):
            check(History(), of)
    with pytest.raises(ValueError, match="expected, but not looked for: stale-read"):
        check(History(), replace(R, consistency="eventual", expected=("stale-read",)))


def test_nothing_proves_nothing() -> None:
    for of in (R, Queue("q", "s"), Members("m", "s"), Locks("l", "s")):
        verdict = check(History(), of)
        assert verdict.ok and not verdict.conclusive
    assert not check(history([W1]), R).conclusive
    assert not check(history([A1]), Members("m", "s")).conclusive
    assert not check(history([P1]), Queue("q", "s", settled=False)).conclusive
    assert not check(history([P1]), Queue("q", "s")).ok
    assert check(history([P1, T1]), Queue("q", "s")).conclusive


def test_eventual_consistency_allows_old_values_and_no_invented_ones() -> None:
    weak = replace(R, consistency="eventual")
    assert check(history(CASES["register"]["stale-read"].violating), weak).ok
    assert not check(history(CASES["register"]["never-written"].violating), weak).ok


def test_a_search_decides_over_compare_and_sets() -> None:
    swap = op("b", "compare-and-set", "k", "2", 2, 3, expected="1")
    late = op("b", "read", "k", "1", 4, 5)
    assert check(history([W1, swap, op("b", "read", "k", "2", 4, 5)]), R).ok
    found = check(history([W1, swap, late]), R)
    assert found.anomaly("not-linearizable") is not None
    # A refused one saw another value than it expected.
    refused = op("b", "compare-and-set", "k", "2", 2, 3, expected="1", status="fail")
    assert check(history([W1, refused, late]), R).anomaly("not-linearizable") is not None
    other = [op("c", "write", "k", "3", 0, 9), op("b", "read", "k", "3", 4, 5)]
    assert check(history([W1, refused, *other]), R).ok


def test_a_search_that_is_given_up_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stackproof.history.models.register.SEARCH_STEPS", 2)
    rows = [op(c, "compare-and-set", "k", c, 0, 9, expected=None) for c in "abc"]
    verdict = check(history([*rows, W1, op("b", "read", "k", "1", 2, 3)]),
                    replace(R, allowed=("lost-update",)))  # fmt: skip
    assert verdict.ok and "given up for k" in verdict.inconclusive


def test_time_until_visible() -> None:
    rows = [A1, A2, *listing(4, ("m1", "x"), place=2), *listing(6, ("m2", "y"), place=4)]
    spans = until_visible(books_of(history(rows).snapshot(), Members("m", "s")))
    assert sorted(spans) == pytest.approx([4.0, 4.0])


def test_what_is_shown() -> None:
    rows = CASES["register"]["stale-read"].violating
    text = check(history(rows), R).brief()
    assert text.splitlines()[0] == "the balance: 1 stale-read (3 operations)"
    assert "+4.000 s" in text and "replaced by then" in text and "ok, 1,000.0 ms" in text


def test_recording_a_listing() -> None:
    made = History()
    with made.doing("add", client="w", space="s", key="m1", value="x"):
        pass
    of = Members("m", "s", visible="at last")
    with pytest.raises(OSError), made.listing(client="near", space="s"):
        raise OSError("gone")
    assert check(made, of).inconclusive == "the set was never listed"
    with made.listing(client="near", space="s") as found:
        found += [("m1", "x")]
    with made.listing(client="far", space="s") as found:
        found += [("m2", "y"), ("m2", "y")]
    assert check(made, replace(of, reader="near")).ok
    wrong = check(made, replace(of, reader="far"))
    assert {one.name: one.count for one in wrong.anomalies} == {
        "lost": 1, "unexpected": 2, "twice": 1}  # fmt: skip


def test_recording() -> None:
    made = History()
    with made.doing("read", client="c", space="s", key="k") as answer:
        answer.value, answer.number = b"v", 7
    with made.doing("write", client="c", space="s", key="k", value=1) as answer:
        answer.fail("no room")
    with pytest.raises(OSError), made.doing("write", client="c", space="s", key="k", value=2):
        raise OSError("gone")
    snapshot = made.snapshot()
    table = snapshot.operations
    assert table.status.tolist() == [0, 1, 2] and table.number.tolist() == [7, 0, 0]
    assert [snapshot.previews[v] for v in table.value.tolist()] == ["v", "1", "2"]
    assert snapshot.operation_errors == {1: "no room", 2: "OSError: gone"}
    for wrong in (
        lambda: made.invoke("jump", client="c", space="s", key="k"),
        lambda: made.invoke("read", client="c", space="s", key="k", number=1 << 70),
        lambda: made.answered(0, "ok"),
        lambda: made.answered(2, "good"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ValueError):
            wrong()
    with pytest.raises(IndexError):
        made.answered(9, "ok")
    assert made.snapshot() is snapshot and made.snapshot().start > START


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ([("a", "1"), ("a", "2")], True),
        ([("a", "1"), ("a", "1")], False),
        ([("a", "1"), ("b", "1")], True),  # of two keys
        ([("a", None), ("a", None)], True),  # nothing is no value
    ],
)
def test_values_of_a_key_that_are_given_twice(
    written: list[tuple[str, str | None]], told: bool
) -> None:
    history = History("given twice")
    for key, value in written:
        with history.doing("write", client="writer", space="store", key=key, value=value):
            pass
    assert tells_apart(history, Registers("store", "store")) is told
