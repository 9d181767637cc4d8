#!/usr/bin/env bash
# A background table with an empty bin, between bins in gammapy.
# Guess: half way between a full and an empty bin the rate is half of the full one.
# Hurts: whoever makes background tables from few events.
