"""Small networks of the well-known kinds, as both of PyTorch's exporters write them: run by hand, with torch and onnx.

    python tests/graph/exported/make.py [NETWORK ...]

Widths are tiny and weights random: what matters is the shape of the graphs.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import onnx
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

Act = Callable[[], nn.Module]


def block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: Act | None = nn.ReLU):
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), *([act()] if act else []))


class Gate(nn.Module):
    """Squeeze and excite."""

    def __init__(self, channels: int, act: Act, gate: Act) -> None:
        super().__init__()
        self.pool, self.act, self.gate = nn.AdaptiveAvgPool2d(1), act(), gate()
        self.fc1, self.fc2 = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.fc2(self.act(self.fc1(self.pool(x)))))


class Inverted(nn.Module):
    """MobileNet's block."""

    def __init__(self, inputs: int, outputs: int, stride: int, act: Act, gate: tuple[Act, Act] | None = None) -> None:
        super().__init__()
        wide = 2 * inputs
        gates = [Gate(wide, *gate)] if gate else []
        self.f = nn.Sequential(
            block(inputs, wide, 1, act=act), block(wide, wide, 3, stride, wide, act=act), *gates,
            block(wide, outputs, 1, act=None),
        )  # fmt: skip
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.f(x) if self.adds else self.f(x)


class Head(nn.Module):
    def __init__(self, channels: int, *, mean: bool = False) -> None:
        super().__init__()
        self.drop, self.fc, self.mean = nn.Dropout(0.2), nn.Linear(channels, 5), mean

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean([2, 3]) if self.mean else torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)
        return self.fc(self.drop(pooled))


def mobilenet_v2() -> nn.Module:
    a = nn.ReLU6
    return nn.Sequential(block(3, 8, 3, 2, act=a), Inverted(8, 8, 1, a), Inverted(8, 12, 2, a), Head(12, mean=True))


def mobilenet_v3() -> nn.Module:
    a, gate = nn.Hardswish, (nn.ReLU, nn.Hardsigmoid)
    first, last = Inverted(8, 8, 1, nn.ReLU, gate), Inverted(8, 12, 2, a, gate)
    return nn.Sequential(block(3, 8, 3, 2, act=a), first, last, Head(12), nn.Hardswish(), nn.Linear(5, 5))


def efficientnet() -> nn.Module:
    a, gate = nn.SiLU, (nn.SiLU, nn.Sigmoid)
    return nn.Sequential(block(3, 8, 3, 2, act=a), Inverted(8, 8, 1, a, gate), Inverted(8, 12, 2, a, gate), Head(12))


class Fire(nn.Module):
    def __init__(self, inputs: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.one, self.three = nn.Conv2d(squeeze, expand, 1), nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.one(x)), F.relu(self.three(x))], 1)


def squeezenet() -> nn.Module:
    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    last = (nn.Dropout(), nn.Conv2d(16, 5, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(1))
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), pool, Fire(8, 4, 8), Fire(16, 4, 8), *last)


class Dense(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.n1, self.c1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, 8, 1, bias=False)
        self.n2, self.c2 = nn.BatchNorm2d(8), nn.Conv2d(8, 4, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.c2(F.relu(self.n2(self.c1(F.relu(self.n1(x))))))], 1)


def densenet() -> nn.Module:
    transition = (nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 8, 1, bias=False), nn.AvgPool2d(2, 2))
    stem = (block(3, 8, 3, 2), nn.MaxPool2d(3, 2, 1))
    return nn.Sequential(*stem, Dense(8), Dense(12), *transition, Dense(8), nn.BatchNorm2d(12), nn.ReLU(), Head(12))


class Shuffle(nn.Module):
    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        half = channels // 2
        self.stride, inputs = stride, channels if stride == 2 else half
        self.left = nn.Sequential(block(channels, channels, 3, 2, channels, act=None), block(channels, half, 1))
        depth = block(half, half, 3, stride, half, act=None)
        self.right = nn.Sequential(block(inputs, half, 1), depth, block(half, half, 1))

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            first, second = x.chunk(2, 1)
            x = torch.cat([first, self.right(second)], 1)
        else:
            x = torch.cat([self.left(x), self.right(x)], 1)
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, -1, h, w)


