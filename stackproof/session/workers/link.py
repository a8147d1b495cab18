"""The worker's side of the connection to its run."""

from __future__ import annotations

import threading
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from stackproof.session.workers import wire


class RunGone(BaseException):
    """Nobody is at the other end any more; no step may mistake that for its own failure."""


class Link:
    """Sends events and asks questions; steps may do both from threads of their own."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._sending = threading.Lock()
        self._asking = threading.Lock()

    def send(self, message: Any) -> None:
        """Tell the run something."""
        with self._sending:
            try:
                self._connection.send(message)
            except OSError as error:
                raise RunGone from error

    def send_result(self, ends: wire.ScenarioEnds) -> None:
        """Tell how a scenario ended; never nothing, and never "passed" by losing something."""
        try:
            self.send(ends)
        except Exception as error:  # something in it cannot be pickled
            proof = replace(
                ends.proof,
                verdict="broken",
                category="suite",
                reason=f"its result could not be sent: {error!r}\n\n{ends.proof.reason!s}",
                trace=str(ends.proof.trace),
                attachments=[],
                parameters={},
                figures={},
            )
            steps = [(str(status), float(took), str(said)) for status, took, said in ends.steps]
            self.send(
                replace(
                    ends, proof=proof, steps=steps, status="error", error_message=None, output=""
                )
            )

    def ask(self, question: Any) -> Any:
        """Tell the run something and wait for its answer."""
        with self._asking:
            self.send(question)
            return self._receive()

    def receive(self) -> Any:
        """The run's next message."""
        with self._asking:
            return self._receive()

    def _receive(self) -> Any:
        try:
            return self._connection.recv()
        except (OSError, EOFError) as error:
            raise RunGone from error
