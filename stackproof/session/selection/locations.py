"""Which features are read: each file once, however often and by whatever paths it is named."""

from __future__ import annotations

import os
from collections.abc import Iterable

from behave.model_type import FileLocation


def each_once(named: Iterable[FileLocation]) -> list[FileLocation]:
    """The places named, those of one file together, under the first path that led to it.

    A file that is named as a whole is read as a whole, whatever lines of it are named besides.
    """
    files: dict[str, list[FileLocation]] = {}
    for location in named:
        files.setdefault(os.path.realpath(location.filename), []).append(location)
    chosen = []
    for places in files.values():
        path = places[0].filename
        whole = any(not place.line for place in places)
        lines = [None] if whole else list(dict.fromkeys(place.line for place in places))
        chosen += [FileLocation(path, line) for line in lines]
    return chosen
