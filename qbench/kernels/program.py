"""Programs: tasks in order, run for any number of images in one compiled call, by one thread or by a team.

A program is an int64 array (calls, 4): addresses of a task's function and arguments, the first image of the pass that
it takes, and the most. A team shares every task: its threads meet at a gate after each. Memory order is sequentially
consistent at the gates, so what one thread wrote the others see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from qbench.kernels.jit import jit
from qbench.kernels.tasks import Task, Words

I64 = ir.IntType(64)
LINE = 8
"""Words from one thread's counter to the next: a cache line each."""
CALL_WORDS = 4
ALL_IMAGES = 1 << 40
PATIENCE = 20_000
"""Polls of a gate before the thread offers its core to others (about 0.2 ms)."""


def program_of(tasks: Sequence[Task], places: Sequence[tuple[int, int]] = ()) -> Words:
    """Return the program of these tasks; the caller keeps them alive.

    Args:
        tasks: in order.
        places: the first image of a pass that each takes, and the most; all of them where nothing is said.
    """
    ends = places or [(0, ALL_IMAGES)] * len(tasks)
    rows = [(task.address, task.arguments.ctypes.data, *end) for task, end in zip(tasks, ends, strict=True)]
    return np.array(rows, np.int64).reshape(-1, CALL_WORDS)


def gate_of(threads: int) -> Words:
    """Return a gate for a team: a counter a thread."""
    return np.zeros(threads * LINE, np.int64)


@intrinsic
def _call(typingctx: Any, function: Any, arguments: Any, images: Any, part: Any, parts: Any) -> Any:
    """Call the task function at an address."""

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [I64.as_pointer(), I64, I64, I64])
        target = builder.inttoptr(values[0], kind.as_pointer())
        builder.call(target, [builder.inttoptr(values[1], I64.as_pointer()), *values[2:]])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), codegen


def _cell(context: Any, builder: Any, sig: Any, values: Any) -> Any:
    data = context.make_array(sig.args[0])(context, builder, values[0]).data
    return builder.gep(data, [values[1]])


@intrinsic
def publish(typingctx: Any, cells: Any, index: Any, value: Any) -> Any:
    """Write a word that other threads poll."""

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        builder.atomic_rmw("xchg", _cell(context, builder, sig, values), values[2], "seq_cst")
        return context.get_dummy_value()

    return types.void(cells, types.int64, types.int64), codegen


@intrinsic
def observe(typingctx: Any, cells: Any, index: Any) -> Any:
    """Read a word that other threads publish."""

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        return builder.load_atomic(_cell(context, builder, sig, values), "seq_cst", 8)

    return types.int64(cells, types.int64), codegen


