"""How lists of deviations are told."""

import pytest
from hamcrest import assert_that

from stackproof.reporting.outcome import Outcome
from stackproof.session.matching import no_deviations


@pytest.mark.parametrize("count", [1, 2, 3, 4, 3000])
def test_all_are_counted_and_a_few_are_shown(count: int) -> None:
    assert_that([], no_deviations(), "wrong keys")
    with pytest.raises(AssertionError) as caught:
        assert_that([f"offset {n}: no key" for n in range(count)], no_deviations(), "wrong keys")
    text = str(caught.value)
    assert f"was {count:,}, the first: offset 0: no key" in text
    assert text.count(": no key") == min(count, 3)
    assert (f"and {count - 3:,} more" in text) == (count > 3)
    headline = Outcome("failed", "product", text).headline
    assert headline == (
        f"wrong keys; Expected: none; but: was {count:,}, the first: offset 0: no key"
    )
