"""This machine and its surroundings: folders, Keras's backend, what workers are given, GPUs, clusters, disks."""
