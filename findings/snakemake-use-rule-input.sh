#!/usr/bin/env bash
# One named input and one named parameter changed by 'use rule ... with'.
# Guess: in both, the names that are not given keep what the module says.
# Seen: parameters do, inputs do not: those that are not named again are gone, and the rule runs without them.
# With: snakemake 9.27.1.
# Hurts: whoever builds on a module.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check snakemake==9.27.1
cat > module.smk <<'EOF'
rule a:
    input: counts="counts", mask="mask"
    output: "out.txt"
    params: threshold=5, radius=2
    shell: "echo input {input} params {params} > {output}"
EOF
cat > Snakefile <<'EOF'
module other:
    snakefile: "module.smk"
use rule a from other with:
    input: counts="mine"
    params: threshold=4
EOF
touch counts mask mine
venv/bin/snakemake --cores 1 -- out.txt &> log
echo "what the rule got: $(cat out.txt)"
[ "$(cat out.txt)" = "input mine params 4 2" ]
