#!/usr/bin/env bash
# Ring sizes of gammapy's AdaptiveRingBackgroundMaker round a large exclusion.
# Guess: where the ring lies within the exclusion, it grows until acceptance over acceptance_off under the correlation
#   radius theta falls below threshold_alpha.
# Hurts: whoever uses it for extended sources.
