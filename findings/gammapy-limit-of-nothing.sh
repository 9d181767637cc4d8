#!/usr/bin/env bash
# Upper limits of gammapy's CashCountsStatistic at 0 and at 1 count above the same background.
# Guess: the limit grows with the counts.
# Seen: at 0 counts the background is not subtracted. Above 5, limits of 2 sigma are 2.0 at 0 counts and -0.49 at 1.
# With: gammapy 2.1, regions 0.11, astropy 8.0.2.
# Hurts: whoever makes maps of limits where counts are few.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check gammapy==2.1 regions==0.11 astropy==8.0.2
venv/bin/python -W ignore - <<'EOF'
import numpy as np
from gammapy.stats import CashCountsStatistic

nothing, one, two = CashCountsStatistic(np.arange(3), np.full(3, 5.0)).compute_upper_limit(n_sigma=2)
print(f"limits at 0, 1 and 2 counts above a background of 5: {nothing:.2f}, {one:.2f}, {two:.2f}")
assert one < two and nothing > two and one < 0
EOF
