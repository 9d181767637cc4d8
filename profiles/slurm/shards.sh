#!/bin/sh
# Each task of an array runs one shard of the datasets on its node:
#   sbatch --array=1-40 /shared/skymask/profiles/slurm/shards.sh --snakefile /shared/skymask/Snakefile --configfile mine.yaml
# See docs/clusters.md.
command -v snakemake >/dev/null || { echo "There is no snakemake: activate the environment before sbatch" >&2; exit 127; }
exec snakemake --config shard="$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --nolock \
  --cores "${SLURM_CPUS_PER_TASK:-1}" ${SLURM_MEM_PER_NODE:+--resources mem_mb="$SLURM_MEM_PER_NODE"} "$@"
