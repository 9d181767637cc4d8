#!/usr/bin/env bash
# Upper limits of gammapy's CashCountsStatistic at 0 and at 1 count above the same background.
# Guess: the limit grows with the counts.
# Hurts: whoever makes maps of limits where counts are few.
