"""Numbers that may be too many for the memory, and their mean and variance, to the bit those of one array."""

import tempfile
import weakref

import numpy as np

#: So many numbers stay in memory; more go to a temporary file.
IN_MEMORY = 2**22

#: So many are added at a time.
CHUNK = 2**16


class StoredValues:
    """Numbers of 64 bits, appended one array after the other.

    Parameters
    ----------
    folder : str or Path, optional
        Where a temporary file may lie; the system's own place if not given.
    """

    def __init__(self, folder=None):
        self._folder = folder
        self._parts, self._file = [], None
        self.size = 0

    def append(self, values):
        """Add the values of an array of one dimension."""
        self.size += values.size
        if self._file is None and self.size > IN_MEMORY:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed when this object goes
            weakref.finalize(self, self._file.close)
            for part in self._parts:
                self._file.write(part)
            self._parts = []
        if self._file is None:
            self._parts.append(values)
        else:
            self._file.write(np.ascontiguousarray(values, dtype=float))

    def chunks(self, sizes):
        """Return the values in their order, in arrays of these sizes."""
        if self._file is None:
            values, begin = np.concatenate(self._parts or [np.empty(0)]), 0
            for size in sizes:
                yield values[begin : begin + size]
                begin += size
            return
        self._file.seek(0)
        for size in sizes:
            yield np.frombuffer(self._file.read(8 * size), float)

    def sum(self):
        """Return the sum, as `numpy.sum` does of one array of all values."""
        return self._sum(lambda values: values) if self.size else 0.0

    def mean(self):
        """Return the mean, as `numpy.mean` does of one array of all values."""
        return self._sum(lambda values: values) / self.size

    def variance(self, mean):
        """Return the variance around the mean, as `numpy.var` does."""
        return self._sum(lambda values: np.square(values - mean)) / self.size

    def count(self, condition):
        """Return the number of values for which a condition is true."""
        return sum(int(np.count_nonzero(condition(values))) for values in self.chunks(_leaves(self.size)))

    def _sum(self, function):
        """The sum of a function of the values, in numpy's order: halves are added, and halves of halves."""
        return _pairwise(self.size, (np.add.reduce(function(values)) for values in self.chunks(_leaves(self.size))))


def _halves(size):
    """The sizes of the two parts that `numpy.add.reduce` sums by themselves, and then adds."""
    half = size // 2
    half -= half % 8
    return half, size - half


def _leaves(size):
    """The sizes of the parts of so many values that are small enough to be summed at once."""
    if size <= CHUNK:
        yield size
    else:
        for part in _halves(size):
            yield from _leaves(part)


def _pairwise(size, sums):
    """The sum of so many values, from the sums of their `_leaves`."""
    return next(sums) if size <= CHUNK else sum(_pairwise(part, sums) for part in _halves(size))
