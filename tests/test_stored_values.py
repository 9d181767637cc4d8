"""Values too many for memory: their mean and variance are to the bit those of one array."""

import numpy as np
import pytest

from skymask.core import stored_values

#: What numpy sums in one loop, in halves, and in halves of halves; and what does not fit into one part of ours.
SIZES = [1, 7, 129, 4097, 2**16, 2**16 + 1, 2**17 + 8, 300_001]


@pytest.mark.parametrize("in_memory", [0, 10**6], ids=["file", "memory"])
@pytest.mark.parametrize("size", SIZES)
def test_mean_and_variance_are_those_of_one_array(monkeypatch, tmp_path, size, in_memory):
    random = np.random.default_rng(size)
    values = random.normal(size=size) * 10.0 ** random.integers(-6, 6, size)
    monkeypatch.setattr(stored_values, "IN_MEMORY", in_memory)
    stored = stored_values.StoredValues(tmp_path)
    for part in np.split(values, np.sort(random.integers(0, size, 5))):
        stored.append(part)
    assert stored.size == size
    assert stored.mean() == values.mean()
    assert stored.variance(stored.mean()) == values.var()
    assert stored.count(lambda x: x > 0.1) == np.count_nonzero(values > 0.1)
    assert not list(tmp_path.iterdir())
