#!/usr/bin/env bash
# Configuration in a Snakemake profile, and another key by --config.
# Guess: both are set.
# Seen: --config takes the place of the profile's: what stands there is lost.
# With: snakemake 9.27.1.
# Hurts: whoever keeps a site's settings in a profile.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check snakemake==9.27.1
mkdir site
printf 'cores: 1\nconfig:\n  site: here\n' > site/config.yaml
cat > Snakefile <<'EOF'
from pathlib import Path
Path("seen").write_text(str(sorted(config)))
rule a:
    output: "out.txt"
    shell: "touch {output}"
EOF
venv/bin/snakemake --profile site --dry-run &> log
alone=$(cat seen)
venv/bin/snakemake --profile site --config threshold=4 --dry-run &> log
both=$(cat seen)
echo "keys of the profile alone: $alone; of the profile and --config threshold=4: $both"
[ "$alone" = "['site']" ] && [ "$both" = "['threshold']" ]
