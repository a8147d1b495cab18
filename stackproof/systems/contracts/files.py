"""The files of a contract: the schema, and those beside it that it refers to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import url2pathname

import jsonschema_specifications
import referencing

from stackproof.errors import Trouble, reason_of
from stackproof.matching import NotJson
from stackproof.systems.contracts.strict import strict_json


def read_schema(file: Path) -> Any:
    """The JSON value in a file, whatever the locale says about texts.

    Raises:
        Trouble: it cannot be read, or is no JSON text in UTF-8; a byte order mark may be there.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise Trouble(
            f"the contract {file} cannot be read", reason_of(error), "correct its name or rights"
        ) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        why = f"byte 0x{data[error.start]:02x} at {error.start}"
        raise Trouble(f"the contract {file} is not UTF-8", why, "save it as UTF-8") from error
    if "\0" in text:
        raise Trouble(f"the contract {file} is not UTF-8", "it holds zero bytes, as UTF-16 does",
                      "save it as UTF-8")  # fmt: skip
    try:
        return strict_json(text.encode())
    except NotJson as error:
        raise Trouble(f"the contract {file} is not JSON", str(error), "correct it") from error


class SchemaFiles:
    """Finds what references lead to: files beside the contract, never the network.

    Args:
        specification: of the contract's draft; what it refers to is of the same.
        check: refuses the content of a file that is not understood.
    """

    def __init__(self, specification: Any, check: Callable[[Any, Path], None]):
        self.specification = specification
        self._check = check
        self._word = "id" if specification.name == "draft-04" else "$id"
        self._folder = Path()
        self._name = ""
        self._found: dict[str, Any] = {}

    @property
    def registry(self) -> Any:
        """Resolves references; what was found is not looked for again."""
        known = jsonschema_specifications.REGISTRY
        own: Any = referencing.Registry(retrieve=self._retrieve)  # type: ignore[call-arg]
        return known.combine(own.with_resources(self._found.items()))

    def root(self, file: Path, content: dict[str, Any]) -> Any:
        """The contract itself, under its own name or else its file's."""
        self._folder, self._name = file.absolute().parent, _named(content.get(self._word))
        return self._resource(file, content)

    def _resource(self, file: Path, content: Any) -> Any:
        self._check(content, file)
        if isinstance(content, dict):
            name = urljoin(file.absolute().as_uri(), _named(content.get(self._word)))
            # `$schema` would bring back a validator without our corrections.
            content = {k: v for k, v in content.items() if k != "$schema"} | {self._word: name}
        return self.specification.create_resource(content)

    def _retrieve(self, uri: str) -> Any:
        if uri not in self._found:
            file = self._file(uri)
            self._found[uri] = self._resource(file, read_schema(file))
        return self._found[uri]

    def _file(self, uri: str) -> Path:
        parts = urlsplit(uri)
        if parts.scheme == "file":
            return Path(url2pathname(parts.path))
        if not parts.scheme:
            return self._folder / unquote(parts.path)
        for file in sorted(self._folder.glob("*.json")):
            with suppress(Trouble):
                content = read_schema(file)
                if isinstance(content, dict) and content.get(self._word) == uri:
                    return file
        # Beside the contract by its name is beside it as a file.
        beside = urljoin(self._name, ".")
        if beside and uri.startswith(beside):
            return self._folder / unquote(uri.removeprefix(beside))
        raise Trouble(
            f"no file in {self._folder} is called {uri}",
            "references are followed to files beside the contract, not over the network",
            f'save it there, with "{self._word}": "{uri}", or refer to the file',
        )


def _named(name: Any) -> str:
    return name.rstrip("#") if isinstance(name, str) else ""
