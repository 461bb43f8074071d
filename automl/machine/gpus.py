"""GPUs: which there are, which of them a search uses, how many workers share one, and what each may take of it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import math
import os
import re
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from automl.errors import ConfigError, Problem

VISIBLE = "CUDA_VISIBLE_DEVICES"

SHARED = 0.9
"""Part of a card's memory that its workers divide; CUDA's contexts and libraries need the rest."""

ANSWER_S = 60.0
"""How long the driver is waited for: it wakes every card first, unless it is kept awake."""


@dataclass(frozen=True)
class Card:
    """A GPU, or a slice of one (MIG).

    Args:
        name: What `CUDA_VISIBLE_DEVICES` is given: the number that `nvidia-smi` counts, or the UUID of a slice.
        uuid: The UUID that `nvidia-smi -L` lists.
        number: The number of the whole card.
    """

    name: str
    uuid: str
    number: str

    def answers_to(self, word: str) -> bool:
        """Tells whether a user means this card: by its number, or by the beginning of its UUID, as CUDA has it."""
        return word in (self.name, self.number) or (len(word) > len("GPU-") and self.uuid.startswith(word))


@dataclass(frozen=True)
class Crew:
    """How many workers run at once, and on which GPUs.

    Args:
        workers: Trials at once.
        gpus: Names for `CUDA_VISIBLE_DEVICES`; none: the backend takes what it finds.
        per_gpu: Workers that share a card, each with its part of the memory.
    """

    workers: int
    gpus: tuple[str, ...] = ()
    per_gpu: int = 1


def present() -> tuple[Card, ...]:
    """Returns the NVIDIA GPUs of this machine; a card that is cut up (MIG) as its slices.

    Asks the driver (NVML): no backend is imported, and none would tell a UUID. None where it fails, or does not answer.
    """
    answer: Future[tuple[Card, ...]] = Future()

    def ask() -> None:
        try:
            answer.set_result(_listed())
        except BaseException as error:  # noqa: BLE001 - raised again, by whoever waits for the answer
            answer.set_exception(error)

    # A driver that hangs cannot be called off: a thread that nobody waits for ends with the program.
    threading.Thread(target=ask, daemon=True).start()
    try:
        return answer.result(ANSWER_S)
    except TimeoutError:
        return ()


def crew(workers: int | None, wanted: str | None, per_gpu: int | None, mask: str | None) -> Crew:
    """Settles how many workers run on which GPUs.

    Args:
        workers: `--workers`; None for one, or as many as the GPUs take.
        wanted: `--gpus`, as `0,1`; None for all that the mask shows.
        per_gpu: `--workers-per-gpu`; None for one, or as many as `workers` asks for.
        mask: What `CUDA_VISIBLE_DEVICES` was when the program started; None where it was not set.

    Raises:
        ConfigError: A GPU is not there, or the numbers do not fit each other.
    """
    gpus = _chosen(wanted, mask)
    if not gpus:
        if per_gpu is not None:
            raise ConfigError(Problem("--workers-per-gpu", "no GPU to share", hint=_why_none(mask)))
        return Crew(workers or 1)
    if per_gpu is None:
        per_gpu = math.ceil((workers or 1) / len(gpus))
    room = len(gpus) * per_gpu
    if workers is not None and workers > room:
        what = f"{per_gpu} to a GPU leave no room for so many"
        raise ConfigError(Problem("--workers", what, f"at most {room} on {_told(gpus)}", str(workers)))
    return Crew(workers or room, gpus, per_gpu)


def require(gpus: Sequence[str], mask: str | None) -> None:
    """Checks that the GPUs a search has used are there and shown.

    Raises:
        ConfigError: One is not: workers would go on with other devices, and end with other numbers.
    """
    shown = _chosen(None, mask) if gpus else ()
    if missing := [name for name in gpus if name not in shown]:
        what = f"the search runs on GPU {_told(missing)}, which is not here"
        raise ConfigError(Problem("automl resume", what, hint=None if shown else _why_none(mask)))


def memory(backend: str, per_gpu: int) -> dict[str, str]:
    """Returns the variables that hold a worker to its part of a card's memory.

    | backend | taken as needed | held to a share |
    |---|---|---|
    | tensorflow | a variable (`Machine.worker_environment`) | not by any variable: first come, first served |
    | jax | a variable, likewise | `XLA_CLIENT_MEM_FRACTION`, of the whole card |
    | torch | always | `PYTORCH_ALLOC_CONF`, where PyTorch knows `per_process_memory_fraction` |

    What the user has set stays.
    """
    share = f"{SHARED / per_gpu:.3f}"
    if backend == "jax":
        names = ("XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION")
        # JAX refuses to have both.
        return {} if any(os.environ.get(name) for name in names) else {names[0]: share}
    if backend == "torch" and _torch() >= (2, 13):  # the release checked; one without the word ends with an error
        names = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
        name = next((each for each in names if os.environ.get(each)), names[0])
        own = os.environ.get(name, "")
        word = "per_process_memory_fraction"
        return {} if word in own else {name: ",".join(filter(None, [own, f"{word}:{share}"]))}
    return {}


def _listed() -> tuple[Card, ...]:
    """Lists the cards in the driver's order, which is that of the bus."""
    import pynvml

    cards: list[Card] = []
    try:
        pynvml.nvmlInit()
        try:
            for index in range(pynvml.nvmlDeviceGetCount()):
                with contextlib.suppress(pynvml.NVMLError_NoPermission):  # this process may not use it
                    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
                    whole = Card(str(index), pynvml.nvmlDeviceGetUUID(handle), str(index))
                    cards += _slices(handle, whole.number) or [whole]  # cut up, the card itself runs nothing
        finally:
            # What it told of slices would otherwise stay as it was at first.
            pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return ()
    return tuple(cards)


