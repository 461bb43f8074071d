import subprocess

import pytest

from automl.errors import ConfigError
from automl.machine import gpus
from automl.machine.gpus import Card, Crew, crew

TWO = (Card("0", "GPU-aaaa-1", "0"), Card("1", "GPU-bbbb-2", "1"))
CUT_UP = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6)
  MIG 3g.20gb     Device  0: (UUID: MIG-c7384736)
  MIG 2g.10gb     Device  1: (UUID: MIG-a28ad590)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-11ae5c2f)
"""


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setattr(gpus, "present", lambda: TWO)


@pytest.fixture
def none(monkeypatch):
    monkeypatch.setattr(gpus, "present", tuple)


def refusal(*args):
    with pytest.raises(ConfigError) as caught:
        crew(*args)
    return str(caught.value)


# --- what there is


def smi(folder, monkeypatch, script):
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_cards_are_those_that_nvidia_smi_lists(tmp_path, monkeypatch):
    smi(tmp_path, monkeypatch, f"[ $1 = -L ] && cat <<'END'\n{CUT_UP}END")
    assert gpus.present() == (
        Card("MIG-c7384736", "MIG-c7384736", "0"),
        Card("MIG-a28ad590", "MIG-a28ad590", "0"),
        Card("1", "GPU-11ae5c2f", "1"),
    )


def test_there_is_no_card_where_nvidia_smi_fails_hangs_or_is_missing(tmp_path, monkeypatch):
    smi(tmp_path, monkeypatch, "echo 'GPU 0: X (UUID: GPU-a)'; exit 9")
    assert gpus.present() == ()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert gpus.present() == ()

    def hang(command, **given):
        raise subprocess.TimeoutExpired(command, given["timeout"])

    monkeypatch.setattr(subprocess, "run", hang)
    assert gpus.present() == ()


@pytest.mark.parametrize(
    ("mask", "shown"),
    [
        (None, ("0", "1")),
        ("1,0", ("1", "0")),
        ("1", ("1",)),
        ("GPU-bbbb", ("1",)),
        ("GPU-", ()),  # the beginning of every UUID
        ("1,7,0", ("1",)),  # CUDA reads up to the first word that names no card
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
    ],
)
def test_a_mask_of_the_users_is_kept(two, mask, shown):
    assert crew(None, None, None, mask).gpus == shown


def test_an_empty_mask_asks_nobody(monkeypatch):
    monkeypatch.setattr(gpus, "present", lambda: pytest.fail("nvidia-smi was asked"))
    assert crew(3, None, None, "") == Crew(3)


def test_a_slice_answers_to_its_uuid_and_to_its_cards_number(monkeypatch):
    monkeypatch.setattr(gpus, "present", lambda: gpus._listed(CUT_UP))
    assert crew(None, None, None, None).gpus == ("MIG-c7384736", "MIG-a28ad590", "1")
    assert crew(None, "MIG-a28,1", None, None).gpus == ("MIG-a28ad590", "1")
    assert crew(None, None, None, "0").gpus == ("MIG-c7384736",)


# --- who runs where


@pytest.mark.parametrize(
    ("workers", "wanted", "per_gpu", "expected"),
    [
        (None, None, None, Crew(2, ("0", "1"), 1)),
        (None, "1", None, Crew(1, ("1",), 1)),
        (None, "GPU-bbbb,0", 3, Crew(6, ("1", "0"), 3)),
        (1, None, None, Crew(1, ("0", "1"), 1)),
        (3, None, None, Crew(3, ("0", "1"), 2)),
        (2, "0", 4, Crew(2, ("0",), 4)),  # leaves room for another search on the card
    ],
)
def test_workers_follow_from_the_cards_unless_they_are_given(two, workers, wanted, per_gpu, expected):
    assert crew(workers, wanted, per_gpu, None) == expected


def test_without_a_card_workers_are_as_asked_for(none):
    assert crew(None, None, None, None) == Crew(1)
    assert crew(4, None, None, None) == Crew(4)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((None, "7", None, None), "--gpus: there is no such GPU. Expected some of 0, 1; received '7'."),
        (
            (None, "0", None, "1"),
            "--gpus: there is no such GPU. Expected some of 1; received '0'. CUDA_VISIBLE_DEVICES is '1'.",
        ),
        ((None, "0,,1", None, None), "--gpus: there is no such GPU. Expected some of 0, 1; received ''."),
        (
            (None, "0,GPU-aaaa", None, None),
            "--gpus: a GPU is named twice. Received '0,GPU-aaaa'. Several workers share a GPU with --workers-per-gpu.",
        ),
        ((None, "0", None, ""), "--gpus: no GPU was found. Received '0'. CUDA_VISIBLE_DEVICES is ''."),
        (
            (5, "0,1", 2, None),
            "--workers: 2 to a GPU leave no room for so many. Expected at most 4 on 0, 1; received 5.",
        ),
    ],
)
def test_what_does_not_fit_is_one_clear_message(two, asked, said):
    assert refusal(*asked) == said


def test_workers_per_gpu_needs_a_gpu(none):
    assert refusal(None, None, 2, None) == "--workers-per-gpu: no GPU to share. nvidia-smi -L lists none."


def test_a_search_goes_on_with_its_own_cards_or_not_at_all(two):
    gpus.require(("1",), None)
    gpus.require((), "")
    for mask, hint in ((None, ""), ("", " CUDA_VISIBLE_DEVICES is ''.")):
        with pytest.raises(ConfigError) as caught:
            gpus.require(("0", "1") if mask == "" else ("1", "2"), mask)
        missing = "0, 1" if mask == "" else "2"
        assert str(caught.value) == f"automl resume: the search runs on GPU {missing}, which is not here.{hint}"


# --- memory


@pytest.fixture
def no_settings(monkeypatch):
    for name in ("XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION", "PYTORCH_ALLOC_CONF"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("PYTORCH_CUDA_ALLOC_CONF", raising=False)


def test_workers_on_a_card_divide_its_memory(no_settings, monkeypatch):
    monkeypatch.setattr(gpus, "_torch", lambda: (2, 13))
    assert gpus.memory("jax", 1) == {"XLA_CLIENT_MEM_FRACTION": "0.900"}
    assert gpus.memory("jax", 4) == {"XLA_CLIENT_MEM_FRACTION": "0.225"}
    assert gpus.memory("torch", 2) == {"PYTORCH_ALLOC_CONF": "per_process_memory_fraction:0.450"}
    assert gpus.memory("tensorflow", 2) == {}


def test_a_torch_that_does_not_know_the_word_is_not_given_it(no_settings, monkeypatch):
    for version in ((), (2, 6)):
        monkeypatch.setattr(gpus, "_torch", lambda found=version: found)
        assert gpus.memory("torch", 2) == {}


def test_a_users_own_memory_settings_stay(no_settings, monkeypatch):
    monkeypatch.setattr(gpus, "_torch", lambda: (2, 13))
    monkeypatch.setenv("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.5")
    assert gpus.memory("jax", 2) == {}
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    assert gpus.memory("torch", 2) == {
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True,per_process_memory_fraction:0.450"
    }
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "per_process_memory_fraction:0.1")
    assert gpus.memory("torch", 2) == {}
