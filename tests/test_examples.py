"""The examples in the docstrings of public functions do what they say."""

import doctest

import pytest

import skymask
from skymask import limits

PUBLIC = {**{name: getattr(skymask, name) for name in skymask.__all__}, "limits": limits}
PUBLIC |= {name: getattr(limits, name) for name in ("cash_limits", "wstat_limits")}


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_public_has_an_example_that_runs(name):
    (test,) = doctest.DocTestFinder(recurse=False).find(PUBLIC[name], name, globs={})
    assert test.examples, f"{name} has no example"
    runner = doctest.DocTestRunner(verbose=False)
    assert runner.run(test).failed == 0
