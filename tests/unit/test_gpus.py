import threading
from dataclasses import dataclass, field

import pynvml
import pytest

from automl.errors import ConfigError
from automl.machine import gpus
from automl.machine.gpus import Card, Crew, crew

TWO = (Card("0", "GPU-aaaa-1", "0"), Card("1", "GPU-bbbb-2", "1"))


@dataclass
class Gpu:
    """A card as the driver knows it.

    Args:
        uuid: An error code where it cannot be told.
        slices: The places that slices may have, or the error code that asking for them ends with.
        code: The error that asking for the card ends with.
    """

    uuid: str | int
    slices: list[str | int] | int = field(default_factory=list)
    code: int | None = None


CUT_UP = [
    Gpu("GPU-5d5ba0d6", ["MIG-c7384736", pynvml.NVML_ERROR_NOT_FOUND, "MIG-a28ad590", pynvml.NVML_ERROR_NO_PERMISSION]),
    Gpu("GPU-11ae5c2f"),
]


class Driver:
    """Stands for NVIDIA's library, behind the functions of `pynvml` that are asked."""

    def __init__(self, monkeypatch, gpus):
        self.gpus, self.open = gpus, 0
        monkeypatch.setattr(pynvml, "nvmlInit", self.init)
        monkeypatch.setattr(pynvml, "nvmlShutdown", self.shutdown)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: len(self.gpus))
        monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", self.card)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetUUID", lambda handle: told(getattr(handle, "uuid", handle)))
        monkeypatch.setattr(pynvml, "nvmlDeviceGetMaxMigDeviceCount", lambda handle: len(told(handle.slices)))
        monkeypatch.setattr(pynvml, "nvmlDeviceGetMigDeviceHandleByIndex", lambda handle, at: told(handle.slices[at]))

    def init(self):
        told(self.gpus)
        self.open += 1

    def shutdown(self):
        self.open -= 1

    def card(self, index):
        assert self.open
        gpu = self.gpus[index]
        return gpu if gpu.code is None else told(gpu.code)


def told(answer):
    if isinstance(answer, int):
        raise pynvml.NVMLError(answer)
    return answer


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


def test_cards_are_those_that_the_driver_lists(monkeypatch):
    driver = Driver(monkeypatch, CUT_UP)
    assert gpus.present() == (
        Card("MIG-c7384736", "MIG-c7384736", "0"),
        Card("MIG-a28ad590", "MIG-a28ad590", "0"),
        Card("1", "GPU-11ae5c2f", "1"),
    )
    assert driver.open == 0


def test_slices_are_those_that_there_are_now(monkeypatch):
    driver = Driver(monkeypatch, [Gpu("GPU-a", ["MIG-b"])])
    assert gpus.present() == (Card("MIG-b", "MIG-b", "0"),)
    driver.gpus = [Gpu("GPU-a", [pynvml.NVML_ERROR_NOT_FOUND])]
    assert gpus.present() == (Card("0", "GPU-a", "0"),)


@pytest.mark.parametrize("code", [pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND])
def test_a_card_or_a_driver_older_than_slices_has_whole_cards(monkeypatch, code):
    Driver(monkeypatch, [Gpu("GPU-a", code), Gpu("GPU-b")])
    assert gpus.present() == (Card("0", "GPU-a", "0"), Card("1", "GPU-b", "1"))


def test_a_card_that_this_process_may_not_use_is_not_there(monkeypatch):
    Driver(monkeypatch, [Gpu("GPU-a", code=pynvml.NVML_ERROR_NO_PERMISSION), Gpu("GPU-b")])
    assert gpus.present() == (Card("1", "GPU-b", "1"),)


@pytest.mark.parametrize(
    "broken",
    [
        pynvml.NVML_ERROR_LIBRARY_NOT_FOUND,
        pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
        pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH,
        [],
        [Gpu("GPU-a"), Gpu("GPU-b", code=pynvml.NVML_ERROR_GPU_IS_LOST)],
        [Gpu("GPU-a"), Gpu(pynvml.NVML_ERROR_UNKNOWN)],
        [Gpu("GPU-a"), Gpu("GPU-b", pynvml.NVML_ERROR_GPU_IS_LOST)],
        [Gpu("GPU-a"), Gpu("GPU-b", ["MIG-c", pynvml.NVML_ERROR_UNKNOWN])],
    ],
    ids=repr,
)
def test_there_is_no_card_where_the_driver_fails_or_is_missing(monkeypatch, broken):
    driver = Driver(monkeypatch, broken)
    assert gpus.present() == ()
    assert driver.open == 0


def test_a_library_that_is_not_there_is_no_card(monkeypatch):
    def load(name):
        raise OSError(name)

    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "CDLL", load)
    assert gpus.present() == ()


def test_there_is_no_card_where_the_driver_hangs(monkeypatch):
    hangs = threading.Event()
    Driver(monkeypatch, [Gpu("GPU-a")])
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: hangs.wait(10))
    monkeypatch.setattr(gpus, "ANSWER_S", 0.05)
    before = set(threading.enumerate())
    assert gpus.present() == ()
    (asks,) = set(threading.enumerate()) - before
    hangs.set()
    asks.join(10)  # else it goes on, with the driver of the next test
    assert not asks.is_alive()


def test_what_is_wrong_otherwise_is_not_silent(monkeypatch):
    Driver(monkeypatch, [Gpu("GPU-a")])
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUUID", lambda handle: handle.nothing)
    with pytest.raises(AttributeError, match="nothing"):
        gpus.present()


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
    monkeypatch.setattr(gpus, "present", lambda: pytest.fail("the driver was asked"))
    assert crew(3, None, None, "") == Crew(3)


def test_a_slice_answers_to_its_uuid_and_to_its_cards_number(monkeypatch):
    Driver(monkeypatch, CUT_UP)
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
