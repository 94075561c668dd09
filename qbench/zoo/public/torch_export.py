"""From a module of PyTorch with seeded weights to an ONNX file, by either of its exporters.

Run as a program by `Exported`: `python -m qbench.zoo.public.torch_export BUILDER ARGUMENT EXPORTER FILE`.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from qbench.errors import ModelError
from qbench.graph.writing.metadata import with_metadata
from qbench.zoo.public.architectures.built import Built
from qbench.zoo.public.architectures.libraries import library
from qbench.zoo.smooth import SCALING, smooth_images

Exporter = Literal["torchscript", "dynamo"]
OPSET = {"torchscript": 17, "dynamo": 18}
_SPREAD = 3.0  # of the logits of a classifier
_FITTED = 8  # samples
SEED = 1


def export(builder: str, argument: str, *, exporter: Exporter, seed: int = SEED) -> bytes:
    """Return the ONNX model of an architecture.

    Args:
        builder: "module:function" of a function from `argument` to `Built`.
        argument: what it takes, "" for nothing.
        exporter: which of PyTorch's exporters writes it.
        seed: of all weights.
    """
    torch = library("torch")
    torch.set_num_threads(1)  # sums in one order, so that a file does not depend on the number of cores
    torch.manual_seed(seed)
    module, _, function = builder.partition(":")
    make = getattr(importlib.import_module(module), function)
    built: Built = make(argument) if argument else make()
    settle(built, seed=seed)
    content = _written(built, exporter)
    return with_metadata(content, {"weights": "seeded", "seed": str(seed), "exporter": f"torch {exporter}"})


def settle(built: Built, *, seed: int) -> None:
    """Give batch norms the statistics of seeded samples, spread and centre the logits, and end training mode."""
    torch = library("torch")
    module = built.module.eval()
    norms = [part for part in module.modules() if isinstance(part, torch.nn.modules.batchnorm._BatchNorm)]
    if not norms and not built.classifier:
        return
    examples = tuple(_filled(tensor, seed) for tensor in built.inputs)
    with torch.no_grad():
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # one pass: its statistics as they are
            norm.train()
            torch.nn.init.uniform_(norm.weight, 0.6, 1.4)
            torch.nn.init.normal_(norm.bias, 0.5, 0.3)
        if norms:
            module(*examples)
        module.eval()
        if built.classifier:
            _spread(module, module.get_submodule(built.classifier), examples)


def _spread(module: Any, layer: Any, examples: tuple[Any, ...]) -> None:
    """Scale the last layer so that logits differ between samples, and take out what all samples have in common."""
    torch = library("torch")
    if not layer.weight.any():
        torch.nn.init.normal_(layer.weight, 0.0, 0.02)
    if layer.bias is None:
        return
    logits = module(*examples)
    scale = _SPREAD / float((logits - logits.mean(0)).std().clamp_min(1e-6))
    layer.weight.mul_(scale)
    layer.bias.copy_((layer.bias - logits.mean(0)) * scale)


def _filled(like: Any, seed: int) -> Any:
    """Return smooth seeded images in the place of an example of images, random numbers in the place of others."""
    torch = library("torch")
    if not like.is_floating_point():
        return torch.randint(int(like.min()), int(like.max()) + 1, (_FITTED, *like.shape[1:]))
    if like.dim() != 4 or like.shape[1] != 3:
        return torch.randn(_FITTED, *like.shape[1:])
    size = like.shape[-1]
    images = smooth_images(_FITTED, size=-(-size // 32) * 32, seed=seed)[:, :size, :size] / 255.0
    scaled = (images - np.asarray(SCALING[0])) / np.asarray(SCALING[1])
    return torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)).astype(np.float32))


def _written(built: Built, exporter: Exporter) -> bytes:
    torch = library("torch")
    buffer = io.BytesIO()
    with _quiet(), torch.no_grad():
        if exporter == "torchscript":
            names = (*built.input_names, *built.output_names)
            torch.onnx.export(
                built.module, built.inputs, buffer, dynamo=False, opset_version=OPSET[exporter],
                input_names=list(built.input_names), output_names=list(built.output_names),
                dynamic_axes={name: {0: "batch"} for name in names},
            )  # fmt: skip
            return buffer.getvalue()
        batch = torch.export.Dim("batch", min=1, max=4096)
        sizes = tuple({0: batch} for _ in built.inputs)
        program = torch.onnx.export(
            built.module, built.inputs, dynamo=True, opset_version=OPSET[exporter],
            input_names=list(built.input_names), output_names=list(built.output_names),
            dynamic_shapes=(sizes,) if _takes_any_number(built.module) else sizes, verbose=False,
        )  # fmt: skip
        assert program is not None
        return bytes(program.model_proto.SerializeToString())


def _takes_any_number(module: Any) -> bool:
    """Return whether a module's arguments are one `*tensors`, which torch counts as one."""
    return any(one.kind is one.VAR_POSITIONAL for one in inspect.signature(module.forward).parameters.values())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' advice to their authors off the terminal."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


if __name__ == "__main__":
    builder, argument, exporter, file = sys.argv[1:]
    try:
        written: Exporter = "dynamo" if exporter == "dynamo" else "torchscript"
        Path(file).write_bytes(export(builder, argument, exporter=written))
    except Exception as error:  # told in a line by the process that asked
        line = str(error) if isinstance(error, ModelError) else f"{type(error).__name__}: {str(error).splitlines()[0]}"
        raise SystemExit(line) from error
