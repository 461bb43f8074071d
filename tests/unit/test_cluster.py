"""What a search takes of a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.errors import ConfigError
from automl.machine.cluster import Share, crew
from automl.machine.workers import FEATURES_VARIABLE, on_cluster, same_machine


@pytest.mark.parametrize(
    ("cpus", "gpus", "nodes", "workers"),
    [
        (1.0, 0.0, [(6.0, 0.0)], 6),
        (4.0, 0.0, [(6.0, 0.0)], 1),
        (4.0, 0.0, [(6.0, 0.0), (2.0, 0.0), (8.0, 0.0)], 3),
        (0.5, 0.0, [(2.0, 0.0)], 4),
        (0.07, 0.0, [(7.0, 0.0)], 100),
        (1.0, 0.5, [(8.0, 2.0), (64.0, 0.0)], 4),
        (1.0, 1.0, [(1.0, 2.0)], 1),
    ],
)
def test_as_many_trials_run_as_there_is_room_for(
    cpus: float, gpus: float, nodes: list[tuple[float, float]], workers: int
) -> None:
    assert crew(Share("auto", cpus, gpus), None, nodes) == workers
    assert crew(Share("auto", cpus, gpus), 3, nodes) == 3  # the rest waits


def test_no_room_is_told() -> None:
    has = r"a node with 4 CPUs and 0 GPUs for each; received 2 CPUs and 0 GPUs, 2 CPUs and 0 GPUs"
    with pytest.raises(ConfigError, match=has):
        crew(Share("auto", 4.0, 0.0), None, [(2.0, 0.0)] * 2)
    with pytest.raises(ConfigError, match=r"more than one GPU are whole ones\. Expected 0\.5, 1, 2; received 1\.5"):
        crew(Share("auto", 1.0, 1.5), None, [(8.0, 8.0)])


def test_a_worker_is_given_its_share(tmp_path: Path) -> None:
    machine = on_cluster(Share("auto", 2.5, 0.25), None, "jax", [(10.0, 1.0)])
    assert (machine.workers, machine.threads) == (4, 2)
    variables, folders = machine.node_environment(tmp_path)
    assert variables["XLA_CLIENT_MEM_FRACTION"] == "0.225"
    assert variables["OMP_NUM_THREADS"] == "2"
    # Which card it sees is Ray's to say, and the driver's own blindness is not handed on.
    assert not variables.keys() & {"CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS"}
    assert set(folders) == {FEATURES_VARIABLE, "JAX_COMPILATION_CACHE_DIR"}


def test_a_trial_without_a_gpu_sees_none(tmp_path: Path) -> None:
    machine = on_cluster(Share("auto", 1.0, 0.0), 2, "jax", [(4.0, 8.0)])
    assert machine.node_environment(tmp_path)[0]["CUDA_VISIBLE_DEVICES"] == ""


def test_a_resume_takes_the_same_share() -> None:
    machine = on_cluster(Share("ray://host:10001", 1.5, 0.0), 2, "jax", [(4.0, 0.0)])
    assert same_machine("jax", machine.threads, machine.settings()) == machine