def shufflenet() -> nn.Module:
    return nn.Sequential(block(3, 8, 3, 2), nn.MaxPool2d(3, 2, 1), Shuffle(8, 2), Shuffle(8, 1), Head(8, mean=True))


class Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm, self.head = nn.Conv2d(3, 8, 3), nn.LocalResponseNorm(5), Head(16)
        self.a, self.b = block(8, 4, 1), nn.Sequential(block(8, 4, 1), block(4, 4, 3))
        self.c = nn.Sequential(nn.Conv2d(8, 4, (1, 7), padding=(0, 3)), nn.Conv2d(4, 4, (7, 1), padding=(3, 0)))
        self.d = block(8, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(F.relu(self.stem(x * 0.5 + 0.25)))
        x = torch.cat([self.a(x), self.b(x), self.c(x), self.d(F.avg_pool2d(x, 3, 1, 1))], 1)
        return self.head(F.max_pool2d(x, 3, 2, ceil_mode=True))


class UNet(nn.Module):
    def __init__(self, *, mode: str) -> None:
        super().__init__()
        self.mode = mode
        self.down, self.deep, self.up = block(3, 4), block(4, 8), block(8, 4)
        self.grow = nn.ConvTranspose2d(8, 4, 2, 2) if mode == "transposed" else nn.Conv2d(8, 4, 1)
        self.out = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        skip = self.down(x)
        x = self.deep(F.max_pool2d(skip, 2))
        x = self.grow(x if self.mode == "transposed" else F.interpolate(x, scale_factor=2, mode=self.mode))
        return torch.sigmoid(self.out(self.up(torch.cat([x, skip], 1))))


class Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.c1, self.c2 = block(inputs, outputs, 3, stride), block(outputs, outputs, act=None)
        self.shortcut = block(inputs, outputs, 1, stride, act=None) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.c2(self.c1(x)) + self.shortcut(x))


def resnet() -> nn.Module:
    return nn.Sequential(block(3, 8, 7, 2), nn.MaxPool2d(3, 2, 1), Residual(8, 8, 1), Residual(8, 12, 2), Head(12))


