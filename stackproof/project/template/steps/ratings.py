"""Steps of this project: a call and an assertion each."""

import json

from behave import then
from hamcrest import assert_that, empty, greater_than, has_length

from stackproof import systems


@then("no rating is below {least:d}")
def no_rating_below(context, least):
    """Every rating received so far is at least that."""
    records = context.session.use(systems.Systems).having("rating").outputs.records
    ratings = [json.loads(record.value)["rating"] for record in records]
    assert_that(ratings, has_length(greater_than(0)))
    assert_that([rating for rating in ratings if rating < least], empty())
