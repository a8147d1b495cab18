import pytest

from stackproof.texts import counted


@pytest.mark.parametrize(("count", "said"), [(0, "0 members"), (1, "1 member"), (2, "2 members")])
def test_one_is_no_many(count, said):
    assert counted(count, "member") == said


def test_irregular_ones():
    assert [counted(n, "entry", "entries") for n in (1, 2)] == ["1 entry", "2 entries"]
