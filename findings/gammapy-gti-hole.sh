#!/usr/bin/env bash
# Cutting a bad interval out of the middle of a good one with gammapy's GTI.delete_interval.
# Guess: two good intervals are left, before and after the bad one, and time_sum falls by the length of the bad one.
# Hurts: whoever removes lightning, clouds or a flare from a run.
