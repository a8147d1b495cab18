"""The churn model: a logistic regression, kept as plain numbers and evaluated without libraries.

Importing scikit-learn takes longer than everything else that the program does
before it is ready, so only training imports it (``training.py``). What training
leaves behind is a small JSON file of coefficients.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

MODEL_VERSION = 1
"""Raise it whenever features, training data or the stored form change."""

CHURN_THRESHOLD = 0.5
"""Probability from which on a customer is expected to leave."""

NUMERIC_FEATURES = ("tenure", "MonthlyCharges", "TotalCharges")

_YES_NO = ("Yes", "No")
_INTERNET_OPTION = ("Yes", "No", "No internet service")

CATEGORICAL_FEATURES: Mapping[str, tuple[object, ...]] = {
    "gender": ("Female", "Male"),
    "SeniorCitizen": (0, 1),
    "Partner": _YES_NO,
    "Dependents": _YES_NO,
    "PhoneService": _YES_NO,
    "MultipleLines": ("Yes", "No", "No phone service"),
    "InternetService": ("DSL", "Fiber optic", "No"),
    "OnlineSecurity": _INTERNET_OPTION,
    "OnlineBackup": _INTERNET_OPTION,
    "DeviceProtection": _INTERNET_OPTION,
    "TechSupport": _INTERNET_OPTION,
    "StreamingTV": _INTERNET_OPTION,
    "StreamingMovies": _INTERNET_OPTION,
    "Contract": ("Month-to-month", "One year", "Two year"),
    "PaperlessBilling": _YES_NO,
    "PaymentMethod": (
        "Electronic check",
        "Mailed check",
        "Bank transfer (automatic)",
        "Credit card (automatic)",
    ),
}

log = logging.getLogger(__name__)


class ModelError(Exception):
    """No model: none is cached, and none can be trained."""


@dataclass(frozen=True)
class ChurnModel:
    """A trained logistic regression over standardised numbers and one-hot categories.

    Attributes:
        intercept: of the linear part.
        numeric: for each numeric feature its mean, scale and coefficient.
        categorical: for each categorical feature the coefficient of each value.
    """

    intercept: float
    numeric: Mapping[str, tuple[float, float, float]]
    categorical: Mapping[str, Mapping[object, float]]

    def churn_probability(self, customer: Mapping[str, Any]) -> float:
        """Return the probability that ``customer`` leaves, 0 to 1, rounded to six decimals.

        Raises:
            KeyError: ``customer`` does not meet the contract.
        """
        score = self.intercept
        for name, (mean, scale, coefficient) in self.numeric.items():
            score += coefficient * (customer[name] - mean) / scale
        for name, coefficients in self.categorical.items():
            score += coefficients[customer[name]]
        return round(_logistic(score), 6)

    def to_json(self) -> dict[str, Any]:
        """Return the model as JSON values."""
        return {
            "intercept": self.intercept,
            "numeric": {name: list(numbers) for name, numbers in self.numeric.items()},
            # Pairs, because JSON has no objects with numbers as names.
            "categorical": {
                name: [[value, weight] for value, weight in weights.items()]
                for name, weights in self.categorical.items()
            },
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ChurnModel:
        """Return the model that ``to_json`` gave.

        Raises:
            ValueError: features are missing or unknown, or a number is not finite.
            KeyError, TypeError, AttributeError: ``stored`` has another form.
        """
        model = cls(
            intercept=float(stored["intercept"]),
            numeric={
                name: (float(mean), float(scale), float(coefficient))
                for name, (mean, scale, coefficient) in stored["numeric"].items()
            },
            categorical={
                name: {value: float(weight) for value, weight in weights}
                for name, weights in stored["categorical"].items()
            },
        )
        model._check()
        return model

    def _check(self) -> None:
        if set(self.numeric) != set(NUMERIC_FEATURES):
            raise ValueError("other numeric features than expected")
        values = {name: set(weights) for name, weights in self.categorical.items()}
        if values != {name: set(known) for name, known in CATEGORICAL_FEATURES.items()}:
            raise ValueError("other categorical features than expected")
        numbers = [
            self.intercept,
            *(number for triple in self.numeric.values() for number in triple),
            *(weight for weights in self.categorical.values() for weight in weights.values()),
        ]
        if not all(map(math.isfinite, numbers)):
            raise ValueError("a coefficient is not a finite number")
        if any(scale <= 0 for _, scale, _ in self.numeric.values()):
            raise ValueError("a scale is not positive")


def load_model(cache_dir: Path, train: Callable[[], ChurnModel] | None = None) -> ChurnModel:
    """Return the model from the cache, or train it and put it there.

    A cache that is damaged is replaced; one that cannot be written costs the
    time of training at every start, no more.

    Args:
        cache_dir: directory of the cache, made if it does not exist.
        train: makes a model; ``training.train_model`` if it is not given.

    Raises:
        ModelError: nothing is cached and scikit-learn is not installed.
    """
    path = cache_path(cache_dir)
    try:
        model = _read(path)
    except FileNotFoundError:
        log.info("no model in %s: training one", path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("the cached model %s is damaged (%s): training a new one", path, error)
    else:
        log.debug("model read from %s", path)
        return model
    model = (train or _train)()
    try:
        _write(path, model)
    except OSError as error:
        log.warning("cannot keep the model in %s: %s", path, error)
    return model


def cache_path(cache_dir: Path) -> Path:
    """Return where the model of this program and this scikit-learn is cached."""
    try:
        library = version("scikit-learn")
    except PackageNotFoundError:
        library = "none"
    return cache_dir / f"churn-model-v{MODEL_VERSION}-scikit-learn-{library}.json"


def _train() -> ChurnModel:
    try:
        from reference.churn_pipeline.training import train_model
    except ImportError as error:
        raise ModelError(
            f"no model is cached, and training one needs scikit-learn: {error}"
        ) from error
    return train_model()


def _read(path: Path) -> ChurnModel:
    stored = json.loads(path.read_text(encoding="utf-8"))
    if stored["sha256"] != _digest(stored["model"]):
        raise ValueError("its checksum is wrong")
    return ChurnModel.from_json(stored["model"])


def _write(path: Path, model: ChurnModel) -> None:
    content = model.to_json()
    path.parent.mkdir(parents=True, exist_ok=True)
    # Several instances may train at once: each replaces the file as a whole.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}-", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"sha256": _digest(content), "model": content}, file)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _logistic(score: float) -> float:
    # Either form alone overflows at one end.
    if score >= 0:
        return 1 / (1 + math.exp(-score))
    power = math.exp(score)
    return power / (1 + power)
