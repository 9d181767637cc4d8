#!/bin/sh
# Many small datasets on one machine: one shard of them after the other, then one run over all, for summary and report.
#   profiles/survey.sh 20 --configfile mine.yaml
# See docs/clusters.md.
trap 'exit 130' INT TERM
shards=$1
shift
for k in $(seq "$shards"); do
  snakemake "$@" --config shard="$k/$shards"
done
exec snakemake "$@"
