#!/usr/bin/env bash
# A map with SIP distortion, read and written by gammapy.
# Guess: the distortion is kept, or refused on reading.
# Hurts: whoever uses masks made on optical images.
