"""What calibration samples show of a bench's network, by their number, their draw and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from qbench.core.calibration import BATCH_NORM, DATA, NOISE, NONE
from qbench.core.several import Inputs
from qbench.errors import MachineError, UnsuitableError
from qbench.graph import Network
from qbench.graph.norms import Normed
from qbench.quantization import Observations
from qbench.zoo import Samples
from qbench.zoo.dataset import Dataset
from qbench.zoo.noise import noise


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Observations of a network, made once for each draw.

    Args:
        network: in float32.
        data: brings samples of its own, and says what noise looks like.
        threads: of the float session.
        norms: returns the batch normalizations of the network's file, None where it has no file, or one without any.
    """

    network: Network
    data: Samples
    threads: int
    norms: Callable[[], Normed | None] = lambda: None
    _made: dict[tuple[int, int, str], Observations] = field(default_factory=dict)

    def observations(self, samples: int, seed: int, source: str = "") -> Observations:
        """Return what a draw of samples shows; `source` is a word of `qbench.core.calibration`, "" for the data."""
        key = (samples, seed, source)
        if key not in self._made:
            draw = partial(_DRAWS[source or DATA], self, samples, seed)
            self._made[key] = Observations(self.network, draw, threads=self.threads)
        return self._made[key]

    def own(self, samples: int, seed: int) -> Inputs:
        """Return samples of the data; raise DataError where it has not so many."""
        return self.data.calibration_inputs(samples, seed)

    def noise(self, samples: int, seed: int) -> Inputs:
        """Return normal numbers; raise UnsuitableError where inputs are whole numbers."""
        return noise(self.data, samples, seed=seed)

    def learned(self, samples: int, seed: int) -> Inputs:
        """Return images that agree with the network's batch normalizations.

        Raises:
            UnsuitableError: the network keeps none, a node has no gradient, or it takes no images of floats.
            MachineError: torch is not installed.
        """
        where, data, normed = f"source '{BATCH_NORM}': network '{self.network.name}'", self.data, self.norms()
        if normed is None or not normed.norms:
            raise UnsuitableError(f"{where} keeps no batch norms: they were folded before its file was written")
        if not isinstance(data, Dataset) or data.channels_last or data.dtype != "float32":
            raise UnsuitableError(f"{where}: expected images of float32, channels first, got data '{data.name}'")
        if find_spec("torch") is None:
            raise MachineError(f"{where} is asked in torch, which is not installed: pip install 'qbench[train]'")
        from qbench.quantization.blocks.forward import can_run  # with torch, which takes a second
        from qbench.quantization.blocks.images import learned_images

        strange = next((node.name for node in normed.network.nodes if not can_run([node])), None)
        if strange is not None:
            raise UnsuitableError(f"{where}: node '{strange}' has no form in torch")
        mean, std = np.asarray(data.mean), np.asarray(data.std)
        start: npt.NDArray[np.float32] = np.asarray(self.noise(samples, seed))
        return learned_images(normed, start, low=-mean / std, high=(1 - mean) / std)

    def nothing(self, _samples: int, _seed: int) -> Inputs:
        """Raise UnsuitableError: something asks for samples all the same."""
        raise UnsuitableError(f"source '{NONE}': the recipe asks for calibration samples")


_DRAWS: Mapping[str, Callable[[Calibration, int, int], Inputs]] = {
    DATA: Calibration.own,
    NOISE: Calibration.noise,
    BATCH_NORM: Calibration.learned,
    NONE: Calibration.nothing,
}
