from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.churn_pipeline import model as model_module
from reference.churn_pipeline.model import (
    CATEGORICAL_FEATURES,
    ChurnModel,
    ModelError,
    cache_path,
    load_model,
)
from tests.reference.customers import customer
from tests.reference.fakes import MODEL


@pytest.fixture(scope="module")
def trained() -> ChurnModel:
    from reference.churn_pipeline.training import train_model

    return train_model()


CUSTOMERS = st.fixed_dictionaries(
    {
        **{name: st.sampled_from(known) for name, known in CATEGORICAL_FEATURES.items()},
        "tenure": st.integers(0, 120),
        "MonthlyCharges": st.floats(0, 1_000),
        "TotalCharges": st.floats(0, 120_000),
    }
)


def test_training_is_deterministic(trained: ChurnModel) -> None:
    from reference.churn_pipeline.training import train_model

    assert train_model() == trained


def test_the_model_has_learnt_something(trained: ChurnModel) -> None:
    at_risk = customer(
        Contract="Month-to-month", InternetService="Fiber optic", tenure=1, TotalCharges=80
    )
    loyal = customer(Contract="Two year", tenure=70, TotalCharges=2_000, Dependents="Yes")
    assert trained.churn_probability(at_risk) > 0.6
    assert trained.churn_probability(loyal) < 0.2


def test_the_plain_evaluation_equals_scikit_learns() -> None:
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    names = [(name, value) for name, known in CATEGORICAL_FEATURES.items() for value in known]
    regression = LogisticRegression()
    regression.classes_ = np.array([0, 1])
    regression.intercept_ = np.array([MODEL.intercept])
    regression.coef_ = np.array(
        [
            [triple[2] for triple in MODEL.numeric.values()]
            + [MODEL.categorical[name][value] for name, value in names]
        ]
    )
    example = customer()
    row = [(example[name] - mean) / scale for name, (mean, scale, _) in MODEL.numeric.items()] + [
        float(example[name] == value) for name, value in names
    ]
    expected = regression.predict_proba(np.array([row]))[0, 1]
    assert MODEL.churn_probability(example) == pytest.approx(expected, abs=1e-6)


@given(CUSTOMERS)
def test_every_customer_has_a_probability(some_customer: dict[str, Any]) -> None:
    probability = MODEL.churn_probability(some_customer)
    assert 0 <= probability <= 1
    assert MODEL.churn_probability(some_customer) == probability


def test_extreme_scores_do_not_overflow() -> None:
    for intercept, expected in ((1e6, 1.0), (-1e6, 0.0)):
        extreme = ChurnModel(intercept, MODEL.numeric, MODEL.categorical)
        assert extreme.churn_probability(customer()) == expected


def never() -> ChurnModel:
    raise AssertionError("trained although a good model is cached")


def test_the_model_is_cached(tmp_path: Path) -> None:
    cache = tmp_path / "not" / "there" / "yet"
    assert load_model(cache, lambda: MODEL) == MODEL
    assert load_model(cache, never) == MODEL
    assert [path.name for path in cache.iterdir()] == [cache_path(cache).name]


def test_the_cache_is_keyed_by_both_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cache_path(tmp_path)
    monkeypatch.setattr(model_module, "version", lambda _: "0.0.1")
    other_library = cache_path(tmp_path)
    monkeypatch.setattr(model_module, "MODEL_VERSION", 99)
    assert len({before, other_library, cache_path(tmp_path)}) == 3


def changed(content: str, **changes: object) -> str:
    stored = json.loads(content)
    stored["model"].update(changes)
    return json.dumps(stored)


def signed(content: str, **changes: object) -> str:
    stored = json.loads(changed(content, **changes))
    stored["sha256"] = model_module._digest(stored["model"])
    return json.dumps(stored)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: "",
        lambda content: content[: len(content) // 2],
        lambda content: "null",
        lambda content: "[]",
        lambda content: "{}",
        lambda content: changed(content, intercept=0.5),
        lambda content: signed(content, intercept="high"),
        lambda content: signed(content, intercept=math.inf),
        lambda content: signed(content, numeric={}),
        lambda content: signed(content, numeric=7),
        lambda content: signed(content, categorical={}),
    ],
)
def test_a_damaged_cache_is_replaced(tmp_path: Path, damage: Any) -> None:
    load_model(tmp_path, lambda: MODEL)
    path = cache_path(tmp_path)
    path.write_text(damage(path.read_text()))
    assert load_model(tmp_path, lambda: MODEL) == MODEL
    assert load_model(tmp_path, never) == MODEL


def test_a_cache_that_is_not_text_is_replaced(tmp_path: Path) -> None:
    cache_path(tmp_path).write_bytes(b"\xff\x00\xfe")
    assert load_model(tmp_path, lambda: MODEL) == MODEL
    assert load_model(tmp_path, never) == MODEL


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert load_model(tmp_path / "file", lambda: MODEL) == MODEL


def test_without_scikit_learn_and_without_cache_there_is_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_library() -> ChurnModel:
        raise ModelError("needs scikit-learn")

    monkeypatch.setattr(model_module, "_train", no_library)
    with pytest.raises(ModelError):
        load_model(tmp_path)
    assert not list(tmp_path.iterdir())
