#!/bin/sh
# Says of a job of Grid Engine, by its number, whether it is running (or waiting), success or failed.
#   cluster-generic-status-cmd: profiles/grid-engine-status.sh
# See docs/clusters.md.
qstat -j "$1" >/dev/null 2>&1 && { echo running; exit; }
qacct -j "$1" 2>/dev/null | awk '
  $1 == "failed" || $1 == "exit_status" { ended = 1; if ($2 != 0) failed = 1 }
  END { print ended ? (failed ? "failed" : "success") : "running" }'
