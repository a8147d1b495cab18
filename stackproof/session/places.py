"""The named places of one scenario, of whatever service: found by the words of a step."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from stackproof.errors import PremiseNotMet, Trouble
from stackproof.services import service_names
from stackproof.services.places import Place, Places
from stackproof.values import did_you_mean

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

_WORDS = re.compile(r'(?:the (?P<noun>[^"]+) )?"(?P<name>[^"]*)"')


class NamedPlaces:
    """Finds what a step calls "orders", or the queue "orders".

    Args:
        session: the scenario.
    """

    def __init__(self, session: ScenarioSession):
        self._session = session
        self._found: dict[tuple[str, str], Place] = {}
        self._by_service = {name: made for name in service_names() if (made := self._of(name))}

    def fields(self, services: Iterable[str]) -> dict[str, str]:
        """How a system under test reaches these services.

        Args:
            services: names of those that it needs.
        """
        made = [places for name, places in self._by_service.items() if name in set(services)]
        return {name: value for places in made for name, value in places.fields().items()}

    def _of(self, service: str) -> Places | None:
        if not self._session.has(service):
            return None
        module = f"stackproof.services.{service}.places"
        if find_spec(module) is None:
            return None
        made: Places = import_module(module).PLACES(self._session)
        return made

    def find(self, words: str, kind: Any, doing: str) -> Any:
        """The place that these words name, which can do what ``kind`` says.

        Args:
            words: ``"orders"``, ``the queue "orders"`` or ``the redis key "orders"``; names of
                remembered values are filled in.
            kind: a protocol of `stackproof.services.places`.
            doing: what it is to do, for people: "take messages".

        Raises:
            PremiseNotMet: there is none of this name.
            Trouble: there are several, or it cannot do that.
        """
        found = _WORDS.fullmatch(words)
        assert found is not None  # the type of the step's parameter
        noun, name = found["noun"], found["name"]
        asked = [
            places for service, places in self._by_service.items()
            if noun is None or noun.lower() in (places.noun, f"{service} {places.noun}")
        ]  # fmt: skip
        if noun and not asked:
            nouns = [self._noun(places) for places in self._by_service.values()]
            raise Trouble(
                f"no service of this scenario has what is called a {noun}",
                f"its services have: {', '.join(nouns) or 'nothing; it has none'}",
                did_you_mean(noun, nouns, "correct it, or say in a step before which service "
                             "there is"),
            )  # fmt: skip
        able = [(self._noun(places), place) for places in asked
                if (place := self._place(places, name))]  # fmt: skip
        fit = [(noun, place) for noun, place in able if isinstance(place, kind)]
        if len(fit) > 1:
            raise Trouble(
                f'"{name}" is the name of several: ' + ", ".join(f"the {n}" for n, _ in fit),
                "the step could mean each of them",
                f'say which: the {fit[0][0]} "{name}"',
            )
        if fit:
            return fit[0][1]
        if able:
            raise Trouble(f'the {able[0][0]} "{name}" cannot {doing}', "",
                          "use a step that is for it (stackproof steps)")  # fmt: skip
        raise self._unknown(asked, name)

    def _noun(self, places: Places) -> str:
        """What its places are called; with the service, where another one calls its own so too."""
        twins = [name for name, one in self._by_service.items() if one.noun == places.noun]
        (service,) = [name for name in twins if self._by_service[name] is places]
        return places.noun if len(twins) == 1 else f"{service} {places.noun}"

    def _place(self, places: Places, name: str) -> Place | None:
        key = self._noun(places), name
        if key not in self._found and (place := places.find(name)) is not None:
            self._found[key] = place
        return self._found.get(key)

    def _unknown(self, asked: list[Places], name: str) -> PremiseNotMet:
        if not asked:
            return PremiseNotMet(
                f'nothing in this scenario is called "{name}"', "it has no service",
                'say before which there is, e.g. "Given a Kafka broker", and make what is named',
            )  # fmt: skip
        known = {name: places.noun for places in asked for name in places.names()}
        nouns = ", ".join(places.noun for places in asked)
        there = ", ".join(f'{noun} "{one}"' for one, noun in known.items()) or "none"
        return PremiseNotMet(
            f'nothing in this scenario is called "{name}" ({nouns})',
            f"there are: {there}",
            did_you_mean(name, known, "make it in a step before, or correct the name"),
        )
