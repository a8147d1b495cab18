"""Figures with a bound: latencies and rates that other steps have measured."""

from __future__ import annotations

from behave import then
from behave.runner import Context

from stackproof.session.measuring import Rounds


@then("the {statistic:Statistic} {operation:Operation} latency is at most {limit:Seconds} in the best of {rounds:d} rounds")  # fmt: skip
def latency_is_bounded(
    context: Context, statistic: str, operation: str, limit: float, rounds: int
) -> None:
    """Of the operation that the steps before have measured; percentiles are in the report.

    A round within the bound is the last one; others wait for a quiet machine.
    """
    context.session.use(Rounds).judge_latency(operation, statistic, limit, rounds=rounds)


@then("the {operation:Operation} rate is more than {least:d} {unit:Unit} a second in the best of {rounds:d} rounds")  # fmt: skip
def rate_is_bounded(context: Context, operation: str, least: int, unit: str, rounds: int) -> None:
    """Of the operation that the steps before have measured.

    A round above the bound is the last one; others wait for a quiet machine.
    """
    context.session.use(Rounds).judge_rate(operation, least, unit, rounds=rounds)
