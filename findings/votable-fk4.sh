#!/usr/bin/env bash
# A VOTable whose COOSYS is eq_FK4, read by pyvo.
# Guess: record.pos is in FK4, or transformed to ICRS.
# Hurts: whoever takes positions of old catalogues from the Virtual Observatory.
