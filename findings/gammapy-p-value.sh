#!/usr/bin/env bash
# The one-sided p-value of a deficit in gammapy's CashCountsStatistic.
# Guess: a deficit of five sigma has a p-value near one, as its docstring speaks of positive excesses alone.
# Hurts: whoever selects pixels or counts trials by p-values.
