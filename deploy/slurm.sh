#!/bin/sh
# Two nodes with four GPUs each, one worker a GPU.
#
#   sbatch deploy/slurm.sh
#
# To change: the resources, and the command at the end. See docs/distributed.md.
#SBATCH --job-name=cyclegan
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=4
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120 # Two minutes before the end: a checkpoint is written.
#SBATCH --requeue

status=75
# 75: a worker was lost; 137: one was killed. All go on from the last checkpoint.
while [ "$status" -eq 75 ] || [ "$status" -eq 137 ]; do
  srun --kill-on-bad-exit=0 cyclegan train --launcher slurm \
    --data-dir "$HOME/horse2zebra" --run-dir "$HOME/runs/horse2zebra" --recipe paper --batch-size 8
  status=$?
done
exit "$status"
