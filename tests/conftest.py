"""What holds for all tests."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator

import hypothesis
import platformdirs
import pytest

#: Modules of the suite, of the tests and of what both use, compiled once for all processes that
#: tests start, and for the next time: reading all their sources anew takes a run of the tests
#: about a tenth of its time. Beside the sources nothing is left.
COMPILED = str(platformdirs.user_cache_path("stackproof") / "tests-compiled")
sys.dont_write_bytecode, sys.pycache_prefix = False, COMPILED
os.environ["PYTHONPYCACHEPREFIX"] = COMPILED
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("stackproof", deadline=None)
hypothesis.settings.load_profile("stackproof")

from stackproof import masking  # noqa: E402 -- compiled as said above


@pytest.fixture(autouse=True)
def secrets_of_one_test_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test's short passwords must not be masked in what another one expects."""
    monkeypatch.setattr(masking, "_default", masking.Masker())
    yield


@pytest.fixture(scope="session", autouse=True)
def only_lasting_modules_stay_compiled(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """Projects that tests make are gone with them."""
    yield
    place = tmp_path_factory.getbasetemp()
    shutil.rmtree(f"{COMPILED}{place}", ignore_errors=True)
