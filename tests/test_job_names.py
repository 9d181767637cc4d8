"""Names that a shell would take for something else are not given to submitted jobs."""

import pytest
from conftest import ODD_NAME

from skymask.config.job_names import check_names
from skymask.errors import SkymaskError


@pytest.mark.parametrize("name", [ODD_NAME, "a'b", 'a"b', "a$(touch hacked)", "a`touch hacked`", "a\\b", "a\nb"])
def test_a_name_that_a_shell_would_misread_is_refused_with_its_place(name):
    with pytest.raises(SkymaskError, match=r"^datasets\.crab\.runs\.1\.counts: .*cannot be given to jobs"):
        check_names({"datasets": {"crab": {"runs": [{"counts": "a.fits"}, {"counts": name}]}}})


def test_names_with_spaces_and_letters_of_any_alphabet_are_not_refused():
    check_names({"datasets": {"crab": {"counts": "my möp (1) & 2; <b>.fits[COUNTS]", "threshold": 5, "cut": None}}})
