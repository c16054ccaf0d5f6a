"""How many partitions, processes and disks a load needs, worked out from measured figures: docs/capacity.md."""
