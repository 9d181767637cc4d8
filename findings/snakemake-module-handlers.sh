#!/usr/bin/env bash
# onsuccess and onerror of a Snakemake module.
# Guess: they run with the module's rules.
# Seen: they never run, nor does onstart; run by itself, the same file runs them.
# With: snakemake 9.27.1.
# Hurts: whoever puts a workflow that tidies or notifies into a larger one.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check snakemake==9.27.1
cat > module.smk <<'EOF'
rule a:
    output: "out.txt"
    shell: "touch {output}"
onstart: shell("echo onstart >> handlers")
onsuccess: shell("echo onsuccess >> handlers")
EOF
cat > Snakefile <<'EOF'
module other:
    snakefile: "module.smk"
use rule * from other
EOF
touch handlers
venv/bin/snakemake --cores 1 &> log
as_module=$(cat handlers)
venv/bin/snakemake --cores 1 --forceall --snakefile module.smk &> log
echo "handlers that ran as a module: ${as_module:-none}; alone: $(tr '\n' ' ' < handlers)"
[ -z "$as_module" ] && [ "$(grep --count onsuccess handlers)" = 1 ]
