"""Several processes that speak HTTP on one port, in front of the one that runs everything else."""
