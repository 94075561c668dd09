"""Networks over images out of torchvision and timm, by the name that these give them."""

from __future__ import annotations

from typing import Any

from qbench.zoo.public.architectures.built import Built
from qbench.zoo.public.architectures.libraries import library

SIZE = 224


def classifier(name: str) -> Built:
    """Return a classifier of torchvision for 1,000 classes."""
    special = {"inception_v3": 299}
    options = {"init_weights": False, "aux_logits": False} if name in {"inception_v3", "googlenet"} else {}
    module = getattr(library("torchvision.models"), name)(weights=None, **options)
    return of_images(module, size=special.get(name, SIZE))


def timm_classifier(name: str) -> Built:
    """Return a classifier of timm for 1,000 classes."""
    return of_images(library("timm").create_model(name, pretrained=False))


def segmenter(name: str) -> Built:
    """Return a network of torchvision that gives 21 classes to every pixel."""

    class Plain(_module()):  # type: ignore[misc]
        """The network without the dictionary around its answer."""

        def __init__(self) -> None:
            super().__init__()
            self.network = getattr(library("torchvision.models.segmentation"), name)(
                weights=None, weights_backbone=None
            )

        def forward(self, images: Any) -> Any:
            """Return (n, 21, h, w)."""
            return self.network(images)["out"]

    return of_images(Plain(), output="scores", centred=False)


def of_images(
    module: Any, *, size: int = SIZE, output: str = "logits", centred: bool = True, channels: int = 3
) -> Built:
    """Return a module that takes images (n, channels, size, size)."""
    torch = library("torch")
    layer = last_layer(module) if centred else ""
    return Built(module, (torch.zeros(2, channels, size, size),), ("images",), (output,), layer)


def last_layer(module: Any) -> str:
    """Return the name of the last layer with weights."""
    torch = library("torch")
    layers = [name for name, part in module.named_modules() if isinstance(part, torch.nn.Linear | torch.nn.Conv2d)]
    return str(layers[-1])


def _module() -> Any:
    return library("torch").nn.Module
