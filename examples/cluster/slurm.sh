#!/bin/bash
# A corpus as a Slurm array: `sbatch --export=ALL,OUT=/share/scored slurm.sh`, with `nezha` on PATH.
# Before: `nezha score plan '/share/in/*.parquet' -o /share/scored --model /share/model`.
# After: `sbatch --dependency=afterok:JOB --wrap 'nezha score finish /share/scored'`.
#SBATCH --job-name=nezha-score
#SBATCH --array=0-7
#SBATCH --cpus-per-task=4
#SBATCH --mem=4G
#SBATCH --requeue
set -euo pipefail
exec nezha score part "$OUT" --slice "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --threads "$SLURM_CPUS_PER_TASK"
