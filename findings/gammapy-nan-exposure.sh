#!/usr/bin/env bash
# Interpolating a gammapy map next to a NaN pixel.
# Guess: the value there is NaN, or that of the neighbour that is known.
# Hurts: whoever brings an exposure with uncovered pixels to another grid.
