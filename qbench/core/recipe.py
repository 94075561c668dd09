"""A recipe by its parts, and as the text that suites, keys and tables hold. What the words mean is `quantization`'s."""

from __future__ import annotations

from dataclasses import dataclass

NONE = "none"
"""The method of the recipe that leaves a network in float32."""

KEEP = "keep"
"""The method of the recipe that takes codes and scales from a quantized file as they are: nothing is chosen anew."""


@dataclass(frozen=True, slots=True)
class RecipeParts:
    """The words of a recipe, each part as text.

    Args:
        method: how ranges and codes are chosen, `none`, or `keep`.
        transform: what changes the float network before, stages between `/`, "" for nothing.
        rounding: how codes are rounded anew, stages between `+`, "" for rounding as the method does.
        correction: what is corrected after, stages between `/`, "" for nothing.
    """

    method: str
    transform: str = ""
    rounding: str = ""
    correction: str = ""

    @property
    def text(self) -> str:
        """The whole, e.g. `mse`, `mse/bias`, `cle/mse+gptq/both`."""
        codes = "+".join(filter(None, (self.method, self.rounding)))
        return "/".join(filter(None, (self.transform, codes, self.correction)))
