#!/usr/bin/env bash
# The threads of a rule under Snakemake's SGE plugin.
# Guess: as many slots are asked for, and the memory is shared among them.
# Seen: one slot is asked for, with the memory of all: the job shares its core with others, and runs four threads on
#   it.
# With: snakemake 9.27.1, snakemake-executor-plugin-sge 0.6.31.
# Hurts: whoever runs rules with threads under Grid Engine.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check \
  snakemake==9.27.1 snakemake-executor-plugin-sge==0.6.31
mkdir bin
printf '#!/bin/sh\necho "$*" >> "$FOLDER/asked"\nexit 1\n' > bin/qsub
printf '#!/bin/sh\n' | tee bin/qstat bin/qacct > bin/qdel # qsub only notes what it is asked
chmod +x bin/*
cat > Snakefile <<'EOF'
rule a:
    output: "out.txt"
    threads: 4
    resources: mem_mb=8000
    shell: "touch {output}"
EOF
export FOLDER="$folder" PATH="$folder/bin:$PATH"
venv/bin/snakemake --jobs 1 --executor sge &> log || true
memory=$(grep --only-matching 'h_vmem=[0-9]*M' asked | head -1)
slots=$(grep --only-matching -e '-pe [a-z]* [0-9]*\|slots=[0-9]*' asked | head -1 || true)
echo "asked for 8000 MB and 4 threads, submitted with $memory and slots: ${slots:-none}"
[ "$memory" = "h_vmem=8000M" ] && [ -z "$slots" ]
