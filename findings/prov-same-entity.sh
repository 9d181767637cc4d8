#!/usr/bin/env bash
# The same entity described twice in a PROV document, with another value of one attribute.
# Guess: the later value counts, or it is refused.
# Seen: both descriptions stand side by side, and unified() makes one of them with both values: the file has two
#   thresholds.
# With: prov 3.2.3.
# Hurts: whoever records that a file was made again with another setting.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check prov==3.2.3
venv/bin/python -W ignore - <<'EOF'
from prov.model import ProvDocument

document = ProvDocument()
document.add_namespace("survey", "https://example.org/")
document.entity("survey:mask.fits", {"survey:threshold": 5})
document.entity("survey:mask.fits", {"survey:threshold": 4})
(entity,) = document.unified().get_record("survey:mask.fits")
values = sorted(value for _, value in entity.attributes)
print(f"{len(document.get_record('survey:mask.fits'))} records of one file, unified with the thresholds {values}")
assert values == [4, 5]
EOF
