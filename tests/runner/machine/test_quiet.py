"""Nothing of one cell runs in the turn of the next, and every thread has its core."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from qbench.runner.machine.affinity import Pins, allowed_cpus, distinct_cores, other_threads, pinned
from qbench.runner.machine.quiet import busy_threads, other_threads_visible, quiet_cores, settle

linux = pytest.mark.skipif(not other_threads_visible(), reason="the system does not show threads")


@pytest.fixture
def spinner() -> Iterator[threading.Event]:
    """A thread that spins until the event is set."""
    stop = threading.Event()
    started = threading.Event()

    def spin() -> None:
        started.set()
        while not stop.is_set():
            pass

    thread = threading.Thread(target=spin)
    thread.start()
    started.wait()
    yield stop
    stop.set()
    thread.join()


@linux
def test_a_spinning_thread_is_seen_and_waited_for(spinner: threading.Event) -> None:
    assert any(busy_threads() for _ in range(20))
    threading.Timer(0.05, spinner.set).start()
    settle()
    assert spinner.is_set()


@linux
def test_settling_ends_as_soon_as_no_thread_runs() -> None:
    answers = iter([2, 1, 0])
    naps: list[float] = []
    settle(lambda: next(answers), naps.append)
    assert len(naps) == 2


@linux
def test_settling_gives_up_on_threads_that_never_sleep() -> None:
    naps: list[float] = []
    settle(lambda: 1, naps.append, patience_s=0.05)
    assert sum(naps) == pytest.approx(0.05)


@linux
def test_every_helper_of_a_pool_has_its_own_core(monkeypatch: pytest.MonkeyPatch) -> None:
    placed: dict[int, set[int]] = {}
    helpers = [11, 12, 13]
    monkeypatch.setattr("qbench.runner.machine.affinity.other_threads", lambda: helpers)
    monkeypatch.setattr(os, "sched_setaffinity", lambda thread, cpus: placed.update({thread: set(cpus)}))
    pins = Pins([4, 5, 6, 7])
    pins.renew()
    assert placed == {0: {4}, 11: {5}, 12: {6}, 13: {7}}
    helpers.append(14)
    pins.renew()
    assert placed[14] == {5}
    assert placed[12] == {6}


@linux
def test_pins_end_with_the_block(spinner: threading.Event) -> None:
    before = allowed_cpus()
    cores = distinct_cores(before)
    with pinned(2):
        assert allowed_cpus() == cores[:1]
        helper = set(cores[1:2]) or set(cores)
        assert all(os.sched_getaffinity(thread) == helper for thread in other_threads())
    assert allowed_cpus() == before
    assert all(sorted(os.sched_getaffinity(thread)) == before for thread in other_threads())


@linux
def test_a_thread_that_starts_inside_gets_its_core_before_the_next_turn() -> None:
    cores = distinct_cores(allowed_cpus())
    with quiet_cores(2) as quiet:
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        quiet()
        assert thread.native_id is not None
        assert os.sched_getaffinity(thread.native_id) == (set(cores[1:2]) or set(cores))
        stop.set()
        thread.join()


def test_each_core_comes_before_any_sibling() -> None:
    cpus = allowed_cpus()
    assert sorted(distinct_cores(cpus)) == cpus
