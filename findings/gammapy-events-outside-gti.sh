#!/usr/bin/env bash
# Events between two good time intervals in gammapy's MapDatasetMaker.
# Guess: they are left out of the counts, as the time between the intervals is left out of the livetime.
# Hurts: whoever edits the GTI table of a run and leaves its events alone.
