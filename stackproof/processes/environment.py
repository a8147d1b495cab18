"""What the suite's own servers see of the environment that it was started in."""

from __future__ import annotations

import os
from collections.abc import Mapping

#: Everything else is left out, options of virtual machines and of servers above all: the
#: suite's servers start with its own flags, whatever a person has chosen for other programs.
_PASSED_ON = frozenset({
    "PATH", "LD_LIBRARY_PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TMP", "TEMP", "TZ",
    "JAVA_HOME", "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA",
    "LOCALAPPDATA", "STACKPROOF_RUNS",
})  # fmt: skip
#: Of launchers that stand for a program of many versions, and must find it.
_OF_LAUNCHERS = ("XDG_", "MISE_", "ASDF_", "JENV_", "SDKMAN_", "NIX_", "SNAP")
#: Paths may hold any character.
_ENCODING = {"LC_ALL": "C.UTF-8"}


def server_environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole environment of a server of ours, with ``variables`` of its own."""
    passed_on = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.startswith(_OF_LAUNCHERS)
    }
    return {**passed_on, **_ENCODING, **(variables or {})}
