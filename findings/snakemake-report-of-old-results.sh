#!/usr/bin/env bash
# snakemake --report after the configuration was changed and nothing was run.
# Guess: it refuses, or says that results are out of date.
# Seen: it makes the report of the old results, without a word and with exit code 0, although a dry run says that they
#   are to be made anew.
# With: snakemake 9.27.1, pygments 2.21.0.
# Hurts: whoever sends a report.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check snakemake==9.27.1 pygments==2.21.0
cat > Snakefile <<'EOF'
configfile: "config.yaml"
rule a:
    output: report("out.txt")
    params: threshold=config["threshold"]
    shell: "echo threshold {params.threshold} > {output}"
EOF
echo "threshold: 5" > config.yaml
venv/bin/snakemake --cores 1 &> log
echo "threshold: 4" > config.yaml
venv/bin/snakemake --report report.html 2> words
old=$(echo "threshold 5" | base64)
grep --quiet "$old" report.html
venv/bin/snakemake --cores 1 --dry-run &> plan
grep --quiet "Params have changed" plan # it would be made anew
echo "configured: threshold 4; in the report: threshold 5; words of warning: $(grep --count -i warning words || true)"
! grep --quiet --ignore-case "warning\|out of date\|changed\|outdated" words
