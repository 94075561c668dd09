"""Programs: tasks in order, run for any number of images in one compiled call, by one thread or by a team.

A program is an int64 array (tasks, 2) of function and argument addresses. A team shares every task: its threads meet
at a gate after each. Memory order is sequentially consistent at the gates, so what one thread wrote the others see.
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
PATIENCE = 20_000
"""Polls of a gate before the thread offers its core to others (about 0.2 ms)."""


def program_of(tasks: Sequence[Task]) -> Words:
    """Return the program of these tasks; the caller keeps them alive."""
    return np.array([(task.address, task.arguments.ctypes.data) for task in tasks], np.int64).reshape(-1, 2)


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
        if parts > 1:
            epoch += 1
            meet(gate, epoch, part, parts)
        for task in range(len(program)):
            _call(program[task, 0], program[task, 1], images, part, parts)  # type: ignore[call-arg]
            if parts > 1:
                epoch += 1
                meet(gate, epoch, part, parts)
    return epoch


JOB, DONE, ASLEEP, FIELDS = 0, LINE, 2 * LINE, 3 * LINE
MAIL_WORDS = 5 * LINE
"""A mailbox: counters of jobs posted and done, whether its thread sleeps, and the fields of one job."""


def mailbox() -> Words:
    """Return an empty mailbox."""
    return np.zeros(MAIL_WORDS, np.int64)


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


@jit
def post(
    mail: Any, program: Any, pointers: Any, first: int, last: int, most: int, part: int, parts: int, epoch: int
) -> bool:
    """Post a job, a call of `run_images`; return whether the mailbox's thread sleeps and must be woken."""
    mail[FIELDS] = program.ctypes.data
    mail[FIELDS + 1] = len(program)
    mail[FIELDS + 2] = pointers.ctypes.data
    mail[FIELDS + 3] = len(pointers)
    mail[FIELDS + 4] = first
    mail[FIELDS + 5] = last
    mail[FIELDS + 6] = most
    mail[FIELDS + 7] = part
    mail[FIELDS + 8] = parts
    mail[FIELDS + 9] = epoch
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
        program, pointers = _words_at(f[0], f[1], 2), _words_at(f[2], f[3], 3)
        run_images(program, pointers, f[4], f[5], f[6], f[7], f[8], gate, f[9])
        done += 1
        publish(mail, DONE, done)
        waited = 0


@jit
def await_done(mail: Any) -> None:
    """Wait until the last job posted is done."""
    polls = 0
    while observe(mail, DONE) < mail[JOB]:  # type: ignore[call-arg]
        polls += 1
        if polls > PATIENCE:
            _yield()


ALONE = gate_of(1)
NO_POINTERS: npt.NDArray[np.int64] = np.zeros((0, 3), np.int64)


def run_task(task: Task, *, images: int = 1) -> None:
    """Run one task on this thread."""
    run_images(program_of((task,)), NO_POINTERS, 0, images, images, 0, 1, ALONE, 0)
