"""Several arrays in one piece of memory."""

import numpy as np


class Memory:
    """A piece of memory whose `empty` is that of numpy, as long as there is room in it.

    Memory that is touched for the first time costs as much as the arithmetic in it. In large pages it costs a quarter,
    and an array of a megabyte or two does not get them. All of it lives as long as any of its arrays.

    Parameters
    ----------
    size : int
        In bytes. What is never asked for is never touched, and does not count.
    """

    def __init__(self, size):
        self._rest = np.empty(size, dtype=np.uint8)

    def __reduce__(self):
        # What is left of it goes into no file.
        return Memory, (0,)

    def empty(self, shape, dtype):
        """Return an array whose values are those of the memory, as they are."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if size > self._rest.size:
            return np.empty(shape, dtype)
        taken = self._rest[:size]
        # At a distance that suits every type.
        self._rest = self._rest[-(-size // 64) * 64 :]
        return taken.view(dtype).reshape(shape)
