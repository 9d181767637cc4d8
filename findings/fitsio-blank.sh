#!/usr/bin/env bash
# BLANK pixels of a scaled 16-bit image, read by fitsio and by astropy.
# Guess: both give NaN.
# Hurts: whoever changes the reader for its speed.
