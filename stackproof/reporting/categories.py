"""What surrounds the results: categories of failures, the environment, the CI job.

Allure 3's report ignores ``categories.json`` in the results; it takes categories from its
configuration file and can match them by label. Every result of ours carries its category
as such a label.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import behave

from stackproof import masking

CATEGORY_LABEL = "category"
CATEGORIES = {
    "product": "Product: the system under test did not keep its promise",
    "late": "Late: the system under test was still getting on when the limit came",
    "stalled": "Stalled: the system under test lives, has work left, and gets on no more",
    "premise": "Premise: what the scenario presumes of its own doing did not come about",
    "environment": "Environment: a service or the machine failed",
    "suite": "Suite: a step, hook or cleanup of the suite failed",
    "known issue": "Known issue: quarantined until a day, and failing as known",
    "not supported": "Not supported or refused with this provider",
    "machine busy": "Machine busy: a figure could not be measured, the machine did other things",
}


def categories_config() -> list[dict[str, Any]]:
    """The categories as Allure 3's configuration takes them."""
    return [
        {
            "id": label.replace(" ", "-"),
            "name": name,
            "matchers": [{"labels": {CATEGORY_LABEL: f"^{label}$"}}],
            "groupByMessage": True,
            "expand": True,
        }
        for label, name in CATEGORIES.items()
    ]


def write_environment(results_dir: Path, values: Mapping[str, object]) -> Path:
    """Writes ``environment.properties``: what the run took place on, in ``values``' order.

    Python, behave and the operating system are added where ``values`` does not name them.
    """
    merged = {**values, **{k: v for k, v in _surroundings().items() if k not in values}}
    lines = [
        f"{_escape(name, key=True)}={_escape(value)}"
        for name, value in masking.mask_mapping(merged).items()
    ]
    path = results_dir / "environment.properties"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_executor(results_dir: Path, env: Mapping[str, str] = os.environ) -> Path | None:
    """Writes ``executor.json`` when a known CI system runs us."""
    executor = executor_of(env)
    if executor is None:
        return None
    path = results_dir / "executor.json"
    path.write_text(json.dumps(executor, indent=1), encoding="utf-8")
    return path


def executor_of(env: Mapping[str, str]) -> dict[str, object] | None:
    """The CI job that runs us, by its documented environment variables."""
    if env.get("GITHUB_ACTIONS") == "true":
        server = env.get("GITHUB_SERVER_URL", "")
        url = f"{server}/{env.get('GITHUB_REPOSITORY', '')}/actions/runs/{env.get('GITHUB_RUN_ID')}"
        name = f"{env.get('GITHUB_WORKFLOW', '')} #{env.get('GITHUB_RUN_NUMBER', '')}"
        return _executor("GitHub Actions", "github", env.get("GITHUB_RUN_NUMBER"), name, url)
    if env.get("GITLAB_CI") == "true":
        name = f"{env.get('CI_JOB_NAME', '')} #{env.get('CI_PIPELINE_IID', '')}"
        url = env.get("CI_JOB_URL", "")
        return _executor("GitLab CI", "gitlab", env.get("CI_PIPELINE_IID"), name, url)
    if env.get("JENKINS_URL"):
        name = f"{env.get('JOB_NAME', '')} #{env.get('BUILD_NUMBER', '')}"
        url = env.get("BUILD_URL", "")
        return _executor("Jenkins", "jenkins", env.get("BUILD_NUMBER"), name, url)
    if env.get("TF_BUILD", "").lower() == "true":
        project = f"{env.get('SYSTEM_COLLECTIONURI', '')}{env.get('SYSTEM_TEAMPROJECT', '')}"
        url = f"{project}/_build/results?buildId={env.get('BUILD_BUILDID', '')}"
        name = f"{env.get('BUILD_DEFINITIONNAME', '')} #{env.get('BUILD_BUILDNUMBER', '')}"
        return _executor("Azure Pipelines", "azure", env.get("BUILD_BUILDID"), name, url)
    if env.get("CODEBUILD_BUILD_ID"):
        number = env.get("CODEBUILD_BUILD_NUMBER")
        url = env.get("CODEBUILD_PUBLIC_BUILD_URL", "")
        return _executor("AWS CodeBuild", "codebuild", number, env["CODEBUILD_BUILD_ID"], url)
    return None


def _executor(name: str, kind: str, order: str | None, build: str, url: str) -> dict[str, object]:
    executor: dict[str, object] = {"name": name, "type": kind, "buildName": build.strip()}
    if order and order.isdigit():
        executor["buildOrder"] = int(order)
    if url:
        executor["buildUrl"] = url
    return executor


def _surroundings() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "behave": behave.__version__,
        "os": f"{platform.system()} {platform.release()}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }


def _escape(text: str, *, key: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return text.replace(" ", "\\ ").replace("=", "\\=").replace(":", "\\:") if key else text
