"""Vectors that scenarios write, and what exact search and plain filters say of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackproof.services.milvus.known import COLOUR, COLOURS, KEY, PRICE, VECTOR

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Entity:
    """One vector with its fields; ``key``: its primary key."""

    key: int
    vector: Floats
    colour: str
    price: int

    @property
    def row(self) -> dict[str, object]:
        """As the client takes it."""
        return {KEY: self.key, VECTOR: self.vector, COLOUR: self.colour, PRICE: self.price}

    @property
    def content(self) -> str:
        """All of it, bit by bit."""
        digest = hashlib.sha256(np.asarray(self.vector, np.float32).tobytes()).hexdigest()
        return f"{digest} {self.colour} {self.price}"


def of_row(row: Mapping[str, object]) -> Entity:
    """What a client has read."""
    vector = np.asarray(row[VECTOR], np.float32)
    return Entity(int(str(row[KEY])), vector, str(row[COLOUR]), int(str(row[PRICE])))


def entities(keys: Iterable[int], dimensions: int, seed: int) -> list[Entity]:
    """Normally distributed vectors, of some clusters as real ones are; the same for a seed."""
    random = np.random.default_rng(seed)
    numbers = [*keys]
    centres = random.normal(size=(32, dimensions)) * 2
    near = centres[random.integers(len(centres), size=len(numbers))]
    vectors = (near + random.normal(size=(len(numbers), dimensions))).astype(np.float32)
    colours = random.integers(len(COLOURS), size=len(numbers))
    prices = random.integers(1000, size=len(numbers))
    return [
        Entity(key, vector, COLOURS[colour], int(price))
        for key, vector, colour, price in zip(numbers, vectors, colours, prices, strict=True)
    ]


def nearest(among: Floats, query: Floats, count: int, metric: str) -> NDArray[np.intp]:
    """Places of the nearest ones, by exact search in double precision."""
    wide, asked = among.astype(np.float64), query.astype(np.float64)
    if metric == "L2":
        distances = ((wide - asked) ** 2).sum(axis=1)
    else:
        distances = -(wide @ asked)
        if metric == "COSINE":
            distances /= np.linalg.norm(wide, axis=1)
    return np.argsort(distances, kind="stable")[:count]


#: Filters as Milvus takes them, and what they mean.
FILTERS: dict[str, Callable[[Entity], bool]] = {
    "price > 500": lambda one: one.price > 500,
    'colour == "red"': lambda one: one.colour == "red",
    'colour in ["red", "blue"] and price <= 250': lambda one: (
        one.colour in ("red", "blue") and one.price <= 250
    ),
    'not (colour == "red") and not (price < 900)': lambda one: (
        one.colour != "red" and one.price >= 900
    ),
    'colour like "bl%"': lambda one: one.colour.startswith("bl"),
    "price % 7 == 3": lambda one: one.price % 7 == 3,
    "100 < price < 200 or id == 1": lambda one: 100 < one.price < 200 or one.key == 1,
    "id in [1, 2, 999999]": lambda one: one.key in (1, 2, 999999),
    "price > 1000": lambda one: one.price > 1000,
}
