"""Make `minilm_bbc_centroids.json`: the mean embedding of each class of BBC News, rounded so that it is one file.

Run by hand: `python -m qbench.zoo.recipes.minilm_centroids`. It fetches the network and the texts.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from qbench.zoo.networks.minilm import CENTROIDS, CHANNELS, encoder
from qbench.zoo.text.documents import CLASSES, centroid_documents

_DENOMINATOR = 1 << 12
_BATCH = 32


def main() -> None:
    """Write the file."""
    import onnxruntime

    ids, labels = centroid_documents()
    session = onnxruntime.InferenceSession(encoder(np.eye(CHANNELS, dtype=np.float32)))
    parts = [session.run(None, {"input_ids": ids[start : start + _BATCH]})[0] for start in range(0, len(ids), _BATCH)]
    embeddings = np.concatenate(parts)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    means = np.stack([embeddings[labels == label].mean(axis=0) for label in range(len(CLASSES))])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    facts = {
        "classes": CLASSES,
        "documents": np.bincount(labels).tolist(),
        "denominator": _DENOMINATOR,
        "centroids": np.rint(means * _DENOMINATOR).astype(int).tolist(),
    }
    CENTROIDS.write_text(json.dumps(facts) + "\n", encoding="utf-8")
    sys.stdout.write(f"{CENTROIDS}: {len(ids)} documents\n")


if __name__ == "__main__":
    main()
