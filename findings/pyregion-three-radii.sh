#!/usr/bin/env bash
# A DS9 annulus of three radii (two rings) whose middle one lies between, read by pyregion and by regions.
# Guess: both give two rings, together the pixels between the first and the last radius.
# Hurts: whoever reads nested rings.
