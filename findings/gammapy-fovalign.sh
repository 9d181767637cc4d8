#!/usr/bin/env bash
# The same background table with FOVALIGN RADEC and ALTAZ, for a pointing on the meridian south of the zenith.
# Guess: there up is north, so that both give the same map.
# Hurts: whoever measures a background in camera coordinates and asks for the simpler alignment.
