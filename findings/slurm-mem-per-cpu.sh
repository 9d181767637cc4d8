#!/usr/bin/env bash
# A profile whose default-resources has mem_mb_per_cpu, and a rule that asks for mem_mb, with the Slurm plugin.
# Guess: what the rule asks for beats a default.
# Seen: memory per core wins whoever asks for it: a rule of 8000 MB and four threads gets four times the profile's
#   1000 MB.
# With: snakemake 9.27.1, snakemake-executor-plugin-slurm 2.8.0.
# Hurts: whoever runs a workflow on a cluster that counts memory per core.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check \
  snakemake==9.27.1 snakemake-executor-plugin-slurm==2.8.0
mkdir bin
printf '#!/bin/sh\necho "$*" >> "$FOLDER/asked"\nexit 1\n' > bin/sbatch
printf '#!/bin/sh\necho lab\n' | tee bin/sacctmgr > bin/sshare # sbatch and these only say what they are asked
chmod +x bin/*
cat > Snakefile <<'EOF'
rule a:
    output: "out.txt"
    threads: 4
    resources: mem_mb=8000
    shell: "touch {output}"
EOF
export FOLDER="$folder" PATH="$folder/bin:$PATH"
mkdir site
printf 'default-resources:\n  mem_mb_per_cpu: 1000\n  slurm_account: lab\n  slurm_partition: short\n' > site/config.yaml
venv/bin/snakemake --jobs 1 --executor slurm --slurm-init-seconds-before-status-checks 1 --profile site &> log || true
memory=$(grep --only-matching -e '--mem[a-z-]* [0-9]*' asked | head -1)
cores=$(grep --only-matching -e '--cpus-per-task=[0-9]*' asked | head -1)
echo "asked for 8000 MB and 4 threads, submitted with $memory $cores"
[ "$memory" = "--mem-per-cpu 1000" ] && [ "$cores" = "--cpus-per-task=4" ]
