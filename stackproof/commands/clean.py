"""``stackproof clean``: what interrupted runs have left on endpoints that the suite did not start.

A run removes at its end what it created. One that was killed could not; its names tell whose
they are (see `stackproof.names`).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from stackproof import names
from stackproof import settings as settings_module
from stackproof.errors import EXIT_FAILED, EXIT_PASSED, Trouble
from stackproof.processes.run import known_runs
from stackproof.services import service, service_names
from stackproof.services.base import Clearable, Endpoint, Leftover
from stackproof.settings import Settings
from stackproof.stack.external import ANSWERS_WITHIN, asked, external_endpoint, wait_answers

_SHOWN = 12


def clean(chosen: Sequence[str], *, yes: bool = False) -> int:
    """List what is left, ask, remove.

    Args:
        chosen: services; all external ones if empty.
        yes: do not ask.

    Returns:
        1 when something could not be removed.

    Raises:
        Trouble: no endpoint is known, one does not answer, or there is nobody to ask.
    """
    settings = settings_module.load()
    prefix = settings["run.prefix"]
    spared = {run.id: "is at work" for run in known_runs() if run.owner_lives()}
    spared |= {run.id: "was left up: `stackproof down` first" for run in known_runs()
               if run.kept and run.id not in spared}  # fmt: skip
    found: list[tuple[Endpoint, list[Leftover]]] = []
    for name in _external(chosen, settings):
        the_service = service(name)
        if not isinstance(the_service, Clearable):
            print(f"{name}: cannot be searched for leftovers")
            continue
        endpoint = external_endpoint(settings, the_service, name, {})
        wait_answers(the_service, endpoint, within=ANSWERS_WITHIN * settings["run.time_factor"])
        with asked(the_service, endpoint):
            ours = [item for item in the_service.leftovers(endpoint, f"{prefix}-")
                    if names.run_of(prefix, item.name)]  # fmt: skip
        left = _spare(ours, prefix, spared)
        print(f"{name} at {', '.join(endpoint.addresses.values())}: {_told(left, prefix)}")
        if left:
            found.append((endpoint, left))
    if not found:
        return EXIT_PASSED
    if not yes and not _agreed():
        print("nothing was removed")
        return EXIT_PASSED
    return _remove(found)


def _external(chosen: Sequence[str], settings: Settings) -> list[str]:
    """The chosen services, or all, that are somebody's endpoints and say where."""
    external = [n for n in service_names() if settings.provider_of(n)[0] == "external"]
    for name in chosen:
        service(name)  # an unknown one is told here
        if name not in external:
            raise Trouble(
                f"{name} is not provided as an external endpoint",
                "what the suite starts itself is gone with its run",
                f"set STACK=external, or provider = \"external\" in [services.{name}] of "
                f"{settings_module.FILE_NAME}",
            )  # fmt: skip
    found = list(dict.fromkeys(chosen)) or [n for n in external if settings.service(n).texts]
    if not found:
        raise Trouble(
            "there is no external endpoint to be cleaned",
            "no service is provided as one, or nothing says where it is",
            "set STACK=external and the endpoint's variables, or [services.NAME] in "
            f"{settings_module.FILE_NAME}",
        )
    return found


def _spare(ours: Sequence[Leftover], prefix: str, spared: dict[str, str]) -> list[Leftover]:
    """Without what belongs to runs that live, here or, as far as it shows, elsewhere."""
    runs = {item: names.run_of(prefix, item.name) or "" for item in ours}
    reasons = {runs[item]: "is in use" for item in ours if item.in_use} | spared
    for run in sorted(set(runs.values()) & reasons.keys()):
        print(f"  run {run} {reasons[run]}: spared")
    return [item for item in ours if runs[item] not in reasons]


def _told(left: Sequence[Leftover], prefix: str) -> str:
    if not left:
        return "nothing is left of interrupted runs"
    counts = Counter(item.kind for item in left)
    runs = sorted({names.run_of(prefix, item.name) or "" for item in left})
    lines = [", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in sorted(counts.items()))
             + f" of {', '.join(runs)}"]  # fmt: skip
    lines += [f"  {item}" for item in left[:_SHOWN]]
    lines += [f"  and {len(left) - _SHOWN} more"] if len(left) > _SHOWN else []
    return "\n".join(lines)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise Trouble(
            "nobody can be asked whether to remove this",
            "there is no terminal",
            "look at the list; `stackproof clean --yes` removes without asking",
        )
    return input("remove all of this? [y/N] ").strip().lower() in ("y", "yes")


def _remove(found: Sequence[tuple[Endpoint, Sequence[Leftover]]]) -> int:
    code = EXIT_PASSED
    for endpoint, left in found:
        the_service = service(endpoint.service)
        assert isinstance(the_service, Clearable)
        try:
            with asked(the_service, endpoint):
                the_service.remove(endpoint, left)
            print(f"{endpoint.service}: {len(left)} removed")
        except Trouble as trouble:
            print(f"{endpoint.service}: {trouble}", file=sys.stderr)
            code = EXIT_FAILED
    return code
