import importlib.metadata
import os
import subprocess
import sys

import pytest

import automl
from automl.errors import ConfigError
from automl.machine import folders, git, gpus, keras_backend, workers
from automl.machine.gpus import Card
from automl.machine.keras_backend import BACKENDS
from automl.machine.workers import Machine, cores, same_machine, this_machine


def refusal(call, *args):
    with pytest.raises(ConfigError) as caught:
        call(*args)
    return str(caught.value)


# --- home


def test_home_is_the_variable_or_a_folder_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    for value, expected in {"": "mlruns", "there": "there", "~/x": "me/x", str(tmp_path / "y"): "y"}.items():
        monkeypatch.setenv("AUTOML_HOME", value)
        assert folders.home() == tmp_path / expected
    monkeypatch.delenv("AUTOML_HOME")
    assert folders.home() == tmp_path / "mlruns"


def test_a_home_that_can_be_made_is_not_made_yet(home):
    assert folders.writable_home() == home
    assert not home.exists()
    home.mkdir()
    assert folders.writable_home() == home


def test_a_home_that_cannot_be_made_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AUTOML_HOME", str(tmp_path / "file" / "x"))
    assert refusal(folders.writable_home) == (
        f"{tmp_path}/file/x: searches cannot be kept here: {tmp_path}/file is a file. Expected a folder. "
        "Set AUTOML_HOME to another place."
    )
    monkeypatch.setenv("AUTOML_HOME", str(tmp_path / "x" / "y"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert f"searches cannot be kept here: {tmp_path} is not writable" in refusal(folders.writable_home)


# --- backend


def test_the_backend_asked_for_stands_above_the_variable(monkeypatch):
    monkeypatch.setattr(keras_backend, "installed", lambda name: True)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert keras_backend.backend() == "jax"
    assert keras_backend.backend("torch") == "torch"
    monkeypatch.setenv("KERAS_BACKEND", "")
    assert keras_backend.backend() == "tensorflow"
    monkeypatch.delenv("KERAS_BACKEND")
    assert keras_backend.backend() == "tensorflow"


@pytest.mark.parametrize(("wanted", "where"), [("theano", "--backend"), (None, "KERAS_BACKEND")])
def test_an_unknown_backend_is_named_where_it_was_given(wanted, where, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    assert refusal(keras_backend.backend, wanted) == (
        f"{where}: no such Keras backend. Expected one of tensorflow, jax, torch; received 'theano'."
    )


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_that_is_not_installed_says_how_to_get_it(name, monkeypatch):
    monkeypatch.setattr(keras_backend, "installed", lambda package: False)
    said = refusal(keras_backend.backend, name)
    assert said.startswith(f"--backend: the backend {name} is not installed. Install ")
    assert name in said.partition("Install ")[2]


# --- facts


def test_versions_are_those_installed():
    found = keras_backend.versions()
    assert {"python", "automl", "keras", "numpy"} <= found.keys()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert not keras_backend.installed("no-such-package")


def test_the_version_is_that_of_the_code_that_runs(monkeypatch):
    # A distribution of that name may be somebody else's, and a checkout may be installed under none.
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99.0" if "automl" in name else version(name))
    assert keras_backend.versions()["automl"] == automl.__version__


def test_cores_are_those_this_process_may_use():
    assert 1 <= cores() <= (os.cpu_count() or 1)


def test_the_commit_of_a_checkout_and_of_none(tmp_path, monkeypatch):
    assert git.git_commit(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert git.git_commit(tmp_path) is None


def test_a_git_that_does_not_answer_ends_no_search(tmp_path, monkeypatch):
    program = tmp_path / "git"
    program.write_text("#!/bin/sh\nexec /bin/sleep 30\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(git, "PATIENCE_S", 0.1)
    assert git.git_commit(tmp_path) is None


# --- the machine


@pytest.mark.parametrize(("present", "crew", "threads"), [(8, 1, 8), (8, 3, 2), (2, 2, 1), (1, 4, 1)])
def test_cores_are_shared_out(present, crew, threads, monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: present)
    monkeypatch.setattr(keras_backend, "installed", lambda name: True)
    assert this_machine(crew, "jax") == Machine("jax", crew, threads)


def test_a_workers_environment():
    one, four = (Machine("torch", 1, threads).worker_environment() for threads in (1, 4))
    assert one["KERAS_BACKEND"] == "torch"
    assert {one["OMP_NUM_THREADS"], one["TF_NUM_INTRAOP_THREADS"]} == {"1"}
    assert four["OMP_NUM_THREADS"] == "4"
    assert "multi_thread_eigen=false" in str(one["XLA_FLAGS"])
    assert "multi_thread_eigen=true" in str(four["XLA_FLAGS"])
    assert "CUDA_DEVICE_ORDER" not in four
    # What the driver hides from itself, workers see as the process was started.
    assert {"CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS"} <= one.keys()


def test_the_driver_hides_devices_from_itself_but_not_from_workers(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras_backend.visible_at_start.cache_clear()
    try:
        keras_backend.become_driver("jax")
        assert (os.environ["CUDA_VISIBLE_DEVICES"], os.environ["JAX_PLATFORMS"]) == ("", "cpu")
        assert os.environ["KERAS_BACKEND"] == "jax"
        variables = Machine("jax", 1, 1).worker_environment()
        assert (variables["CUDA_VISIBLE_DEVICES"], variables["JAX_PLATFORMS"]) == ("3", None)
    finally:
        keras_backend.visible_at_start.cache_clear()
        monkeypatch.setenv("JAX_PLATFORMS", "cpu")


def test_workers_are_dealt_out_to_the_gpus(home, monkeypatch):
    monkeypatch.delenv("XLA_PYTHON_CLIENT_MEM_FRACTION", raising=False)
    monkeypatch.delenv("XLA_CLIENT_MEM_FRACTION", raising=False)
    found = Machine("jax", 3, 1, ("2", "5"), 2).worker_environments(home)
    assert [each["CUDA_VISIBLE_DEVICES"] for each in found] == ["2", "5", "2"]
    assert {each["CUDA_DEVICE_ORDER"] for each in found} == {"PCI_BUS_ID"}
    assert {each["XLA_CLIENT_MEM_FRACTION"] for each in found} == {"0.450"}
    assert {each["XLA_PYTHON_CLIENT_PREALLOCATE"] for each in found} == {"false"}
    assert {each["TF_FORCE_GPU_ALLOW_GROWTH"] for each in found} == {"true"}


def test_gpus_that_are_visible_are_used(monkeypatch):
    monkeypatch.setattr(gpus, "present", lambda: (Card("0", "GPU-a", "0"), Card("1", "GPU-b", "1")))
    monkeypatch.setattr(workers, "cores", lambda: 12)
    monkeypatch.setattr(keras_backend, "installed", lambda name: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    keras_backend.visible_at_start.cache_clear()
    try:
        assert this_machine(None, "jax", "1", 3) == Machine("jax", 3, 4, ("1",), 3)
        found = this_machine(None, "jax")
        assert found == Machine("jax", 2, 6, ("0", "1"), 1)
        assert same_machine("jax", 6, found.settings()) == found
        with pytest.raises(ConfigError, match="GPU 7, which is not here"):
            same_machine("jax", 6, {**found.settings(), "gpus": ["7"]})
    finally:
        keras_backend.visible_at_start.cache_clear()


def test_a_journal_without_gpus_has_none():
    assert same_machine("jax", None, {"workers": 2}) == Machine("jax", 2, 1)


def test_a_users_own_xla_flags_stay(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=/tmp/x")
    flags = Machine("jax", 1, 2).worker_environment()["XLA_FLAGS"]
    assert flags.split()[0] == "--xla_dump_to=/tmp/x"
    assert "intra_op_parallelism_threads=2" in flags


def test_tensorflow_is_imported_without_jax_which_can_be_imported_after_it() -> None:
    """TensorFlow's converter to TFLite imports it where it is installed."""
    pytest.importorskip("jax")
    code = (
        "import os, sys; os.environ['KERAS_BACKEND'] = 'tensorflow'\n"
        "from automl.machine import keras_backend\n"
        "keras_backend.import_keras()\n"
        "assert 'tensorflow' in sys.modules and 'jax' not in sys.modules\n"
        "import jax; jax.numpy.ones(3)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "JAX_PLATFORMS": "cpu"})
