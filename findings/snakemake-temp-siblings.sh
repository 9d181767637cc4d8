#!/usr/bin/env bash
# Two rules of one temp() file, finished; then the parameter of one is changed.
# Guess: the temporary file is made again, and only the changed rule runs on it.
# Seen: the temporary file is made again, and then all rules of it run again, those of unchanged parameters as well.
# With: snakemake 9.27.1.
# Hurts: whoever saves space with temp().
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check snakemake==9.27.1
cat > Snakefile <<'EOF'
rule all:
    input: "mask.txt", "plot.txt"
rule shared:
    output: temp("shared.txt")
    shell: "echo the same > {output}"
rule mask:
    input: "shared.txt"
    output: "mask.txt"
    params: config["threshold"]
    shell: "cp {input} {output}; echo mask >> ran"
rule plot:
    input: "shared.txt"
    output: "plot.txt"
    params: config["style"]
    shell: "cp {input} {output}; echo plot >> ran"
EOF
venv/bin/snakemake --cores 1 --config threshold=5 style=1 &> log
rm ran
venv/bin/snakemake --cores 1 --config threshold=5 style=2 &> log
echo "ran again after the style of the plot was changed: $(sort ran | tr '\n' ' ')"
[ "$(sort ran | tr '\n' ' ')" = "mask plot " ]
