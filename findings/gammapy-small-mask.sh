#!/usr/bin/env bash
# An exclusion mask that does not reach to the edge of the counts, in gammapy's RingBackgroundMaker.
# Guess: pixels beyond the mask's edge are used (or left out); either way only rings that reach there are touched.
# Hurts: whoever takes a mask from a smaller map.
