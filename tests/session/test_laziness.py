"""Planning, loading steps and starting a worker load no client, no library for numbers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: What only a scenario, a report or a provider needs.
HEAVY = ("redis", "pika", "confluent_kafka", "jsonschema", "matplotlib", "docker", "rich",
         "hypothesis", "requests", "sklearn", "kafka", "numpy", "lz4", "crc32c", "jsonpath_ng",
         "deepdiff", "etcd3gw", "kazoo", "boto3",
         "botocore")  # fmt: skip
PROGRAM = f"""
import sys
from stackproof.cli import main
import stackproof.session.workers.worker
code = main(["run", "--plan", "--suite", "release"])
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
sys.exit(code)
"""


def test_planning_loads_no_client() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True,
                          text=True, timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "scenarios in" in done.stdout


def test_words_of_steps_name_what_the_clients_do() -> None:
    from stackproof import vocabulary
    from stackproof.services.redis import collections

    assert set(vocabulary.COLLECTIONS) == set(collections.COLLECTIONS)


def test_a_worker_has_loaded_what_scenarios_use_before_they_begin() -> None:
    program = (
        "import sys\n"
        "from stackproof.session.workers.worker import load_modules\n"
        "load_modules(['no such service', 'kafka'])\n"
        "sys.exit(not {'kafka', 'numpy', 'confluent_kafka'} <= set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=120, check=False)
    assert done.returncode == 0
