"""Which of the scenario's systems a step is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.errors import Trouble, step_missing
from stackproof.settings.systems import NOUNS
from stackproof.systems.indexing import Indexing
from stackproof.systems.pipeline import Pipeline
from stackproof.systems.program import Program

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession
    from stackproof.settings import SystemSettings

#: Words that are right for every system.
_ANY = frozenset(word for words in NOUNS.values() for word in words)


class Systems:
    """The systems that a scenario has named; a step that names none is about the last one.

    Args:
        session: the scenario.
    """

    def __init__(self, session: ScenarioSession):
        self._session = session
        self._named: list[Pipeline] = []

    def program(self, system: SystemSettings) -> Program | Pipeline:
        """The system that a step names, which need have no topics."""
        if "kafka" in system.services:
            return self.named(system)
        return self._session.use(Program, system.name)

    def named(self, system: SystemSettings) -> Pipeline:
        """The system that a step names; made with its topics at the first call.

        Raises:
            Trouble: it has none.
        """
        if "kafka" not in system.services:
            raise Trouble(
                f"the {system.called} has no topics",
                f"[systems.{system.name}] of stackproof.toml has no field of Kafka's, no topics, "
                "and no contracts",
                'add uses = ["kafka"] where its topics are built in, or use steps about programs',
            )
        return self._last(self._session.use(Indexing if system.indexes else Pipeline, system.name))

    @property
    def current(self) -> Pipeline:
        """The system that was named last.

        Raises:
            PremiseNotMet: none was.
        """
        if not self._named:
            raise step_missing("a system under test", f"the {self._some()} is running")
        return self._named[-1]

    def having(self, *nouns: str) -> Pipeline:
        """The system whose inputs or outputs are called so; of several, the last one named.

        Raises:
            PremiseNotMet: no step has named one.
        """
        wanted = {noun.lower() for noun in nouns} - _ANY
        for pipeline in reversed(self._named):
            if wanted <= _nouns(pipeline.settings):
                return self._last(pipeline)
        if not wanted:
            return self.current
        raise step_missing(
            f"a system with {' and '.join(sorted(wanted))}", f"the {self._some(wanted)} is running"
        )

    def indexing(self, *nouns: str) -> Indexing:
        """The same of one whose outputs are documents.

        Raises:
            PremiseNotMet: no step has named one.
            Trouble: they are something else.
        """
        found = self.having(*nouns)
        if isinstance(found, Indexing):
            return found
        raise Trouble(
            f"the {found.settings.called} makes no documents",
            "it has an output topic, or its section names nothing of OpenSearch",
            "use steps about its outputs, or name the search indexer",
        )

    def _last(self, pipeline: Pipeline) -> Pipeline:
        self._named = [*(one for one in self._named if one is not pipeline), pipeline]
        return pipeline

    def _some(self, wanted: frozenset[str] | set[str] = frozenset()) -> str:
        """A system that could have been named."""
        known = [
            system
            for system in self._session.settings.systems.values()
            if "kafka" in system.services and not system.component and wanted <= _nouns(system)
        ]
        return known[0].called if known else "pipeline"


def _nouns(system: SystemSettings) -> frozenset[str]:
    words = (system.noun(role, count) for role in NOUNS for count in (1, 2))
    return frozenset(word.lower() for word in words) | _ANY
