"""Loops over a program's tasks, compiled: for one thread, for a team, and what the threads of a team tell each other.

Memory order is sequentially consistent at the gates, so what one thread wrote the others see. Functions called
`..._entry` return what `program` calls from Python: whole numbers in, addresses among them, and one out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from qbench.kernels.jit import jit
from qbench.kernels.program import (
    ASLEEP,
    CALL_WORDS,
    DONE,
    EPOCH,
    FIELDS,
    GATE,
    HELPERS,
    JOB,
    JOB_WORDS,
    LINE,
    MAIL_WORDS,
    MAILS,
    PATIENCE,
    POSTED,
    STATE_WORDS,
)

I64 = ir.IntType(64)
Entry = Callable[[int, int, int, int], int]


@intrinsic
def call_task(typingctx: Any, function: Any, arguments: Any, images: Any, part: Any, parts: Any) -> Any:
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
def poke(typingctx: Any, address: Any, value: Any) -> Any:
    """Write a word at an address."""

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        builder.store(values[1], builder.inttoptr(values[0], I64.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


_yield = types.ExternalFunction("sched_yield", types.int32())


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
        pointers: int64 (n, 3): address of a task's argument, address of image 0 there, bytes per image.
        first: first image.
        last: image after the last.
        most: images per pass.
        part: this thread's number in the team.
        parts: threads of the team; 1 for a thread on its own.
        gate: from `gate_of`.
        epoch: of the gate's counters.
    """
    for start in range(first, last, most):
        images = min(most, last - start)
        if part == 0:
            for i in range(len(pointers)):
                poke(pointers[i, 0], pointers[i, 1] + start * pointers[i, 2])  # type: ignore[call-arg]
        if parts > 1 and len(pointers):
            epoch += 1
            meet(gate, epoch, part, parts)
        for task in range(len(program)):
            count = min(images - program[task, 2], program[task, 3])
            if count <= 0:
                continue
            which = 0 if count >= program[task, 4] else 5
            call_task(program[task, which], program[task, which + 1], count, part, parts)  # type: ignore[call-arg]
            if parts > 1:
                epoch += 1
                meet(gate, epoch, part, parts)
    return epoch


@jit
def run_job(job: Any, part: int, parts: int, gate: Any, epoch: int) -> int:
    """Run a job's images, see `program.job_words`; return the gate's new epoch."""
    program: Any = _words_at(job[0], job[1], CALL_WORDS)  # type: ignore[call-arg]
    pointers: Any = _words_at(job[2], job[3], 3)
    return run_images(program, pointers, job[4], job[5], job[6], part, parts, gate, epoch)


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
    """Post a job once the last one is done; return whether the thread sleeps and must be woken."""
    await_done(mail)
    for i in range(JOB_WORDS):
        if mail[FIELDS + i] != job[i]:  # a line that is not written stays in the other core's cache
            mail[FIELDS + i] = job[i]
    if mail[FIELDS + JOB_WORDS] != part or mail[FIELDS + JOB_WORDS + 1] != parts:
        mail[FIELDS + JOB_WORDS], mail[FIELDS + JOB_WORDS + 1] = part, parts
    publish(mail, JOB, mail[JOB] + 1)  # type: ignore[call-arg]
    return bool(observe(mail, ASLEEP) != 0)


def alone_entry() -> Entry:
    """Run a job on this thread, by itself."""

    def run(job: int, part: int, parts: int, gate: int) -> int:
        words: Any = _words_at(job, 1, JOB_WORDS)[0]  # type: ignore[call-arg]
        return run_job(words, 0, 1, words, 0)

    return run


def await_entry() -> Entry:
    """Wait until a mailbox's last job is done."""

    def run(mail: int, _job: int, _part: int, _parts: int) -> int:
        await_done(_words_at(mail, 1, MAIL_WORDS)[0])  # type: ignore[call-arg]
        return 0

    return run


def post_entry() -> Entry:
    """Post a job; see `post`."""

    def run(mail: int, job: int, part: int, parts: int) -> int:
        words: Any = _words_at(job, 1, JOB_WORDS)[0]  # type: ignore[call-arg]
        return int(post(_words_at(mail, 1, MAIL_WORDS)[0], words, part, parts))

    return run


def serve_entry() -> Entry:
    """Run jobs as they are posted; return after `polls` looks at an empty mailbox."""

    def run(mail: int, gate: int, threads: int, polls: int) -> int:
        box: Any = _words_at(mail, 1, MAIL_WORDS)[0]  # type: ignore[call-arg]
        counters: Any = _words_at(gate, 1, threads * LINE)[0]
        done: int = observe(box, DONE)
        waited = 0
        while waited < polls:
            if observe(box, JOB) == done:
                waited += 1
                continue
            f = box[FIELDS:]
            run_job(f, f[JOB_WORDS], f[JOB_WORDS + 1], counters, counters[f[JOB_WORDS] * LINE])  # where it left off
            done += 1
            publish(box, DONE, done)
            waited = 0
        return 0

    return run


def team_entry() -> Entry:
    """Run a job on this thread and on those of all mailboxes, every task shared; return whether that was done.

    Where a mailbox's thread sleeps it is not: the caller wakes all that do and calls again.
    """

    def run(team: int, job: int, _part: int, _parts: int) -> int:
        state: Any = _words_at(team, 1, STATE_WORDS)[0]  # type: ignore[call-arg]
        words: Any = _words_at(job, 1, JOB_WORDS)[0]
        mails: Any = _words_at(state[MAILS], state[HELPERS], MAIL_WORDS)
        parts, asleep = len(mails) + 1, False
        if not state[POSTED]:
            for helper in range(len(mails)):
                asleep |= post(mails[helper], words, helper + 1, parts)
        if asleep:
            state[POSTED] = 1
            return 0
        gate = _words_at(state[GATE], 1, parts * LINE)[0]
        state[EPOCH] = run_job(words, 0, parts, gate, state[EPOCH])
        state[POSTED] = 0
        return 1

    return run
