"""Settings, features and steps that are not right."""

from __future__ import annotations

import sys

from tests.troubles.case import trouble
from tests.troubles.sandbox import ROOT, Outcome, Sandbox

SETTINGS, FEATURES = "Settings", "Features and steps"
SEED = ("features/messaging", "--tags", "@seed")


@trouble(SETTINGS, "A key that does not exist", "'run.scenario_timeot' is no setting",
         r"stackproof\.toml", remedy="did you mean 'run.scenario_timeout'")  # fmt: skip
def unknown_key(box: Sandbox) -> Outcome:
    box.configure("\n[run]\nscenario_timeot = 90\n")
    return box.features(*SEED)


@trouble(SETTINGS, "A value that does not fit", "the setting stack.provider cannot be",
         "did you mean 'docker'", "environment STACK")  # fmt: skip
def wrong_value(box: Sandbox) -> Outcome:
    return box.features(*SEED, STACK="dokcer")


@trouble(SETTINGS, "A file that is no TOML", r".*stackproof\.toml cannot be read", "line")
def broken_toml(box: Sandbox) -> Outcome:
    box.configure("\n[run\nverbose = yes\n")
    return box.features(*SEED)


@trouble(
    SETTINGS,
    "A configuration file that is not there",
    "staging.toml does not exist",
    "STACKPROOF_CONFIG",
)
def config_missing(box: Sandbox) -> Outcome:
    return box.features(*SEED, STACKPROOF_CONFIG="staging.toml")


@trouble(SETTINGS, "A service that does not exist", "no service is called 'kafak'", "kafka",
         remedy="did you mean 'kafka'")  # fmt: skip
def unknown_service(box: Sandbox) -> Outcome:
    return box.run("up", "kafak")


@trouble(SETTINGS, "A setting of a service that does not exist",
         "'bootstrap_server' is no setting", "command line",
         remedy="did you mean 'bootstrap_servers'")  # fmt: skip
def unknown_service_key(box: Sandbox) -> Outcome:
    return box.features(*SEED, "--set", "services.kafka.bootstrap_server=localhost:9092")


@trouble(SETTINGS, "A password in stackproof.toml",
         r"the secret kafka\.password must not stand in", "read by others",
         remedy="password_file.*KAFKA_PASSWORD")  # fmt: skip
def secret_in_file(box: Sandbox) -> Outcome:
    box.configure('\n[services.kafka]\npassword = "swordfish"\n')
    return box.features(*SEED)


@trouble(SETTINGS, "A run that is not there", "there is no run", "the runs are")
def unknown_run(box: Sandbox) -> Outcome:
    return box.run("down", "r00000000")


@trouble(SETTINGS, "A system that is not configured", "2 steps are not defined",
         'no system is called "churn pipeline"; known: churn, ',
         remedy="")  # fmt: skip
def unknown_system(box: Sandbox) -> Outcome:
    box.reconfigure("systems.churn-pipeline", "systems.churn")
    return box.features("features/messaging/predictions.feature", "--name", "Fifty")


@trouble(SETTINGS, "Messages that no system has", "3 steps are not defined",
         'no system calls its inputs "customers"; known: orders, vectors', remedy="")  # fmt: skip
def unknown_noun(box: Sandbox) -> Outcome:
    box.reconfigure('["customer", "customers"]', '["order", "orders"]')
    return box.features("features/messaging/predictions.feature", "--name", "Fifty")


@trouble(SETTINGS, "A system that has the name of a word of the steps",
         r"\[systems.leader\] .* has the name of a word of the steps",
         remedy="systems.leader-service")  # fmt: skip
def reserved_name(box: Sandbox) -> Outcome:
    box.reconfigure("systems.churn-pipeline", "systems.leader")
    return box.features("features/messaging/predictions.feature", "--name", "Fifty")


@trouble(SETTINGS, "A contract by a former name", "'customer' is now called 'input'",
         r"systems.churn-pipeline.contracts", remedy="write input = 'contracts")  # fmt: skip
