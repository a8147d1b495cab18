"""A project in good order, and changes to it that each break one rule of the house.

A change is the check that must tell, the changed file, the text replaced (None: the file is
new, ...: the new text is added at the end), the text put in its place, and the findings: for
each, the line where it stands (by what that line says, or its number) and how it begins;
before these the file, where it is another one.
"""

from __future__ import annotations

from stackproof.stack.docker.rendering import compose_files

ORDERS = "features/messaging/orders.feature"
STEPS = "steps/orders.py"

FEATURE = '''\
# What shops rely on
@messaging
Feature: Orders
  What is ordered arrives.

  Once,
  and unchanged.

  Background:
    Given a broker

  @PIPE-01 @seed @timeout:90
  Scenario: Two orders arrive
    When 2 orders are published
    Then 2 orders arrive
    And the first reads
      """
      # not a comment

        | neither | a table |
      @nor-a-tag
      """
    But none is late

  # of any size
  @PIPE-02 @critical
  Scenario Outline: Of <count> orders all arrive
    When <count> orders are published
      | kind   | a \\| b |
      # of one kind
      | <kind> | 1      |
    Then <count> orders arrive
    But none is late

    @nightly
    Examples: small
      | count | kind |
      | 1     | good |
      | 12    | bad  |

  Rule: Nothing is late
    As told.

    Background:
      Given a broker

    @PIPE-03
    Scenario: An order is never late
      When 1 orders are published
      Then 1 orders arrive
      And none is late
'''

MODULE = '''\
"""Orders: published, received."""

from behave import given, register_type, then, when
from hamcrest import assert_that, empty, equal_to

from stackproof.session.needs import needs


def number(text):
    return int(text) + 0 * (1 / int(text))


register_type(Number=number)


def arrived(context):
    return [order for order in context.orders if order]


@given("a broker")
@needs("kafka")
def a_broker(context):
    """A broker answers."""
    assert_that(context.broker, equal_to(1))


@when("{count:Number} orders are published")
def orders_published(context, count):
    """Publishes orders."""
    context.publish(count)


@then("{count:d} orders arrive")
def orders_arrive(context, count):
    """As many orders arrive."""
    assert_that(len(arrived(context)), equal_to(count))


@then("the first reads")
def first_reads(context):
    """It reads as published."""
    assert_that(arrived(context)[0], equal_to(context.text))


@then("none is late")
def none_late(context):
    """No order is late."""
    assert_that(context.late, empty())
'''

GOOD = {
    ORDERS: FEATURE,
    STEPS: MODULE,
    "environment.py": "from stackproof.session.hooks import after_scenario\n",
    "docs/requirements.md": "| ID | what |\n|---|---|\n"
    "| PIPE-01 | a |\n| PIPE-02 | b |\n| PIPE-03 | c, see PIPE-09 |\n",
    "requirements.txt": "# exact\nbehave==1.3.3\nuvicorn[standard]==0.1  # served\n\n",
    "requirements-dev.txt": '-r requirements.txt\ntomli==2.0 ; python_version < "3.11"\n',
    "README.md": "Work in ./work/x, or at https://stackproof.example/work/y, from PyPI.\n",
    "logo.png": "",
    "stackproof/__init__.py": "",
    "stackproof/polling.py": "import time\n\n\ndef poll():\n    time.sleep(1)\n",
    "stackproof/errors.py": '"""Errors."""\n',
    "stackproof/history/flow.py": "import gzip\nimport numpy as np\n"
    "from stackproof.history import columns\nfrom . import lanes\n",
    "stackproof/reporting/page.py": "from stackproof.errors import Trouble\n",
    "stackproof/services/kafka.py": "from stackproof.obtain import Cache\n",
    "stackproof/stack/run.py": "from stackproof.services import base\n",
    "stackproof/services/log/client.py": "import kafka\nfrom stackproof.history import History\n",
    "stackproof/session/__init__.py": "from stackproof.reporting import page\n",
    **compose_files(),
    "reference/pipeline.py": "import threading\nthreading.Event().wait(0.1)\nsleep = 'sleep(1)'\n",
    "tests/test_it.py": "from stackproof.session.running import execution\n",
}

