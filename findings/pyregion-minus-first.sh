#!/usr/bin/env bash
# A minus region on the first line of a DS9 file, read by pyregion.
# Guess: what it excludes stays excluded, wherever its line stands.
# Hurts: whoever sorts region files or joins several.