def former_contract(box: Sandbox) -> Outcome:
    box.reconfigure('input = "contracts/customer', 'customer = "contracts/customer')
    return box.features("features/messaging/predictions.feature", "--name", "Fifty")


@trouble(FEATURES, "A path that does not exist", "the features cannot be read",
         "No such file", remedy="correct the path")  # fmt: skip
def path_missing(box: Sandbox) -> Outcome:
    return box.features("features/mesaging")


@trouble(FEATURES, "A folder without features", "no scenario was selected",
         remedy="")  # fmt: skip
def no_features(box: Sandbox) -> Outcome:
    (box.root / "empty").mkdir()
    return box.features("empty")


@trouble(FEATURES, "A feature that is no Gherkin", r"cannot be read: mine/own\.feature:1",
         "Scenario may not occur")  # fmt: skip
def no_gherkin(box: Sandbox) -> Outcome:
    own_features(box, "Scenario: it has no feature\n  Given a Kafka broker\n")
    return box.features("mine")


@trouble(FEATURES, "A language that Gherkin does not know", r"mine/own\.feature:1",
         "the nearest is pt", remedy="--lang-list")  # fmt: skip
def unknown_language(box: Sandbox) -> Outcome:
    own_features(box, "# language: pt-BR\nFeature: Mine\n")
    return box.features("mine")


@trouble(FEATURES, "A step that nobody defined", "1 step is not defined",
         r"mine/own\.feature:4: Given a Kafka brocker", remedy="stackproof steps WORD")  # fmt: skip
def undefined_step(box: Sandbox) -> Outcome:
    own_features(box, "Feature: Mine\n\n  Scenario: One\n    Given a Kafka brocker\n")
    return box.features("mine")


@trouble(FEATURES, "A tag that selects nothing", "no scenario was selected", "sead",
         remedy="did you mean @seed")  # fmt: skip
def nothing_selected(box: Sandbox) -> Outcome:
    return box.features("features/messaging", "--tags", "@sead")


@trouble(FEATURES, "A scenario without steps", "1 scenario proves nothing", r"own\.feature:3")
def empty_scenario(box: Sandbox) -> Outcome:
    own_features(box, "Feature: Mine\n\n  Scenario: One\n")
    return box.features("mine")


@trouble(FEATURES, "Steps that cannot be loaded", "the steps cannot be loaded",
         "No module named 'pandas'")  # fmt: skip
def steps_not_loading(box: Sandbox) -> Outcome:
    (box.root / "steps").unlink()
    box.write("steps/mine.py", "import pandas\n")
    return box.features(*SEED)


@trouble(FEATURES, "Requirements that are not installed", "the suite's requirements are missing",
         "No module named", remedy="make venv|pip install")  # fmt: skip
def requirements_missing(box: Sandbox) -> Outcome:
    # -S: without site-packages, as in a fresh interpreter.
    return box.program([sys.executable, "-S", "-m", "stackproof", "run"], PYTHONPATH=str(ROOT))


@trouble(FEATURES, "A scenario that does not end in time", "the scenario did not end within 2 s",
         "stacks", remedy="@timeout", code=1)  # fmt: skip
def scenario_timed_out(box: Sandbox) -> Outcome:
    own_features(
        box,
        "Feature: Mine\n\n  @timeout:2\n  Scenario: One\n    When the end is awaited\n",
        steps="import threading\nfrom behave import when\n\n\n"
        '@when("the end is awaited")\ndef waits(context):\n    threading.Event().wait()\n',
    )
    return box.features("mine")


def own_features(box: Sandbox, text: str, steps: str = "") -> None:
    """A feature of one's own in ``mine/``, besides the suite's steps."""
    box.write("mine/own.feature", text)
    if steps:
        (box.root / "steps").unlink()
        box.write("steps/mine.py", steps)
