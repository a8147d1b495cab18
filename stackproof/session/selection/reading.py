"""Reading features, hooks and steps: what cannot be read is named, and ends the run.

behave finds and parses them as well, but hidden files and links in a circle are features to
it, a language that it does not know is a KeyError, and a pipe keeps it waiting for ever.
"""

from __future__ import annotations

import difflib
import os
import stat
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from behave.i18n import languages
from behave.model_type import FileLocation
from behave.parser import Parser, ParserError
from behave.runner import Runner
from behave.runner_util import (
    FeatureListParser,
    FeatureScenarioLocationCollector2,
    FileLocationParser,
    PathManager,
    exec_file,
)

from stackproof import settings, texts, vocabulary
from stackproof.errors import Trouble, reason_of

_FEATURE = ".feature"
_LISTED = "`behave --lang-list` lists the languages"


class ReadingRunner(Runner):
    """behave's runner, reading what people wrote in the ways of this module.

    Attributes:
        step_folders: whose modules have been loaded.
    """

    step_folders: Sequence[str] = ()

    def setup_paths(self) -> None:
        """Find the project: the nearest folder above the features with steps or hooks."""
        steps, hooks = self.config.steps_dir, self.config.environment_file
        named = Path(self._first_path()).absolute()
        for place in (named, *named.parents):
            if _is_folder(place / steps) or os.path.isfile(place / hooks):  # noqa: PTH113
                break
        else:
            raise Trouble(
                "there are no steps for the features",
                f"neither {steps}/ nor {hooks} is in {named}, or in any folder above it",
                f"make a folder {steps}/ beside the features",
            )
        self.base_dir = self.config.base_dir = str(place)
        self.path_manager.add(self.base_dir)
        if not self.config.paths:
            self.config.paths = [self.base_dir]
        if self.base_dir != str(Path.cwd()):
            self.path_manager.add(str(Path.cwd()))

    def _first_path(self) -> str:
        first = str((self.config.paths or [self.DEFAULT_DIRECTORY])[0])
        if first.startswith("@"):
            return next((location.filename for location in self.feature_locations()), ".")
        return first

    def load_hooks(self, filename: str | None = None) -> None:
        """Import the hooks; there may be none.

        Raises:
            Trouble: they cannot be imported.
        """
        hooks = Path(
            self.base_dir or self.DEFAULT_DIRECTORY, filename or self.config.environment_file
        )
        if os.path.lexists(hooks):
            _readable(hooks)
        _load("hooks", super().load_hooks, filename)

    def load_step_definitions(self, extra_step_paths: list[str] | None = None) -> None:
        """Import the steps; the types of their parameters are known before.

        Raises:
            Trouble: there are none, or a module cannot be imported.
        """
        assert self.base_dir is not None
        first = Path(self.base_dir, self.config.steps_dir)
        if not first.is_dir():
            raise Trouble(
                "there are no steps for the features",
                f"{first} does not exist",
                f"make the folder {self.config.steps_dir}/ with a module of steps",
            )
        places = [str(first)]
        if self.config.use_nested_step_modules:
            places += [path for path, _ in _folders(first)][1:]
        self.step_folders = [*places, *(extra_step_paths or [])]
        vocabulary.register(settings.load_systems())
        _load("steps", _load_modules, self.step_folders)

    def feature_locations(self) -> list[FileLocation]:
        """The features and scenarios that are named, as files and lines."""
        return list(locations([str(path) for path in self.config.paths]))


def locations(paths: Sequence[str]) -> Iterator[FileLocation]:
    """The feature files of paths: folders, files, ``FILE:LINE``, and lists of these (``@FILE``).

    Raises:
        Trouble: something that is named does not exist or cannot be read.
    """
    for path in paths:
        if path.startswith("@"):
            file = Path(path[1:])
            listed = FeatureListParser.parse(texts.read(file), str(file.parent))
            yield from (found for one in listed for found in _location(one, f" (in {file})"))
        elif _is_folder(path):
            yield from _location(FileLocation(path), "")
        else:
            yield from _location(FileLocationParser.parse(path), "")


def _location(location: FileLocation, where: str) -> Iterator[FileLocation]:
    named = str(location.filename)
    if _is_folder(named):
        for folder, files in _folders(Path(named)):
            yield from (FileLocation(os.path.join(folder, name)) for name in files)  # noqa: PTH118
    else:
        why = "" if named.endswith(_FEATURE) else f"its name does not end with {_FEATURE}"
        try:
            os.lstat(named)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
        if why:
            raise Trouble(f"the features cannot be read: {named}{where}", why, "correct the path")
        yield location


def _is_folder(path: object) -> bool:
    return os.path.isdir(str(path))  # noqa: PTH112 -- false for whatever cannot be one


