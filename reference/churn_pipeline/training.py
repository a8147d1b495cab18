"""Train the churn model on synthetic customers. The only module that needs scikit-learn."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from reference.churn_pipeline.model import (
    CATEGORICAL_FEATURES,
    NUMERIC_FEATURES,
    ChurnModel,
)

SEED = 20_240_517
CUSTOMERS = 4_000

# How much each property adds to the log-odds of leaving, after what is known of
# the original data set: short contracts, fibre, electronic checks and being new
# make customers leave.
_EFFECTS: dict[tuple[str, object], float] = {
    ("Contract", "Month-to-month"): 1.3,
    ("Contract", "Two year"): -1.4,
    ("InternetService", "Fiber optic"): 0.8,
    ("InternetService", "No"): -0.7,
    ("PaymentMethod", "Electronic check"): 0.5,
    ("PaperlessBilling", "Yes"): 0.3,
    ("SeniorCitizen", 1): 0.3,
    ("Dependents", "Yes"): -0.2,
    ("OnlineSecurity", "No"): 0.4,
    ("TechSupport", "No"): 0.4,
}
_EFFECT_OF_TENURE = -0.035
_BASE = -0.3

_WITHOUT_INTERNET = "No internet service"
_WITHOUT_PHONE = "No phone service"


def train_model(seed: int = SEED, customers: int = CUSTOMERS) -> ChurnModel:
    """Return the model for ``customers`` synthetic customers; the same for the same ``seed``."""
    random = np.random.default_rng(seed)
    table = _synthetic_customers(random, customers)
    left = random.random(customers) < 1 / (1 + np.exp(-_log_odds(table)))

    scaler = StandardScaler().fit(_numbers(table))
    columns = [(name, value) for name, known in CATEGORICAL_FEATURES.items() for value in known]
    one_hot = np.column_stack([table[name] == value for name, value in columns])
    regression = LogisticRegression(max_iter=500).fit(
        np.hstack([scaler.transform(_numbers(table)), one_hot]), left
    )

    weights = [float(weight) for weight in regression.coef_[0]]
    split = len(NUMERIC_FEATURES)
    categorical: dict[str, dict[object, float]] = {name: {} for name in CATEGORICAL_FEATURES}
    for (name, value), weight in zip(columns, weights[split:], strict=True):
        categorical[name][value] = weight
    return ChurnModel(
        intercept=float(regression.intercept_[0]),
        numeric={
            name: (float(mean), float(scale), weight)
            for name, mean, scale, weight in zip(
                NUMERIC_FEATURES, scaler.mean_, scaler.scale_, weights[:split], strict=True
            )
        },
        categorical=categorical,
    )


def _synthetic_customers(random: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    table = {
        name: np.array(known, dtype=object)[random.integers(len(known), size=count)]
        for name, known in CATEGORICAL_FEATURES.items()
    }
    table["MultipleLines"][table["PhoneService"] == "No"] = _WITHOUT_PHONE
    for name, known in CATEGORICAL_FEATURES.items():
        if _WITHOUT_INTERNET in known:
            table[name][table["InternetService"] == "No"] = _WITHOUT_INTERNET
    table["tenure"] = random.integers(0, 73, size=count)
    internet = {"DSL": 25.0, "Fiber optic": 50.0, "No": 0.0}
    table["MonthlyCharges"] = np.round(
        20
        + np.array([internet[kind] for kind in table["InternetService"]])
        + random.uniform(0, 45, size=count),
        2,
    )
    table["TotalCharges"] = np.round(table["MonthlyCharges"] * table["tenure"], 2)
    return table


def _log_odds(table: dict[str, np.ndarray]) -> np.ndarray:
    odds = _BASE + _EFFECT_OF_TENURE * table["tenure"].astype(float)
    for (name, value), effect in _EFFECTS.items():
        odds = odds + effect * (table[name] == value)
    return odds


def _numbers(table: dict[str, np.ndarray]) -> np.ndarray:
    return np.column_stack([table[name].astype(float) for name in NUMERIC_FEATURES])
