"""The vector stream's own codec, and the suite's view of what it makes."""

from __future__ import annotations

import numpy as np
import pytest

from reference.vector_stream.codec import ErrorType, PoisonError, decode, transformed
from stackproof.services.kafka.client.messages import Received
from stackproof.systems.labels import INVALID, VALID
from stackproof.systems.vectors import TransformedVectors, VectorInputs, encoded

DIMENSION = 8
REASONS = {
    "that is truncated": ErrorType.NOT_DECODABLE,
    "that is no vector": ErrorType.NOT_DECODABLE,
    "that is empty": ErrorType.NOT_DECODABLE,
    "that is null": ErrorType.NOT_DECODABLE,
    "with another dimension": ErrorType.WRONG_DIMENSION,
    "with NaN for a component": ErrorType.NOT_FINITE,
    "with an infinite component": ErrorType.NOT_FINITE,
    "of length zero": ErrorType.ZERO_VECTOR,
}


@pytest.mark.parametrize(("kind", "reason"), REASONS.items())
def test_each_kind_of_poison_is_refused_for_its_reason(kind: str, reason: ErrorType) -> None:
    message = VectorInputs(DIMENSION, seed=1).invalid(kind)
    assert message.label == INVALID
    with pytest.raises(PoisonError) as refused:
        (result,) = transformed([decode(message.value, DIMENSION)])
        assert isinstance(result, PoisonError)
        raise result
    assert refused.value.error_type is reason


def _outputs(change: bytes = b"", at: int = 0) -> TransformedVectors:
    """What the suite makes of an output with some bytes replaced."""
    inputs = VectorInputs(DIMENSION, seed=2)
    inputs.per_message = 3
    (message,) = inputs.valid(1)
    assert message.label == VALID
    (value,) = transformed([decode(message.value, DIMENSION)])
    assert isinstance(value, bytes)
    value = value[:at] + change + value[at + len(change) :]
    outputs = TransformedVectors(inputs.sent)
    record = Received("out", 0, 0, message.key, value, 0, message.headers)
    _, _, carried = outputs.take(record)
    assert outputs.received == {message.ident: 1}
    outputs.inexact += [] if carried == message.carried else ["changed"]
    return outputs


def test_what_the_program_makes_is_right_and_unchanged() -> None:
    outputs = _outputs()
    assert outputs.inexact == []
    assert outputs.compared == 3


@pytest.mark.parametrize(
    ("at", "found"),
    [(12, "a length is off"), (12 + 3 * 4, "changed"), (12 + 3 * 4 + 3 * 32, "component is off")],
)
def test_a_wrong_number_is_noticed_wherever_it_is(at: int, found: str) -> None:
    for number in (np.float32(1e9), np.float32(np.nan)):
        (said,) = _outputs(number.tobytes(), at).inexact
        assert found in said


def test_a_batch_is_decoded_row_by_row() -> None:
    vectors = np.arange(24, dtype=np.float32).reshape(3, DIMENSION)
    assert np.array_equal(decode(encoded(vectors), DIMENSION), vectors)