@intrinsic
def _poke(typingctx: Any, address: Any, value: Any) -> Any:
    """Write a word at an address."""

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        builder.store(values[1], builder.inttoptr(values[0], I64.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


_yield = types.ExternalFunction("sched_yield", types.int32())


@jit
def meet(gate: Any, epoch: int, part: int, parts: int) -> None:
    """Wait until every thread of the team has reached `epoch`."""
    publish(gate, part * LINE, epoch)  # type: ignore[call-arg]
    for other in range(parts):
        polls = 0
        while observe(gate, other * LINE) < epoch:
            polls += 1
            if polls > PATIENCE:
                _yield()


@jit
def run_images(
    program: Any, pointers: Any, first: int, last: int, most: int, part: int, parts: int, gate: Any, epoch: int
) -> int:
    """Run images first..last, `most` in a pass; return the gate's new epoch.

    Args:
        program: from `program_of`.
        pointers: int64 (n, 3): address of a task's argument, address of image 0 there, bytes an image.
        first: first image.
        last: image after the last.
        most: images a pass.
        part: this thread's number in the team.
        parts: threads of the team; 1 for a thread on its own.
        gate: from `gate_of`.
        epoch: of the gate's counters.
    """
    for start in range(first, last, most):
        images = min(most, last - start)
        if part == 0:
            for i in range(len(pointers)):
                _poke(pointers[i, 0], pointers[i, 1] + start * pointers[i, 2])  # type: ignore[call-arg]
        if parts > 1 and len(pointers):
            epoch += 1
            meet(gate, epoch, part, parts)
        for task in range(len(program)):
            count = min(images - program[task, 2], program[task, 3])
            if count <= 0:
                continue
            _call(program[task, 0], program[task, 1], count, part, parts)  # type: ignore[call-arg]
            if parts > 1:
                epoch += 1
                meet(gate, epoch, part, parts)
    return epoch


JOB, DONE, ASLEEP, FIELDS = 0, LINE, 2 * LINE, 3 * LINE
MAIL_WORDS = 5 * LINE
"""A mailbox: counters of jobs posted and done, whether its thread sleeps, and the fields of one job."""


def mailboxes(count: int) -> Words:
    """Return empty mailboxes, one a row."""
    return np.zeros((count, MAIL_WORDS), np.int64)


@intrinsic
def _words_at(typingctx: Any, address: Any, rows: Any, columns: Any) -> Any:
    """Return the int64 array (rows, columns) at an address."""
    kind = types.Array(types.int64, 2, "C")

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        array = make_array(kind)(context, builder)  # type: ignore[no-untyped-call]
        data = builder.inttoptr(values[0], I64.as_pointer())
        size = ir.Constant(I64, 8)
        strides = [builder.mul(values[2], size), size]
        shape = values[1:]
        populate_array(array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None)  # type: ignore[no-untyped-call]
        return array._getvalue()

    return kind(types.int64, types.int64, types.int64), codegen


JOB_WORDS = 7


def job_words(program: Words, pointers: Words, first: int, last: int, most: int) -> Words:
    """Return a call of `run_images` as words; the caller keeps the arrays alive."""
    ends = (program.ctypes.data, len(program), pointers.ctypes.data, len(pointers), first, last, most)
    return np.array(ends, np.int64)


@jit
def await_done(mail: Any) -> None:
    """Wait until the last job posted is done."""
    polls = 0
    while observe(mail, DONE) < mail[JOB]:  # type: ignore[call-arg]
        polls += 1
        if polls > PATIENCE:
            _yield()


@jit
def post(mail: Any, job: Any, part: int, parts: int) -> bool:
    """Post a job, from `job_words`, once the last one is done; return whether the thread sleeps and must be woken."""
    await_done(mail)
    for i in range(JOB_WORDS):
        if mail[FIELDS + i] != job[i]:  # a line that is not written stays in the other core's cache
            mail[FIELDS + i] = job[i]
    if mail[FIELDS + JOB_WORDS] != part or mail[FIELDS + JOB_WORDS + 1] != parts:
        mail[FIELDS + JOB_WORDS], mail[FIELDS + JOB_WORDS + 1] = part, parts
    publish(mail, JOB, mail[JOB] + 1)  # type: ignore[call-arg]
    return bool(observe(mail, ASLEEP) != 0)


@jit
def serve(mail: Any, gate: Any, polls: int) -> None:
    """Run jobs as they are posted; return after `polls` looks at an empty mailbox."""
    done: int = observe(mail, DONE)  # type: ignore[call-arg]
    waited = 0
    while waited < polls:
        if observe(mail, JOB) == done:
            waited += 1
            continue
        f = mail[FIELDS:]
        program, pointers = _words_at(f[0], f[1], CALL_WORDS), _words_at(f[2], f[3], 3)
        run_images(program, pointers, f[4], f[5], f[6], f[7], f[8], gate, gate[f[7] * LINE])  # where it left the gate
        done += 1
        publish(mail, DONE, done)
        waited = 0


MAILS, HELPERS, GATE, EPOCH, POSTED = range(5)
"""Words of a team's state: address and number of its mailboxes, address and epoch of its gate, is a job posted."""


def team_state(mails: Words, gate: Words) -> Words:
    """Return the state of a team with these mailboxes and this gate; the caller keeps them alive."""
    return np.array([mails.ctypes.data, len(mails), gate.ctypes.data, 0, 0], np.int64)


@jit
def run_team(state: Any, job: Any) -> bool:
    """Run a job on this thread and on those of all mailboxes, every task shared; return whether that was done.

    Where a mailbox's thread sleeps it is not: the caller wakes all that do and calls again.

    Args:
        state: from `team_state`.
        job: from `job_words`.
    """
    mails: Any = _words_at(state[MAILS], state[HELPERS], MAIL_WORDS)  # type: ignore[call-arg]
    parts, asleep = len(mails) + 1, False
    if not state[POSTED]:
        for helper in range(len(mails)):
            asleep |= post(mails[helper], job, helper + 1, parts)
    if asleep:
        state[POSTED] = 1
        return False
    program, pointers = _words_at(job[0], job[1], CALL_WORDS), _words_at(job[2], job[3], 3)
    gate = _words_at(state[GATE], parts, LINE)
    state[EPOCH] = run_images(program, pointers, job[4], job[5], job[6], 0, parts, gate, state[EPOCH])
    state[POSTED] = 0
    return True


ALONE = gate_of(1)
NO_POINTERS: npt.NDArray[np.int64] = np.zeros((0, 3), np.int64)


def run_task(task: Task, *, images: int = 1) -> None:
    """Run one task on this thread."""
    run_images(program_of((task,)), NO_POINTERS, 0, images, images, 0, 1, ALONE, 0)
