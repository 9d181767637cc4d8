#!/usr/bin/env bash
# The inverse of a healsparse mask of one excluded disc.
# Guess: everything but the disc.
# Hurts: whoever keeps exclusion masks as healsparse maps.
