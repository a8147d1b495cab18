"""Writing a small project that runs at once."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

from stackproof import __version__
from stackproof.errors import Trouble, reason_of
from stackproof.values import did_you_mean

_HERE = Path(__file__).parent
_TEMPLATE = _HERE / "template"
#: What an area's features need besides: additions to stackproof.toml and
#: requirements.txt, and what they name.
_ADDITIONS = _HERE / "areas"
_BESIDES = {
    "cache": ("reference/caching/*.py",),
    "coordination": ("reference/coordination/*.py",),
    "database": ("reference/connection_pool/*.py",),
    "search": (
        "contracts/searched_order.schema.json",
        "contracts/searched_order.mapping.json",
        "contracts/search_dead_letter.schema.json",
        "reference/search_indexer/*.py",
    ),
    "sinks": ("reference/sinks/*.py",),
    "streams": (
        "contracts/vectors.schema.json",
        "contracts/vector_dead_letter.schema.json",
        "reference/vector_stream/*.py",
    ),
}
#: What the features of the suite's own pipeline are about, and what they are about here.
_SYSTEM = "the churn pipeline"
_WORDS = {
    "churn_messages_received": "orders_received",
    "churn_predictions": "orders_rated",
    "churn_dead_letters": "orders_set_aside",
    "churn_batch": "orders_batch",
    "churn pipeline": "order rater",
    "customer": "order",
    "prediction": "rating",
}
_HIDDEN = "dot-"  # packaging leaves out files that begin with a dot
_VERSION = "@VERSION@"


def areas() -> list[str]:
    """The areas that shipped features lie in, e.g. ``["cache", "messaging"]``."""
    return sorted({file.parent.name for file in _shipped("features").glob("*/*.feature")})


def make_project(place: Path, chosen: Sequence[str] = ()) -> list[Path]:
    """Fill a directory, which must be empty or not exist.

    Args:
        place: the directory.
        chosen: areas whose shipped features come along.

    Returns:
        The files that were written, relative to ``place``.

    Raises:
        Trouble: it holds something already, or cannot be written; an area does not exist.
    """
    chosen = sorted(set(chosen))
    _refuse_unknown(chosen)
    try:
        _refuse_used(place)
        texts = dict(_template())
        for area in chosen:
            _bring(area, texts)
        for target, text in texts.items():
            (place / target).parent.mkdir(parents=True, exist_ok=True)
            (place / target).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise Trouble(
            f"the project {place} cannot be written",
            reason_of(error),
            "choose a place that may be written to",
        ) from error
    return sorted(texts)


def _refuse_used(place: Path) -> None:
    if place.exists() and not place.is_dir():
        raise Trouble(f"{place} is a file", "a project is a directory", "choose another name")
    if place.is_dir() and (there := sorted(p.name for p in place.iterdir())):
        raise Trouble(
            f"the directory {place} is not empty",
            f"it holds {', '.join(there[:3])}{' and more' if len(there) > 3 else ''}, and "
            "nothing shall be overwritten",
            "choose another name, or empty it",
        )


def _refuse_unknown(chosen: Sequence[str]) -> None:
    known = areas() if chosen else []
    for area in chosen:
        if area not in known:
            raise Trouble(
                f"there are no shipped features of {area!r}",
                f"the areas are: {', '.join(known)}",
                did_you_mean(area, known, "e.g. --with messaging,cache"),
            )


def _template() -> Iterator[tuple[Path, str]]:
    for source in sorted(p for p in _TEMPLATE.rglob("*") if p.is_file()):
        if "__pycache__" not in source.parts:
            parts = source.relative_to(_TEMPLATE).parts
            target = Path(*(part.replace(_HIDDEN, ".", 1) if part.startswith(_HIDDEN) else part
                            for part in parts))  # fmt: skip
            yield target, _text(source).replace(_VERSION, __version__)


def _bring(area: str, texts: dict[Path, str]) -> None:
    """Add an area's features, and what they need, to a project's files."""
    features = (f"features/{area}/*.feature", f"features/{area}/*/*")  # and files that they name
    for pattern in (*features, *_BESIDES.get(area, ())):
        folder, _, rest = pattern.partition("/")
        place = _shipped(folder)
        for source in sorted(place.glob(rest)):
            texts[Path(folder) / source.relative_to(place)] = _about_orders(_text(source))
    for file, ending in (("stackproof.toml", "toml"), ("requirements.txt", "txt")):
        addition = _ADDITIONS / f"{area}.{ending}"
        if addition.is_file():
            texts[Path(file)] += f"\n{_text(addition)}"
    if area in _BESIDES:
        texts.setdefault(Path("reference/__init__.py"), "")


def _about_orders(text: str) -> str:
    """A feature of the suite's own pipeline in the words of the project's; others as they are."""
    if _SYSTEM not in text:
        return text
    for word, other in _WORDS.items():
        text = text.replace(word, other).replace(word.capitalize(), other.capitalize())
    return text


def _shipped(folder: str) -> Path:
    """A folder of the repository: beside the package in a checkout, a package in a wheel."""
    beside = _HERE.parents[1] / folder
    if beside.is_dir():
        return beside
    found = importlib.util.find_spec(f"stackproof_{folder}")
    if found is None or not found.submodule_search_locations:
        raise Trouble(
            f"the suite's {folder} are not installed",
            f"there is no package stackproof_{folder}",
            "install the suite again: pip install --force-reinstall stackproof",
        )
    return Path(next(iter(found.submodule_search_locations)))


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")
