"""Whether EfficientNet-Lite in Keras gives the logits that it gives in PyTorch.

Three pictures of scikit-image, in the size of each network. `--keep` writes PyTorch's
logits for the test that holds them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

HERE = Path(__file__).resolve().parent
KEPT = HERE.parent / "tests/encoders/pretrained/efficientnet_lite_logits.json"
PICTURES = ("chelsea", "coffee", "rocket")
# Of logits up to 14: float32 sums in another order.
GOAL = 1e-4


def pictures_of(size: int) -> np.ndarray:
    """Uint8 `(pictures, size, size, 3)`, by Pillow's bicubic filter."""
    import skimage.data

    return np.stack(
        [
            Image.fromarray(getattr(skimage.data, name)())
            .convert("RGB")
            .resize((size, size), Image.Resampling.BICUBIC)
            for name in PICTURES
        ]
    )


def torch_logits(name: str, pictures: np.ndarray, python: str) -> np.ndarray:
    """What PyTorch gives, in a process of its own."""
    from tfmeta.encoders.pretrained.lite import lite_weights

    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder, "pictures.npy"), Path(folder, "logits.npy")
        np.save(given, pictures)
        subprocess.run(
            [
                python,
                str(HERE / "efficientnet_lite_torch.py"),
                *(name, str(lite_weights(name)), str(given), str(found)),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return np.load(found)


def main() -> None:
    """Compares all three networks; exits with 1 when one differs by more than 1e-4."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--torch-python",
        default=sys.executable,
        help="the Python that has torch and efficientnet-lite-pytorch",
    )
    parser.add_argument("--keep", action="store_true", help=f"write {KEPT.name}")
    arguments = parser.parse_args()
    from tfmeta.encoders.pretrained.efficientnet_lite import VARIANTS
    from tfmeta.encoders.pretrained.lite import lite_classifier

    kept, worst = {}, 0.0
    for name, variant in VARIANTS.items():
        pictures = pictures_of(variant.size)
        theirs = torch_logits(name, pictures, arguments.torch_python)
        scaled = (pictures.astype(np.float32) - 127) / 128
        ours = lite_classifier(name).predict(scaled, verbose=0)
        difference = float(np.abs(ours - theirs).max())
        worst = max(worst, difference)
        answers = ", ".join(
            f"{picture} {int(row.argmax())}"
            for picture, row in zip(PICTURES, theirs, strict=True)
        )
        print(
            f"{name} at {variant.size}: largest difference {difference:.1e} of logits "
            f"up to {theirs.max():.1f}; classes: {answers}"
        )
        kept[name] = {
            picture: [round(float(logit), 5) for logit in row]
            for picture, row in zip(PICTURES, theirs, strict=True)
        }
    if arguments.keep:
        KEPT.write_text(json.dumps(kept) + "\n")
    sys.exit(worst > GOAL)


if __name__ == "__main__":
    main()
