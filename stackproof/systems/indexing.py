"""A search indexer: what comes out of it are documents, one for each key of its input topic."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stackproof.errors import NotSupported, PremiseNotMet
from stackproof.history import Flow, Members, Verdict
from stackproof.matching import NotJson
from stackproof.polling import Died, pause
from stackproof.services.kafka.client.messages import Message, Received
from stackproof.services.opensearch import SearchFixture
from stackproof.systems.contracts import strict_json
from stackproof.systems.labels import INVALID, VALID
from stackproof.systems.observing import JsonOutputs
from stackproof.systems.pipeline import Pipeline
from stackproof.systems.places import Place
from stackproof.systems.settling import Awaited

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

_LOOKS_EVERY = 0.05
_READER = "reader"
_WORKED_OFF_WITHIN = 120.0
_SHOWN = 3

Contents = Mapping[str, str | None]


class IndexReader:
    """Looks at what searches find; see `stackproof.systems.observing.Reader`.

    Args:
        search: asks the engine.
        index: its name; it need not be there yet.
        documents: the documents; told what is there at each look.
        identity: where a document says whose it is.
    """

    def __init__(self, search: SearchFixture, index: str, documents: JsonOutputs, identity: Place):
        self._search, self._index = search, index
        self._documents, self._identity = documents, identity
        self.records: list[Received] = []
        self._found: list[tuple[str, str]] = []
        #: Documents that were there before and do not count: whose they are, by their IDs.
        self.old: Mapping[str, str] = {}

    def read(self) -> list[Received]:
        """All documents that searches find now; waits a moment."""
        pause(_LOOKS_EVERY)
        return self._take(self._search.everything(self._index, recovers=True))

    def _take(self, there: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Received]:
        new = [(ident, _text(content)) for ident, content in there if ident not in self.old]
        self._found = [(str(self._identity.of(json.loads(text))), text) for _, text in new]
        self.records = [
            Received(self._index, 0, number, ident.encode(), text.encode(), 0)
            for number, (ident, text) in enumerate(new)
        ]
        self._documents.received = Counter(whose for whose, _ in self._found)
        return self.records

    def drain(self, *, within: float) -> list[Received]:
        """The same after the engine was told to let searches find all."""
        self._search.refresh(self._index)
        return self._take(self._search.everything(self._index))

    def contents(self) -> dict[str, list[str]]:
        """What is there, by whose it is; more than one content: it is there so often."""
        made: dict[str, list[str]] = {}
        for whose, text in self._found:
            made.setdefault(whose, []).append(text)
        return made


class Indexing(Pipeline):
    """A search indexer under test. What its input topic holds tells what there must be.

    A message's key says whose document it makes, replaces or, without content, deletes; what the
    suite has published as invalid makes none.
    """

    outputs: JsonOutputs

    def __init__(self, session: ScenarioSession, name: str):
        super().__init__(session, name)
        self._search = session.use(SearchFixture)
        self.index = self._search.adopt(self.topics["input"])
        self._identity = self.outputs.contract.place("x-identity")
        self._reader = IndexReader(self._search, self.index, self.outputs, self._identity)
        if self.settings.exact:  # somebody may have used it before
            self._reader.old = {
                ident: str(self._identity.of(content))
                for ident, content in self._search.everything(self.index)
            }
        self._noted = self._waits = self._indexed = 0
        self.waiting.drain = self._drain

    def _drain(self) -> None:
        self._reader.drain(within=0)
        self._kafka.drain_all()

    def observe(self) -> None:
        """Begin to look at the documents, and to read the dead letters."""
        if not self._observed:
            self.outputs.reader = self._reader
        super().observe()

    # -- what goes in --------------------------------------------------------
    def update(self, count: int) -> None:
        """Publish others in the place of the first inputs.

        Raises:
            PremiseNotMet: there are not so many, or not all were acknowledged.
        """
        self.publish([self._in_place_of(ident) for ident in self._first(count)])

    def _in_place_of(self, ident: str) -> Message:
        (made,) = self.make_valid(1)
        document = json.loads(made.value or b"")
        self._identity.put(document, ident)
        return replace(made, key=ident.encode(), value=json.dumps(document).encode())

    def delete(self, count: int) -> None:
        """Publish tombstones for the first inputs: messages with their keys, without content.

        Raises:
            PremiseNotMet: there are not so many, or not all were acknowledged.
        """
        self.publish([Message(ident.encode(), None, VALID) for ident in self._first(count)])

    def publish_with_long_key(self, length: int, valid: int) -> None:
        """Publish an input whose key has so many characters, in the middle of valid ones."""
        messages = self.make_valid(valid + 1)
        middle = valid // 2
        odd = replace(messages[middle], key=b"k" * length, label=INVALID)
        messages[middle] = odd
        self.published_invalid.append(odd)
        self.dead_letters.expect([odd])
        self.publish(messages)

    def _first(self, count: int) -> list[str]:
        there = [ident for ident, content in self.wanted().items() if content is not None]
        if len(there) < count:
            raise PremiseNotMet(
                f"there are not {count} {self.noun('input', 2)} to change",
                f"{len(there)} were published and not deleted", "publish more in a step before",
            )  # fmt: skip
        return there[:count]

    # -- what must be there --------------------------------------------------
    def _changes(self) -> list[tuple[str, str | None]]:
        """What each message of the topic makes of whose document, in order; None: deleted."""
        invalid = {(message.key, message.value) for message in self.published_invalid}
        reader = self._kafka.reader(self.topics["input"])
        changes: list[tuple[str, str | None]] = []
        for record in reader.drain(within=self._session.scaled(15)):
            if (record.key, record.value) in invalid:
                continue
            if record.value is None:
                changes.append((record.ident, None))
                continue
            try:
                document = strict_json(record.value)
            except NotJson:  # somebody else's, who publishes there too
                continue
            changes.append((str(self._identity.of(document)), _text(document)))
        return changes

    def wanted(self) -> Contents:
        """The content of each document that there must be; None: there must be none."""
        wanted = dict(self._changes())
        left = self._reader.old.items()
        self._reader.old = {ident: whose for ident, whose in left if whose not in wanted}
        return wanted

    def await_outputs(self, *, within: float, repeated: bool = False) -> Any:
        """Wait until there is what there must be, then check every document.

        Args:
            within: seconds, before they are scaled.
            repeated: makes no difference: a document is there once, whatever comes twice.

        Raises:
            AssertionError: it is not so in time; explained by the history.
        """
        self.finish_publishing()
        self.observe()
        wanted = self.wanted()

        def wrong() -> list[str]:
            there = self._reader.contents()
            ought = {ident: [] if text is None else [text] for ident, text in wanted.items()}
            return [ident for ident, texts in ought.items() if there.get(ident, []) != texts]

        def right() -> int:
            self._reader.read()
            return len(wanted) - len(wrong())

        def told(count: int) -> str:
            named = ", ".join(wrong()[:_SHOWN])
            return (
                f"of {len(wanted)} {self.noun('input', 2)} {count} are in the index as they must "
                f"be" + f"; not so: {named}, ..." * bool(named)
            )

        awaited = Awaited(self.noun("output"), len(wanted), right, told, self.noun("output", 2))
        ended = self.waiting.wait(awaited, within=self.scaled(within))
        if ended.error is None and ended.count >= awaited.wanted:
            ended = self._ended_with_commit(ended)
        self._drain()
        if isinstance(ended.error, Died) and not self.instances.instances:
            raise self._nobody_runs(awaited.told(ended.count)) from ended.error
        expected = self._listed(settled=ended.settled)
        if ended.error is not None:
            self._session.check_after(ended.error, expected)
        verdict: Verdict = self._session.assert_history(expected)
        return verdict

    def _listed(self, *, settled: bool) -> Members:
        """Note what the topic says and what searches find; what is expected of that."""
        history, space = self._session.history, self.index
        changes = self._changes()
        for ident, text in changes[self._noted :]:
            # It was done when the topic had it, which is before the listing below.
            op = history.invoke(
                "remove" if text is None else "add", client="topic", space=space, key=ident,
                value=... if text is None else text,
            )  # fmt: skip
            history.answered(op, "ok")
        self._noted = len(changes)
        with history.listing(client=_READER, space=space) as found:
            self._drain()
            there = self._reader.contents()
            found += [(ident, text) for ident, texts in there.items() for text in texts]
        return Members(
            self.noun("output", 2), space, visible="at once" if settled else "at last",
            settled=settled, reader=_READER,
        )  # fmt: skip

    def output_flow(self, guarantee: str | None = None, *, max_duplicates: int = 0) -> Flow:
        """None: documents are no deliveries."""
        raise NotSupported(
            f"the {self.settings.called} has no output topic", "its outputs are documents",
            'use steps like "every valid order gets one document within 20 seconds"',
        )  # fmt: skip

    # -- searches ------------------------------------------------------------
    def wrongly_found(self, query: Mapping[str, Any], kinds: Mapping[str, str]) -> list[str]:
        """How what a query finds differs from the messages of the topic that it fits."""
        held = {ident: json.loads(text) for ident, text in self.wanted().items() if text}
        return self._search.wrongly_found_in(
            self.index, query, held, kinds,
            whose=lambda _, content: str(self._identity.of(content)), but=sorted(self._reader.old),
        )  # fmt: skip

    # -- figures -------------------------------------------------------------
    def pile_up(self) -> None:
        """Have as many more inputs wait for an instance: the one that runs is stopped."""
        self.instances.stop()
        self.publish_valid(self._waits)

    def work_off(self) -> dict[str, float]:
        """Start an instance on what waits; documents a second until all is found.

        Its start, and joining its group, count as work.

        Raises:
            AssertionError: something is not found, or not as it must be.
        """
        already = len(self.wanted())
        self._waits = already - self._indexed
        began = time.perf_counter()
        self.instances.start()
        self.await_outputs(within=_WORKED_OFF_WITHIN)
        self._indexed = already
        return {"indexing": self._waits / (time.perf_counter() - began)}


def _text(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, sort_keys=True)
