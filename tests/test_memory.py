"""Several arrays in one piece of memory."""

import pickle

import numpy as np

from skymask.core.memory import Memory


def test_arrays_of_one_piece_of_memory_do_not_touch_each_other():
    memory = Memory(1000)
    arrays = [memory.empty(shape, kind) for shape, kind in (((5, 7), np.int16), (30, float), ((3, 3), np.int32))]
    for number, array in enumerate(arrays):
        array[...] = number
    for number, array in enumerate(arrays):
        assert (array == number).all()
    assert [array.dtype for array in arrays] == [np.int16, float, np.int32]
    assert arrays[0].shape == (5, 7)
    assert arrays[0].base is arrays[1].base is arrays[2].base is not None


def test_array_for_which_there_is_no_room_has_memory_of_its_own():
    memory = Memory(100)
    large, small = memory.empty((10, 10), float), memory.empty(10, float)
    large[...], small[...] = 1, 2
    assert (large == 1).all()
    assert large.base is None
    assert small.base is not None


def test_memory_that_is_left_goes_into_no_file():
    memory = Memory(10_000)
    restored = pickle.loads(pickle.dumps(memory.empty))
    assert len(pickle.dumps(memory.empty)) < 200
    assert restored(5, float).base is None
