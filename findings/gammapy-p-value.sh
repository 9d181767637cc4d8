#!/usr/bin/env bash
# The one-sided p-value of a deficit in gammapy's CashCountsStatistic.
# Guess: a deficit of five sigma has a p-value near one, as its docstring speaks of positive excesses alone.
# Seen: it is that of an excess as large: a deficit of -4.3 sigma has 8e-6.
# With: gammapy 2.1, regions 0.11, astropy 8.0.2.
# Hurts: whoever selects pixels or counts trials by p-values.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check gammapy==2.1 regions==0.11 astropy==8.0.2
venv/bin/python -W ignore - <<'EOF'
from gammapy.stats import CashCountsStatistic

deficit = CashCountsStatistic(n_on=60, mu_bkg=100.0)
print(f"60 counts above a background of 100: {deficit.sqrt_ts:.2f} sigma, p-value {deficit.p_value:.1e}")
assert deficit.sqrt_ts < -4 and deficit.p_value < 1e-5
EOF
