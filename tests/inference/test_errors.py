"""Errors cross a process boundary: each must survive pickling, or it breaks the whole executor."""

import pickle

import pytest

from inference.errors import InferenceError
from server.errors import Overloaded, ServerError
from server.http.problems import PROBLEMS, problem_of


def tree(error):
    """The class and everything under it."""
    return [error, *(leaf for branch in error.__subclasses__() for leaf in tree(branch))]


@pytest.mark.parametrize("error", tree(InferenceError) + tree(ServerError), ids=lambda error: error.__name__)
def test_survives_pickling(error):
    raised = error("हिन्दी {detail}", 7) if error is Overloaded else error("हिन्दी {detail}")
    returned = pickle.loads(pickle.dumps(raised))
    assert type(returned) is error
    assert returned.detail == raised.detail == str(raised) == "हिन्दी {detail}"
    assert returned.__dict__ == raised.__dict__


@pytest.mark.parametrize("error", tree(InferenceError)[1:] + tree(ServerError)[1:], ids=lambda error: error.__name__)
def test_has_a_documented_answer(error):
    problem = problem_of(error("detail", 7) if error is Overloaded else error("detail"))
    assert 400 <= problem.status <= 599
    assert problem.slug == problem.slug.lower().replace("_", "-").replace(" ", "-")


def test_slugs_are_told_apart():
    slugs = [problem.slug for problem in PROBLEMS.values()]
    assert len(slugs) == len(set(slugs))
