"""The published systems, repaired, and nothing else."""
