#!/usr/bin/env bash
# Counts at the edge of a gammapy map under Map.smooth and under Map.convolve with the same disc.
# Guess: both take the sky outside of the map as empty and give the same.
# Hurts: whoever compares smoothed maps with correlated ones near an edge.