_NEW, _END = None, ...
_TWO, _OF, _NEVER = "Scenario: Two", "Scenario Outline: Of", "Scenario: An order"
_PUBLISH = "    context.publish(count)\n"
_SLEEPS = "sleeps; wait by poll() of stackproof/polling.py"
_RETRYING = "reference/churn_pipeline/pipeline.py"
_EMPTY = "features/messaging/empty.feature"

WORDING = "steps: each wording"
THIN = "steps: a call"
LAYOUT = "features: laid out"
SHAPE = "features: scenarios"
TAGS = "features: known tags"
SLEEP = "code: nothing sleeps"
ENCODED = "code: texts have an encoding"
CATALOGUE = "documents: the catalogue"
COMPOSED = "documents: Compose files"
PLACES = "documents: no machine"
VERSIONS = "documents: one version"

VIOLATIONS = [
    (WORDING, ORDERS, "Given a broker\n\n  @PIPE-01", "Given a brooker\n\n  @PIPE-01",
     [("a brooker", "`Given a brooker` is undefined; `python -m stackproof steps WORD`")]),
    (WORDING, ORDERS, "When 1 orders", "When one order",
     [("When one order", "`When one order are published` is undefined")]),
    (WORDING, ORDERS, "| 12    |", "| twelve |",
     [("When <count>", "`When twelve orders are published` has a value that its step cannot"),
      ("Then <count>", "`Then twelve orders arrive` is undefined")]),
    (WORDING, ORDERS, "Then 2 orders", "When 2 orders",
     [("When 2 orders arrive", "`When 2 orders arrive` is undefined"),
      ("And the first", "`When the first reads` is undefined"),
      ("But none is late", "`When none is late` is undefined"),
      (STEPS, '@then("the first', "no feature says `Then the first reads`; use it or")]),
    (WORDING, ORDERS, "When 2 orders", "When 0 orders",
     [("When 0", "`When 0 orders are published` has a value that its step cannot read: divis")]),
    (WORDING, STEPS, _END, '@then("{n} orders arrive")\ndef again(context, n): pass\n',
     [(ORDERS, "Then 2", f"`Then 2 orders arrive` is matched by 2 steps ({STEPS}:"),
      (ORDERS, "Then <count>", "`Then 1 orders arrive` is matched by 2"),
      (ORDERS, "Then <count>", "`Then 12 orders arrive` is matched by 2"),
      (ORDERS, "Then 1 orders", "`Then 1 orders arrive` is matched by 2")]),
    (WORDING, STEPS, _END, '@when("a fax comes")\n@then("a fax comes")\ndef fax(c): pass\n',
     [('@when("a fax', "no feature says `Then a fax comes`; use it or remove it"),
      ('@when("a fax', "no feature says `When a fax comes`")]),
    (WORDING, STEPS, _END, '@given("a {x:Nothing}")\ndef nothing(context, x): pass\n',
     [("x:Nothing", "steps cannot be loaded: ValueError: format spec 'Nothing' not recognised")]),
    (WORDING, STEPS, _END, "from behave import use_step_matcher\nuse_step_matcher('re')\n"
     "@given('a (broker')\ndef unclosed(context): pass\n",
     [("a (broker", "'^a (broker$' is no pattern; correct it")]),
    (WORDING, STEPS, _END, '@given("a broker", )\ndef same(context): pass\n',
     [('"a broker", )', "steps cannot be loaded: AmbiguousStep: ")]),
    (WORDING, STEPS, _END, "def broken(:\n", [("broken", "steps cannot be loaded: SyntaxErr")]),
    (WORDING, STEPS, _END, "import no_such_module\n",
     [("no_such", "steps cannot be loaded: ModuleNotFoundError: No module named 'no_such_")]),

    (THIN, STEPS, '    """As many orders arrive."""\n', "",
     [("def orders_arrive", "orders_arrive has no docstring; say what holds")]),
    (THIN, STEPS, _PUBLISH, "    for _ in range(count): context.publish(1)\n",
     [("for _", "a loop in a step module; move it to stackproof/")]),
    (THIN, STEPS, _PUBLISH, "    while context.publish(1): pass\n",
     [("while", "a loop in a step module")]),
    (THIN, STEPS, "    return [order for", "    for o in context: pass\n    return [order for",
     [("for o in", "a loop in a step module")]),
    (THIN, STEPS, _PUBLISH, "    try: context.publish(count)\n    except OSError: pass\n",
     [("try:", "a try in a step module")]),
    (THIN, STEPS, _PUBLISH, "    context.execute_steps('x')\n",
     [("execute_steps", "a step calls another step")]),
    (THIN, STEPS, _PUBLISH, "    a_broker( context)\n",
     [("a_broker( context)", "a step calls another step")]),
    (THIN, STEPS, "from stackproof.session.needs", "from stackproof.polling",
     [("stackproof.polling", "a step module waits by itself")]),
    (THIN, STEPS, "from hamcrest import", "import redis\nfrom hamcrest import",
     [("import redis", "imports redis; move it to stackproof/")]),

    (LAYOUT, ORDERS, "Feature: Orders", "  Feature: Orders",
     [("Feature:", "should read 'Feature: Orders'; `python -m tests.house --tidy` lays")]),
    (LAYOUT, ORDERS, "  What is", "What is", [("What is", "should read '  What is ordered")]),
    (LAYOUT, ORDERS, "  @PIPE-01", "@PIPE-01", [("@PIPE-01", "should read '  @PIPE-01 @seed")]),
    (LAYOUT, ORDERS, "@PIPE-01 ", "@PIPE-01  ", [("@PIPE-01", "should read '  @PIPE-01 @seed")]),
    (LAYOUT, ORDERS, "    When 2", "   When 2", [("When 2", "should read '    When 2 orders")]),
    (LAYOUT, ORDERS, "    When 2", "\tWhen 2", [("When 2", "should read '    When 2 orders")]),
    (LAYOUT, ORDERS, "When 2", "When  2", [("When  2", "should read '    When 2 orders")]),
    (LAYOUT, ORDERS, "      When 1", "    When 1", [("When 1", "should read '      When 1")]),
    (LAYOUT, ORDERS, "Scenario: Two", "Scenario:  Two", [(":  Two", "should read '  Scenario: T")]),
    (LAYOUT, ORDERS, "2 orders arrive\n", "2 orders arrive  \n",
     [("2 orders arrive  ", "should read '    Then 2 orders arrive'")]),
    (LAYOUT, ORDERS, "| 12    | bad  |", "| 12 | bad |",
     [("| 12 |", "should read '      | 12    | bad  |'")]),
    (LAYOUT, ORDERS, "      | <kind> |", "    | <kind> |",
     [("| <kind> |", "should read '      | <kind> | 1      |'")]),
    (LAYOUT, ORDERS, "      # of one", "    # of one", [("# of one", "should read '      # of")]),
    (LAYOUT, ORDERS, "  # of any", "    # of any", [("# of any", "should read '  # of any")]),
    (LAYOUT, ORDERS, "\n    @PIPE-03", "    @PIPE-03", [("@PIPE-03", "a blank line is missing")]),
    (LAYOUT, ORDERS, "\n    @nightly", "    @nightly",
     [("@nightly", "a blank line is missing here")]),
    (LAYOUT, ORDERS, "arrives.\n\n", "arrives.\n\n\n", [(5, "this line is too many")]),
    (LAYOUT, ORDERS, "    Then 2", "\n    Then 2", [(15, "this line is too many")]),
    (LAYOUT, ORDERS, _END, "  # end", [("# end", "should read '      # end'")]),
    (LAYOUT, ORDERS, "\n", "\r\n", [(1, "has line ends of another system")]),
    (LAYOUT, ORDERS, "Scenario: Two", "Scenery: Two", [("Scenery", "cannot be parsed: ")]),
    (LAYOUT, _EMPTY, _NEW, "# nothing\n", [(1, "holds no feature; write one")]),

    (SHAPE, ORDERS, "Scenario: Two orders arrive", "Scenario:",
     [("Scenario:", "a scenario without a name")]),
    (SHAPE, ORDERS, "Two orders arrive\n", "Two orders arrive\n    Gven an order\n",
     [("Scenario: Two", "'Gven an order' is read as a description")]),
    (SHAPE, ORDERS, "Feature: Orders", "Feature:", [("Feature:", "Feature without a name")]),
    (SHAPE, ORDERS, "Rule: Nothing is late", "Rule:", [("Rule:", "Rule without a name")]),
    (SHAPE, ORDERS, "An order is never late", "Two orders arrive",
     [("Scenario: Two", "2 scenarios are called 'Two orders arrive'"),
      ("    Scenario: Two", "2 scenarios are called 'Two orders arrive'")]),
    (SHAPE, ORDERS, "    Then <count> orders arrive\n    But none is late\n",
     "    And <count> orders are published\n",
     [(_OF, "the scenario ends without a Then")]),
    (SHAPE, ORDERS, "When 2 orders", "And 2 orders", [("And 2", "a scenario begins with And")]),
    (SHAPE, ORDERS, "    But none is late\n\n  #", "    When 7 orders are published\n\n  #",
     [(_TWO, "the scenario ends without a Then")]),
    (SHAPE, ORDERS, "    When 2 orders are published\n",
     "    When 2 orders are published\n    Given a broker\n",
     [(15, "a Given after a When; say first what is given")]),
    (SHAPE, ORDERS, "And the first", "Then the first", [("Then the first", "Then is repeated")]),
    (SHAPE, ORDERS, "Given a broker\n\n  @PIPE-01", "When a broker\n\n  @PIPE-01",
     [("When a broker", "a when in a Background; move it")]),
    (SHAPE, ORDERS, "| count | kind |", "| count | sort |",
     [("Examples:", "no column for <kind>"), ("Examples:", "nothing says <sort>")]),
    (SHAPE, ORDERS, "      | 1     | good |\n      | 12    | bad  |\n", "",
     [(_OF, "an outline without examples")]),
    (SHAPE, _EMPTY, _NEW, "@messaging\nFeature: Nothing\n", [(2, "a feature without scenarios")]),

    (TAGS, ORDERS, "@seed", "@seeed", [("@seeed", "tag @seeed is unknown; known are @messaging")]),
    (TAGS, ORDERS, "@nightly", "@daily", [("@daily", "tag @daily is unknown")]),
    (TAGS, ORDERS, "@timeout:90", "@timeout:long", [("@timeout", "tag @timeout:long is unknown")]),
    (TAGS, ORDERS, "@timeout:90", "@timeout:90min", [("@timeout", "tag @timeout:90min is")]),
    (TAGS, ORDERS, "@PIPE-03", "@PIPE-09",
     [("@PIPE-09", "requirement @PIPE-09 does not exist; docs/requirements.md has")]),
    (TAGS, ORDERS, "    @PIPE-03\n", "",
     [(_NEVER, "'An order is never late' proves no requirement; tag it")]),
    (TAGS, ORDERS, "@PIPE-02 ", "",
     [("| 1     |", "'Of 1 orders all arrive -- @1.1 small' proves no requirement"),
      ("| 12    |", "'Of 12 orders all arrive -- @1.2 small' proves no requirement")]),
    (TAGS, ORDERS, "@messaging\n", "@minor\n",
     [(place, "'") for place in (_TWO, "| 1     |", "| 12    |", _NEVER)]),
    (TAGS, "features/lost.feature", _NEW, FEATURE, [(1, "a feature outside the areas; move it")]),
    (TAGS, "docs/requirements.md", "| PIPE-02 |", "| PIPE-22 |",
     [(ORDERS, "@PIPE-02", "requirement @PIPE-02 does not exist")]),

    (SLEEP, "stackproof/a.py", _NEW, "import time\n\ntime.sleep(1)\n", [(3, _SLEEPS)]),
    (SLEEP, "reference/a.py", _NEW, "from time import sleep as nap\n", [(1, _SLEEPS)]),
    (SLEEP, "bench/a.py", _NEW, "import time as t\n\ndef f(wait=t.sleep): ...\n", [(3, _SLEEPS)]),
    (SLEEP, "tests/a.py", _NEW, "async def f():\n  await asyncio.sleep(1)\n", [(2, _SLEEPS)]),
    (SLEEP, STEPS, _END, "import time\ntime.sleep(1)\n", [("time.sleep", _SLEEPS)]),
    (SLEEP, "environment.py", _END, "time.sleep(1)\n", [(2, _SLEEPS)]),
    (SLEEP, _RETRYING, _NEW, "def other():\n    time.sleep(1)\n",
     [(1, "commit does not sleep; take it out of tests.house.code"), (2, _SLEEPS)]),
    (SLEEP, _RETRYING, _NEW, "def commit():\n    time.sleep(1)\n", []),

    (ENCODED, "stackproof/a.py", _NEW, 'file.read_text()\nfile.write_text("a", encoding="utf-8")\n',
     [(1, 'read_text without encoding; say encoding="utf-8"')]),
    (ENCODED, "steps/a.py", _NEW, 'run(["a"], text=True)\nsubprocess.run(["a"], text=True)\n',
     [(2, 'text=True without errors; say errors="replace"')]),
    (ENCODED, "tests/a.py", _NEW, "file.read_text()\n", []),

    (CATALOGUE, STEPS, '"""No order is late."""', '"""None came too late."""',
     [("docs/steps.md", "No order", "is not as the steps are: it should read '  None came")]),
    (CATALOGUE, "docs/steps.md", _END, "- more\n",
     [("- more", "is not as the steps are: it should end here; `make catalogue`")]),
    (CATALOGUE, "docs/steps.md", _NEW, "", [(1, "is not as the steps are: it should read '# S")]),
    (CATALOGUE, STEPS, _END, "import no_such_module\n",
     [("docs/steps.md", 1, "cannot be compared; see what is wrong with the steps")]),

    (COMPOSED, "compose/postgresql.yml", "5432}:5432", "5433}:5432",
     [("5433}:5432", "is not as the service's nodes are; `make catalogue`")]),
    (COMPOSED, "compose/postgresql.yml", _END, "# more\n", [("# more", "is not as the")]),

    # Split, or this file would name them itself.
    (PLACES, "README.md", _END, "\nSee /ro" "ot/x or /wo" "rk/main.\n",
     [(3, "'/ro" "ot/x' is a path of one machine; make it relative"), (3, "'/wo" "rk/main.' is")]),
    (PLACES, "a.md", _NEW, "`/ho" "me/anna/x`\n", [(1, "'/ho" "me/anna' is a path of one")]),
    (PLACES, "Makefile", _NEW, "a:\n\tcurl https://py" "pi.org/simple\n",
     [(2, "'py" "pi.org' is a registry's host; leave it to the tool's own configuration")]),
    (PLACES, "package-lock.json", _NEW, '"https://registry.np' 'mjs.org/x"',
     [(1, "'registry.np" "mjs.org' is")]),
    (PLACES, "stackproof/a.py", _NEW, "URL = 'https://repo.mav" "en.apache.org/maven2'\n",
     [(1, "'repo.mav" "en.apache.org' is a registry's host")]),
    (PLACES, "a.sh", _NEW, "curl repo1.mav" "en.org deb.deb" "ian.org proxy.gol" "ang.org\n",
     [(1, "'deb.deb"), (1, "'proxy.gol"), (1, "'repo1.mav")]),
    (PLACES, "a.md", _NEW, "As DES" "IGN.md says, ../sha" "red/x\n",
     [(1, "'../sha" "red/' is something of one workplace; say"), (1, "'DES" "IGN.md' is some")]),

    (VERSIONS, "requirements.txt", _END, "redis>=5\n",
     [("redis", "'redis>=5' is not one version; pin it: name==version")]),
    (VERSIONS, "requirements.txt", _END, "redis\n", [("redis", "'redis' is not")]),
    (VERSIONS, "requirements.txt", _END, "redis==5.*\n", [("redis", "'redis==5.*' is not")]),
    (VERSIONS, "requirements-dev.txt", _END, "x==1,<2\n", [("x==1", "'x==1,<2' is not")]),
    (VERSIONS, "requirements-docs.txt", _NEW, "-e .\n", [(1, "'-e .' is not one version")]),
]  # fmt: skip