def _folders(
    place: Path, above: tuple[tuple[int, int], ...] = ()
) -> Iterator[tuple[str, list[str]]]:
    """A folder and those below it, each with its feature files; nothing that is hidden.

    Editors and file servers hide what only looks like a feature: locks, copies, attributes.
    """
    try:
        known = place.stat()
        entries = sorted(entry.name for entry in os.scandir(place))
    except OSError as error:
        raise Trouble(
            f"the features cannot be read: {place}", reason_of(error), "correct its rights"
        ) from error
    if (known.st_dev, known.st_ino) in above:
        return  # a link to a folder that it lies in
    visible = [name for name in entries if not name.startswith((".", "__pycache__"))]
    inner = [name for name in visible if _is_folder(place / name)]
    yield str(place), [n for n in visible if n.endswith(_FEATURE) and n not in inner]
    for name in inner:
        yield from _folders(place / name, (*above, (known.st_dev, known.st_ino)))


def features(chosen: Sequence[FileLocation], language: str | None) -> list[Any]:
    """Parsed features, each once; scenarios that no line chooses are marked as skipped.

    Args:
        chosen: files, or lines of them.
        language: of features that do not name theirs.

    Raises:
        Trouble: one cannot be read.
    """
    if language and language not in languages:
        raise Trouble(
            f"there is no language {language!r}",
            f"lang in behave's settings; the nearest is {_nearest_language(language)}",
            _LISTED,
        )
    found = []
    for file, lines in _by_file(chosen):
        feature = parse(file, language)
        if feature is None:
            continue
        collector = FeatureScenarioLocationCollector2(feature, filename=file)
        for line in lines:
            collector.add_location(FileLocation(file, line))
        found.append(collector.build_feature())
    return found


def _by_file(named: Iterable[FileLocation]) -> Iterator[tuple[str, list[int | None]]]:
    """Each file that is named, under the first path that led to it, and which of its lines.

    A file that is named as a whole is read as a whole, whatever lines of it are named besides.
    """
    files: dict[str, list[FileLocation]] = {}
    for location in named:
        files.setdefault(os.path.realpath(location.filename), []).append(location)
    for places in files.values():
        lines = list(dict.fromkeys(place.line or None for place in places))
        path = os.path.abspath(places[0].filename)  # noqa: PTH100
        yield path, [None] if None in lines else lines


def parse(file: str, language: str | None) -> Any:
    """A feature; None when the file holds none.

    Raises:
        Trouble: it cannot be read or understood; the line is named.
    """
    shown = os.path.relpath(file)
    text = texts.read(Path(shown))
    parser = Parser(language)
    try:
        return parser.parse(text, file)
    except ParserError as error:
        why = "\n".join(map(texts.visible, str(error.args[0]).strip().splitlines()))
        raise Trouble(f"the features cannot be read: {shown}:{error.line}", why,
                      "correct the feature") from error  # fmt: skip
    except Exception as error:
        if parser.language not in languages:
            raise Trouble(
                f"the features cannot be read: {shown}:{parser.line}",
                f"there is no language {parser.language!r}; "
                f"the nearest is {_nearest_language(parser.language)}",
                _LISTED,
            ) from error
        # behave's parser is not prepared for everything that it may meet.
        said = traceback.format_exception_only(error)[-1].strip()
        raise Trouble(
            f"the features cannot be read: {shown}:{parser.line}",
            f"Gherkin does not allow this here ({said})",
            "correct the feature",
        ) from error


def _nearest_language(asked: str) -> str:
    known = {code.lower(): code for code in languages}
    asked = asked.lower().replace("_", "-")
    near = [asked, asked.partition("-")[0], *difflib.get_close_matches(asked, known, n=1)]
    return next((known[code] for code in near if code in known), "en")


def _load_modules(folders: Sequence[str]) -> None:
    """Import the modules of steps, as behave does; hidden ones are passed over."""
    from behave.api.step_matchers import (
        step_matcher,
        use_default_step_matcher,
        use_step_matcher,
    )
    from behave.matchers import use_current_step_matcher_as_default
    from behave.step_registry import setup_step_decorators

    names: dict[str, Any] = {"use_step_matcher": use_step_matcher, "step_matcher": step_matcher}
    setup_step_decorators(names)
    with PathManager(folders):
        use_current_step_matcher_as_default()
        for folder in folders:
            for module in sorted(Path(folder).glob("[!.]*.py")):
                if not _is_folder(module):
                    _readable(module)
                    exec_file(str(module), dict(names))
                use_default_step_matcher()


def _readable(module: Path) -> None:
    try:
        if not stat.S_ISREG(module.stat().st_mode):
            raise Trouble(f"{module} cannot be read", "it is no file", "take it away")
        source = module.read_bytes()
    except OSError as error:
        raise Trouble(
            f"{module} cannot be read", reason_of(error), "correct its rights, or take it away"
        ) from error
    if b"\0" in source:  # Python's compiler would name no file
        texts.decoded(source, module)


def _load(what: str, load: Any, place: Any) -> None:
    try:
        load(place)
    except Trouble:
        raise
    except (Exception, SystemExit) as error:  # a module's sys.exit(0) would look like success
        trace = traceback.TracebackException.from_exception(error)
        foreign = ("behave", __file__)
        own = [f for f in trace.stack if not any(part in f.filename for part in foreign)]
        trace.stack = traceback.StackSummary.from_list(own or list(trace.stack))
        raise Trouble(
            f"the {what} cannot be loaded",
            "".join(trace.format(chain=False)).strip(),
            "install what requirements.txt names, or correct the module",
        ) from error
