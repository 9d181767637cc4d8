#!/usr/bin/env bash
# The WCS of an X-ray event list by astropy.wcs.WCS(header, keysel=['pixel']).
# Guess: a WCS of two axes, those of the columns X and Y, in the frame that RADECSYS and EQUINOX of the header name.
# Hurts: whoever bins Chandra, XMM or ROSAT events.
