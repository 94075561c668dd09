"""Why a quantized network is not faster: where its time goes, in numbers, one sentence each.

Every sentence is made from what was measured in one run: times of steps, ceilings of this machine, what ran in floats.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from qbench.core.trial import Measurement
from qbench.metrics import speed
from qbench.results.columns import batch_of
from qbench.results.index import ceiling_of_kernel
from qbench.results.kept.quantized import ROLES, QuantizedResult, Role, StepTime

_NARROW = re.compile(r"u8_[st][1-7]")
"""Products of 8-bit activations with narrower weights, in a kernel's name."""
_WINOGRAD = "+winograd"

_SLOW = 3
_MUCH = 4.0


@dataclass(frozen=True, slots=True)
class Split:
    """Where the time of a call on one thread goes, all times per image.

    Args:
        images: of the call.
        call_s: median of the call.
        roles_s: seconds of the steps of each role.
        rest_s: what is in no step: copies of the answers, the call itself.
    """

    images: int
    call_s: float
    roles_s: dict[Role, float]
    rest_s: float

    def share(self, seconds: float) -> float:
        """Return percent of the call."""
        return 100.0 * seconds / self.call_s


def own_measurements(result: QuantizedResult) -> dict[int, Measurement]:
    """Return the network's own times by batch size, ascending."""
    found = {batch_of(m.group): m for m in result.row.measurements if m.cell == "qbench"}
    return {batch: found[batch] for batch in sorted(batch for batch in found if batch is not None)}


def split(result: QuantizedResult) -> Split | None:
    """Return where the time of a call on one thread goes, or None where nothing was timed."""
    if not result.product.steps or not result.product.pass_s:
        return None
    roles_s = {role: math.fsum(step.image_s for step in result.product.steps if step.role == role) for role in ROLES}
    images, spent_s = max(step.images for step in result.product.steps), math.fsum(roles_s.values())
    call_s = max(result.product.pass_s / images, spent_s)
    return Split(images, call_s, roles_s, call_s - spent_s)


def step_ceiling_share(result: QuantizedResult, step: StepTime) -> float | None:
    """Return percent of one core's ceiling that a product reaches, or None where that is unknown."""
    limit = result.machine.ceilings.get(f"{ceiling_of_kernel(step.kernel)}_1", 0.0)
    if step.role != "product" or not limit or not step.median_s:
        return None
    return 100.0 * step.operations / step.median_s / 1e9 / limit


def reasons(result: QuantizedResult) -> tuple[str, ...]:
    """Return what holds the network back, or lets it run, one sentence each; facts without a clock come first."""
    shaky = "the machine was unstable while times were taken: believe no time and no share of a ceiling below"
    return tuple([*_arithmetic(result), *[shaky] * result.machine.unstable, *_speed(result), *_time(result)])


def _arithmetic(result: QuantizedResult) -> Iterator[str]:
    share = result.row.metrics["integer_share"].value or 0.0
    yield f"{100 * share:.1f} % of the operations run in integers ({result.row.execution})"
    if result.product.float_reasons:
        (name, why), *more = result.product.float_reasons.items()
        others = f", and {len(more)} more" if more else ""
        yield f"in float: '{name}' ({why}){others}"
    path = f"instruction path: {result.product.variant}"
    if result.product.variant != result.product.best_variant:
        path += f"; the best of this machine is {result.product.best_variant}"
    portable = [step.name for step in result.product.steps if step.kernel.endswith("/portable")]
    if portable and result.product.variant != "portable":
        dots = " ..." if len(portable) > _SLOW else ""
        path += f"; plain loops run {_plural(len(portable), 'step')} ({', '.join(portable[:_SLOW])}{dots})"
    yield path
    if any(_NARROW.search(kernel) for kernel in result.row.kernels.values()):
        yield "weights below 8 bits are unpacked and multiplied as 8-bit ones: they save bytes, not multiplications"
    packed, resident = (result.row.metrics[name].value or 0.0 for name in ("packed_bytes", "resident_bytes"))
    if packed and resident > _MUCH * packed:
        yield (
            f"the kernels read {resident / packed:.0f} times the packed bytes of the weights: depthwise and grouped "
            "layers are laid out as dense ones, zeros included"
        )


def _speed(result: QuantizedResult) -> Iterator[str]:
    cells: dict[int, dict[str, Measurement]] = {}
    for measured in result.row.measurements:
        batch = batch_of(measured.group)
        if batch is not None:
            cells.setdefault(batch, {})[measured.cell] = measured
    for batch, group in sorted(cells.items()):
        for name, reference in group.items():
            ratio = speed.speedup(reference, group["qbench"]) if name != "qbench" else None
            if ratio is not None and ratio.value is not None:
                word = "faster than" if ratio.value >= 1 else "slower than"
                factor = ratio.value if ratio.value >= 1 else 1 / ratio.value
                yield f"batch {batch}: {factor:.2f} times {word} {name}"


def _time(result: QuantizedResult) -> Iterator[str]:
    found = split(result)
    if found is None:
        return
    count = len([step for step in result.product.steps if step.role == "conversion"])
    yield (
        f"of a call of {_plural(found.images, 'image')} on one thread, products take "
        f"{found.share(found.roles_s['product']):.0f} %, additions, pooling and the like "
        f"{found.share(found.roles_s['other']):.0f} %, {_plural(count, 'conversion')}, the images' included, "
        f"{found.share(found.roles_s['conversion']):.0f} %; the rest, {found.share(found.rest_s):.0f} %, is the call"
    )
    yield from _threads(result, found)
    products = [step for step in result.product.steps if step.role == "product"]
    shares = {step.name: share for step in products if (share := step_ceiling_share(result, step)) is not None}
    if shares:
        worked = sum(step.operations / step.images for step in products)
        weighted = sum(step.operations / step.images / shares[step.name] for step in products if step.name in shares)
        clever = sum(_WINOGRAD in step.kernel for step in products)
        what = f"; {_plural(clever, 'layer')} by Winograd, counting the products that it saves"
        reached = f"products reach {worked / weighted:.0f} % of what one core can do at most, all layers together"
        yield reached + what * (clever > 0)
    total = sum(step.image_s for step in result.product.steps)
    slowest = sorted(result.product.steps, key=lambda step: -step.image_s)[:_SLOW]
    words = [f"{step.name} {100 * step.image_s / total:.0f} %{_at(shares.get(step.name))}" for step in slowest]
    yield f"the slowest steps: {', '.join(words)}"
    yield from _memory(result)


def _threads(result: QuantizedResult, found: Split) -> Iterator[str]:
    """Say what more threads gain on the largest batch."""
    own = own_measurements(result)
    if own and result.run.header.suite.threads > 1:
        batch, measured = list(own.items())[-1]
        gain = found.call_s / (measured.median_s / batch)
        threads = result.run.header.suite.threads
        yield f"{threads} threads at batch {batch} are {gain:.2f} times as fast per image as one thread"


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _at(share: float | None) -> str:
    return "" if share is None else f" (at {share:.0f} % of the ceiling)"


def _memory(result: QuantizedResult) -> Iterator[str]:
    """Say how near the traffic comes to what memory can give, were none of it in a cache."""
    limit = result.machine.ceilings.get("read_gb_s_1", 0.0)
    seconds = math.fsum(step.image_s for step in result.product.steps)
    moved = math.fsum(step.moved_bytes / step.images for step in result.product.steps)
    if limit and seconds:
        rate = moved / seconds / 1e9
        yield f"steps move {rate:.0f} GB/s on one core; its memory alone gives {limit:.0f}, caches more"
