"""What nobody has yet of the scenarios that are to be run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from stackproof.session.plan import ScenarioPlan


class Left:
    """Scenarios by feature, in the order in which they shall run.

    Args:
        features: the scenarios of each feature.
    """

    def __init__(self, features: Iterable[Sequence[ScenarioPlan]] = ()):
        self._features = {scenarios[0].feature_index: list(scenarios) for scenarios in features}

    def __len__(self) -> int:
        return sum(map(len, self._features.values()))

    def of(self, feature_index: int) -> list[ScenarioPlan]:
        """Those of one feature."""
        return list(self._features.get(feature_index, ()))

    def next_feature(
        self, attended: Collection[int], ready: Callable[[ScenarioPlan], bool]
    ) -> int | None:
        """The next feature of which something is ready to be run.

        One that is not among those attended, if possible; else that with the most left.
        """
        open_ = [index for index, left in self._features.items() if any(map(ready, left))]
        for index in open_:
            if index not in attended:
                return index
        return max(open_, key=lambda index: len(self._features[index]), default=None)

    def everything(self) -> list[ScenarioPlan]:
        """All of them."""
        return [planned for scenarios in self._features.values() for planned in scenarios]

    def take(self, scenarios: Iterable[ScenarioPlan]) -> None:
        """Nobody else shall get these."""
        for planned in scenarios:
            feature = self._features[planned.feature_index]
            feature.remove(planned)
            if not feature:
                del self._features[planned.feature_index]

    def take_first(self, feature_index: int, ids: Collection[str]) -> ScenarioPlan | None:
        """Take the first with one of these IDs; None when all of them are taken."""
        found = next((p for p in self.of(feature_index) if p.id in ids), None)
        self.take([found] if found else [])
        return found

    def take_all(self) -> list[ScenarioPlan]:
        """Take everything."""
        everything = self.everything()
        self._features = {}
        return everything

    def give_back(self, scenarios: Sequence[ScenarioPlan]) -> None:
        """Somebody took these, all of one feature, and cannot run them: others shall, next."""
        if scenarios:
            self._features.setdefault(scenarios[0].feature_index, [])[:0] = scenarios
