"""What surrounds the results: environment, CI job, categories."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stackproof.reporting.categories import (
    CATEGORIES,
    categories_config,
    executor_of,
    write_environment,
    write_executor,
)

JOBS = {
    "github": {
        "GITHUB_ACTIONS": "true",
        "GITHUB_SERVER_URL": "https://git.example",
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_RUN_ID": "99",
        "GITHUB_RUN_NUMBER": "7",
        "GITHUB_WORKFLOW": "acceptance",
    },
    "gitlab": {
        "GITLAB_CI": "true",
        "CI_JOB_NAME": "acceptance",
        "CI_PIPELINE_IID": "7",
        "CI_JOB_URL": "https://git.example/o/r/-/jobs/99",
    },
    "jenkins": {
        "JENKINS_URL": "https://ci.example/",
        "JOB_NAME": "acceptance",
        "BUILD_NUMBER": "7",
        "BUILD_URL": "https://ci.example/job/acceptance/7/",
    },
    "azure": {
        "TF_BUILD": "True",
        "SYSTEM_COLLECTIONURI": "https://dev.example/o/",
        "SYSTEM_TEAMPROJECT": "p",
        "BUILD_BUILDID": "7",
        "BUILD_BUILDNUMBER": "20260101.1",
        "BUILD_DEFINITIONNAME": "acceptance",
    },
    "codebuild": {
        "CODEBUILD_BUILD_ID": "acceptance:abc",
        "CODEBUILD_BUILD_NUMBER": "7",
        "CODEBUILD_PUBLIC_BUILD_URL": "https://console.example/7",
    },
}
URLS = {
    "github": "https://git.example/o/r/actions/runs/99",
    "gitlab": "https://git.example/o/r/-/jobs/99",
    "jenkins": "https://ci.example/job/acceptance/7/",
    "azure": "https://dev.example/o/p/_build/results?buildId=7",
    "codebuild": "https://console.example/7",
}


@pytest.mark.parametrize("kind", JOBS)
def test_the_ci_job_is_named_with_its_address(kind: str, tmp_path: Path):
    path = write_executor(tmp_path, JOBS[kind])
    assert path is not None
    executor = json.loads(path.read_text())
    assert executor["type"] == kind
    assert executor["buildOrder"] == 7
    assert executor["buildUrl"] == URLS[kind]
    assert "acceptance" in executor["buildName"]


def test_outside_ci_there_is_no_executor(tmp_path: Path):
    assert write_executor(tmp_path, {"HOME": "/"}) is None
    assert list(tmp_path.iterdir()) == []
    assert executor_of({"GITHUB_ACTIONS": "false", "TF_BUILD": ""}) is None


def test_the_environment_is_written_masked_and_in_order(tmp_path: Path):
    path = write_environment(
        tmp_path,
        {
            "provider": "native",
            "kafka version": "4.3.1",
            "path": r"C:\data",
            "url": "amqp://u:hunter22@h",
            "KAFKA_PASSWORD": "hunter22",
            "os": "mine",
        },
    )
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[:6] == [
        "provider=native",
        r"kafka\ version=4.3.1",
        r"path=C:\\data",
        "url=amqp://u:*****@h",
        "KAFKA_PASSWORD=*****",
        "os=mine",
    ]
    assert any(line.startswith("python=3.") for line in lines)
    assert any(line.startswith("behave=1.") for line in lines)


def test_every_category_has_a_rule():
    rules = {rule["matchers"][0]["labels"]["category"]: rule for rule in categories_config()}
    assert set(rules) == {f"^{label}$" for label in CATEGORIES}
    assert len({rule["id"] for rule in rules.values()}) == len(CATEGORIES) == 9
