#!/usr/bin/env bash
# The pixels of a cone by astropy-healpix and of a disc by healpy, called without options.
# Guess: the same pixels.
# Hurts: whoever draws the same exclusion with both.