class Pyramid(nn.Module):
    """A detection backbone: several outputs, slices, odd activations, pixel shuffle."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = block(3, 8, 3, 2, act=nn.LeakyReLU), block(8, 8, 3, 2, act=nn.Mish)
        self.l1, self.l2, self.pool = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 4, 1), nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        first = self.a(x)
        second = self.b(first)
        second = self.l2(torch.cat([second[:, :4], self.pool(second)[:, 4:]], 1))
        fine = self.l1(first) + F.interpolate(second, size=first.shape[2:])
        return fine, F.elu(second), F.pixel_shuffle(second, 2)


class Odd(nn.Module):
    """What no typed node covers, between what one does."""

    def __init__(self) -> None:
        super().__init__()
        self.c = nn.Conv2d(3, 8, 3, padding=2, dilation=2, padding_mode="reflect")
        self.p, self.g, self.t, self.n = nn.PReLU(8), nn.GELU(), nn.GELU("tanh"), nn.GroupNorm(2, 8)
        self.c3, self.h = nn.Conv2d(8, 8, 3), nn.Hardtanh(-2, 2)

    def forward(self, x: Tensor) -> Tensor:
        left = F.softplus(self.t(self.g(self.n(self.p(self.c(x))))))
        return left - torch.exp(self.h(F.pad(self.c3(x.repeat(1, 3, 1, 1)[:, :8]), (1, 1, 1, 1))))


class Layer(nn.Module):
    """A transformer's layer, normalized after (BERT) or before (ViT) its parts."""

    def __init__(self, width: int = 16, heads: int = 4, *, before: bool) -> None:
        super().__init__()
        self.heads, self.before = heads, before
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.n1, self.n2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.f1, self.f2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def split(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        return x.view(batch, tokens, self.heads, width // self.heads).permute(0, 2, 1, 3)

    def attend(self, x: Tensor, mask: Tensor | None) -> Tensor:
        q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        if mask is None:
            return self.o(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        scores = q @ k.transpose(-1, -2) / (q.shape[-1] ** 0.5) + mask
        mixed = (scores.softmax(-1) @ v).permute(0, 2, 1, 3).contiguous()
        return self.o(mixed.view(mixed.shape[0], mixed.shape[1], -1))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.before:
            x = x + self.attend(self.n1(x), mask)
            return x + self.f2(F.gelu(self.f1(self.n2(x))))
        x = self.n1(x + self.attend(x, mask))
        return self.n2(x + self.f2(F.gelu(self.f1(x))))


class Bert(nn.Module):
    def __init__(self, width: int = 16, longest: int = 48) -> None:
        super().__init__()
        self.words, self.kinds = nn.Embedding(50, width), nn.Embedding(2, width)
        self.places, self.norm = nn.Embedding(longest, width), nn.LayerNorm(width, eps=1e-12)
        self.layer = nn.ModuleList([Layer(before=False) for _ in range(2)])
        self.register_buffer("ids", torch.arange(longest)[None])

    def forward(self, ids: Tensor, mask: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        x = self.norm(self.words(ids) + self.kinds(kinds) + self.places(self.ids[:, : ids.shape[1]]))
        added = (1 - mask[:, None, None, :].float()) * -1e4
        for layer in self.layer:
            x = layer(x, added)
        return x, torch.tanh(x[:, 0])


class ViT(nn.Module):
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.patches, self.norm, self.head = nn.Conv2d(3, width, 8, 8), nn.LayerNorm(width), nn.Linear(width, 5)
        self.first, self.places = nn.Parameter(torch.randn(1, 1, width)), nn.Parameter(torch.randn(1, 17, width))
        self.layer = nn.ModuleList([Layer(before=True) for _ in range(2)])

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.places
        for layer in self.layer:
            x = layer(x)
        return self.head(self.norm(x)[:, 0])


class Packed(nn.Module):
    """A vision transformer's layers whose query, key and value are one product."""

    def __init__(self, width: int = 16, heads: int = 4) -> None:
        super().__init__()
        self.heads, self.patches = heads, nn.Conv2d(3, width, 8, 8)
        self.norm, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        batch, tokens, width = x.shape
        cut = self.qkv(self.norm(x)).reshape(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = cut.permute(2, 0, 3, 1, 4).unbind(0)
        scores = (q * (width // self.heads) ** -0.5) @ k.transpose(-2, -1)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, tokens, width)
        return (x + self.out(mixed)).mean(1)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "bert": Bert, "densenet": densenet, "efficientnet": efficientnet, "inception": Inception,
    "mobilenet_v2": mobilenet_v2, "mobilenet_v3": mobilenet_v3, "odd": Odd, "packed": Packed, "pyramid": Pyramid,
    "resnet": resnet,
    "shufflenet": shufflenet, "squeezenet": squeezenet, "unet_nearest": lambda: UNet(mode="nearest"),
    "unet_transposed": lambda: UNet(mode="transposed"), "vit": ViT,
}  # fmt: skip


def export(name: str, folder: Path) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name]()
    if name == "bert":
        given: tuple[Tensor, ...] = tuple(torch.ones(2, 9, dtype=torch.long) for _ in range(3))
        names, axes = ["ids", "mask", "kinds"], {0: "batch", 1: "tokens"}
    else:
        given, names, axes = (torch.randn(2, 3, 32, 32),), ["x"], {0: "batch"}
    network.train()
    network(*given)  # running means
    network.eval()
    for parameter in network.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    for exporter, opset in (("script", 17), *([("script13", 13)] if name == "bert" else [])):
        torch.onnx.export(
            network, given, folder / f"{name}_{exporter}.onnx", dynamo=False, input_names=names, opset_version=opset,
            dynamic_axes=dict.fromkeys(names, axes),
        )  # fmt: skip
    shapes = tuple(dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for _ in names)
    for exporter, version in (("dynamo", None), *([("dynamo23", 23)] if name == "vit" else [])):
        path = folder / f"{name}_{exporter}.onnx"
        torch.onnx.export(
            network, given, path, dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False,
            input_names=names, opset_version=version,
        )  # fmt: skip
        _strip(path)


def _strip(path: Path) -> None:
    """Take out what tells of the machine that wrote a file."""
    model = onnx.load(path)
    for node in model.graph.node:
        del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    onnx.save(model, path)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for network_name in sys.argv[1:] or NETWORKS:
        export(network_name, Path(__file__).parent)