def _slices(handle: Any, number: str) -> list[Card]:
    """Returns the slices of a card; none where it is whole, or its driver knows of no slices."""
    import pynvml

    found: list[Card] = []
    with contextlib.suppress(pynvml.NVMLError_NotSupported, pynvml.NVMLError_FunctionNotFound):
        for place in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
            # A place is empty, or another's.
            with contextlib.suppress(pynvml.NVMLError_NotFound, pynvml.NVMLError_NoPermission):
                uuid = pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, place))
                found.append(Card(uuid, uuid, number))
    return found


def _chosen(wanted: str | None, mask: str | None) -> tuple[str, ...]:
    if mask is not None and not mask.strip():
        cards: tuple[Card, ...] = ()  # hidden on purpose: nothing needs to be asked
    else:
        cards = _shown(present(), mask)
    if wanted is None:
        return tuple(card.name for card in cards)
    if not cards:
        raise ConfigError(Problem("--gpus", "no GPU was found", received=repr(wanted), hint=_why_none(mask)))
    chosen: list[str] = []
    for word in (each.strip() for each in wanted.split(",")):
        meant = next((card.name for card in cards if card.answers_to(word)), None)
        if meant is None:
            hint = None if mask is None else f"{VISIBLE} is {mask!r}"
            known = _told([card.name for card in cards])
            raise ConfigError(Problem("--gpus", "there is no such GPU", f"some of {known}", repr(word), hint))
        if meant in chosen:
            hint = "Several workers share a GPU with --workers-per-gpu"
            raise ConfigError(Problem("--gpus", "a GPU is named twice", received=repr(wanted), hint=hint))
        chosen.append(meant)
    return tuple(chosen)


def _shown(cards: Sequence[Card], mask: str | None) -> tuple[Card, ...]:
    """Returns the cards a mask shows, in its order; as CUDA does, up to its first word that names none."""
    if mask is None:
        return tuple(cards)
    shown: list[Card] = []
    for word in (each.strip() for each in mask.split(",")):
        found = next((card for card in cards if card.answers_to(word)), None)
        if found is None or found in shown:
            break
        shown.append(found)
    return tuple(shown)


def _why_none(mask: str | None) -> str:
    return "nvidia-smi -L lists none" if mask is None else f"{VISIBLE} is {mask!r}"


def _told(gpus: Sequence[str]) -> str:
    return ", ".join(gpus)


def _torch() -> tuple[int, ...]:
    """Returns PyTorch's version without importing it."""
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return ()
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
