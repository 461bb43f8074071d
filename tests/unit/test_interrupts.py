from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from automl.machine.interrupts import Interrupts


@pytest.fixture(autouse=True)
def foreground() -> Iterator[None]:
    """As in a terminal: a shell starts what runs in the background deaf to Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press(what: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), what)


def test_ctrl_c_waits_until_it_is_asked_for() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupts() as interrupts:
        interrupts.check()
        press()
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                interrupts.check()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_third_ctrl_c_does_not_wait() -> None:
    with Interrupts() as interrupts:
        press()
        press()
        assert interrupts.seen == 2
        with pytest.raises(KeyboardInterrupt):
            press()


@pytest.mark.parametrize("what", [signal.SIGTERM, signal.SIGHUP])
def test_what_other_programs_send_means_the_same(what: int) -> None:
    before = signal.getsignal(what)
    with Interrupts() as interrupts:
        press(what)
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
        press()
        assert interrupts.seen == 2
        with pytest.raises(KeyboardInterrupt):
            press(what)
    assert signal.getsignal(what) is before


@pytest.mark.parametrize("what", [signal.SIGTERM, signal.SIGHUP])
def test_it_is_raised_at_once_while_nothing_is_kept(what: int) -> None:
    with Interrupts(at_once=True), Interrupts(at_once=True), pytest.raises(KeyboardInterrupt):
        press(what)
    with Interrupts(at_once=True):
        with Interrupts() as interrupts:
            press(what)
            assert interrupts.seen == 1
        with pytest.raises(KeyboardInterrupt):
            press(what)


def test_a_search_that_is_to_outlive_its_terminal_does() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with Interrupts() as interrupts, Interrupts(at_once=True):
            press(signal.SIGHUP)
            assert interrupts.seen == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_it_can_be_left_as_it_is() -> None:
    with Interrupts(at_once=True) as interrupts:
        with pytest.raises(KeyboardInterrupt):
            press()
        interrupts.check()


def test_a_search_in_a_thread_changes_no_handler() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def search() -> None:
        with Interrupts() as interrupts:
            seen.append(signal.getsignal(signal.SIGINT))
            interrupts.check()

    thread = threading.Thread(target=search)
    thread.start()
    thread.join()
    assert seen == [before]
