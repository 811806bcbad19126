"""Times codecs that decode, resize and encode photos, and tells how well they resize.

Every photo is decoded, its shortest side made 256 pixels (``--side``), and encoded as
a JPEG of quality 90. The best of the rounds counts, for other work on the machine can
only slow a round down. How well is the mean PSNR of the resized pixels against Pillow's
Lanczos filter on the full decode. OpenCV takes part where it is installed
(``pip install opencv-python-headless``).
"""

import argparse
import importlib
import io
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import simplejpeg
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.measure import ROOT
from transforms.images.policy import Filter, ImagePolicy
from transforms.images.resizing import Pixels, fit_size, resize_image
from transforms.images.treatment import treat_image

Step = Callable[[Any], Any]
Job = tuple[Step, Sequence[Any], int]  # with the number of threads

_QUALITY: Final = 90
_FILTERS: Final[tuple[Filter, ...]] = ("lanczos", "bicubic", "bilinear")


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to make a small JPEG of a photo.

    Attributes:
        decode: Makes pixels of a file.
        resize: Makes fewer pixels of them.
        encode: Makes a file of those.
    """

    decode: Step
    resize: Step
    encode: Step

    def run(self, data: bytes) -> Any:
        """Returns the small JPEG."""
        return self.encode(self.resize(self.decode(data)))


def main() -> int:
    """Runs the benchmark as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--side", type=int, default=256, metavar="PIXELS")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    shared = Path(os.environ.get("SHARED_DIR", ROOT.parent / "shared"))
    photos = [path.read_bytes() for path in sorted(shared.glob("data/photos/*"))]
    if not photos:
        raise SystemExit(f"error: needs ILSVRC photos in {shared / 'data' / 'photos'}")

    side = arguments.side
    variants = _pillow_variants(side) | _our_variants(side) | _opencv_variants(side)
    reference = next(iter(variants.values()))
    exact = [np.asarray(reference.resize(reference.decode(data))) for data in photos]
    jobs: dict[tuple[str, str], Job] = {}
    quality = {}
    for name, variant in variants.items():
        pixels = [variant.decode(data) for data in photos]
        small = [variant.resize(each) for each in pixels]
        quality[name] = np.mean(
            [_psnr(found, wanted) for found, wanted in zip(small, exact, strict=True)]
        )
        jobs[name, "decode"] = variant.decode, photos, 1
        jobs[name, "resize"] = variant.resize, pixels, 1
        jobs[name, "encode"] = variant.encode, small, 1
        jobs[name, "all"] = variant.run, photos, 1
        jobs[name, "2 threads"] = variant.run, photos, 2
    policy = ImagePolicy(policy="resize", shortest_side=side, quality=_QUALITY)
    ours = partial(treat_image, policy=policy)
    jobs["treat_image", "all"] = ours, photos, 1
    jobs["treat_image", "2 threads"] = ours, photos, 2

    best = dict.fromkeys(jobs, 0.0)
    for _ in range(arguments.rounds):  # in turn, so that a slow minute hits them all
        for key, job in jobs.items():
            best[key] = max(best[key], _speed(*job))
    columns = ("decode", "resize", "encode", "all", "2 threads")
    table = Table("variant", *columns, "PSNR")
    for name in [*variants, "treat_image"]:
        speeds = (best.get((name, column)) for column in columns)
        table.add_row(
            name,
            *("" if speed is None else f"{speed:,.0f}" for speed in speeds),
            f"{quality[name]:.1f}" if name in quality else "",
        )
    Console(width=100).print(table)
    return 0


def _pillow_variants(side: int) -> dict[str, Variant]:
    def decode(data: bytes) -> Image.Image:
        return Image.open(io.BytesIO(data)).convert("RGB")

    def draft(data: bytes) -> Image.Image:
        image = Image.open(io.BytesIO(data))
        width, height = small = _small(*image.size, side)
        image.draft(None, (2 * width, 2 * height))
        image.info["small"] = small  # that of the full image may differ by one
        return image.convert("RGB")

    def turbo(data: bytes) -> Image.Image:
        return Image.fromarray(simplejpeg.decode_jpeg(data, "RGB"))

    def resize(filter_name: str) -> Step:
        method = Image.Resampling[filter_name.upper()]

        def to_small(image: Image.Image) -> Image.Image:
            size = image.info.get("small") or _small(image.width, image.height, side)
            return image.resize(size, method)

        return to_small

    return {
        "Pillow, lanczos": Variant(decode, resize("lanczos"), _encode),
        "Pillow in draft mode, lanczos": Variant(draft, resize("lanczos"), _encode),
        "Pillow in draft mode, bicubic": Variant(draft, resize("bicubic"), _encode),
        **{
            f"simplejpeg, Pillow {name}": Variant(turbo, resize(name), _encode)
            for name in ("bicubic", "hamming")
        },
    }


def _our_variants(side: int) -> dict[str, Variant]:
    def resize(filter_name: Filter) -> Step:
        policy = ImagePolicy(policy="resize", shortest_side=side, filter=filter_name)

        def to_small(pixels: Pixels) -> Pixels:
            size = pixels.shape[1], pixels.shape[0]
            return resize_image(pixels, size, fit_size(*size, policy), policy)

        return to_small

    def decode(data: bytes) -> Any:
        return simplejpeg.decode_jpeg(data, "RGB")

    def encode(pixels: Pixels) -> bytes:
        return _encode(Image.fromarray(pixels))

    def turbo_encode(pixels: Pixels) -> Any:
        return simplejpeg.encode_jpeg(pixels, _QUALITY, "RGB", "420")

    return {
        **{
            f"simplejpeg, fast_image_resize {name}": Variant(
                decode, resize(name), encode
            )
            for name in _FILTERS
        },
        "simplejpeg to encode, too": Variant(decode, resize("bicubic"), turbo_encode),
    }


def _opencv_variants(side: int) -> dict[str, Variant]:
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError:
        return {}
    cv2.setNumThreads(1)

    def decode(data: bytes) -> Any:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)

    def resize(pixels: Any) -> Any:
        size = _small(pixels.shape[1], pixels.shape[0], side)
        return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)

    def encode(pixels: Any) -> Any:
        return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]

    return {"OpenCV, area": Variant(decode, resize, encode)}


def _encode(image: Image.Image) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=_QUALITY, subsampling="4:2:0")
    return encoded.getvalue()


def _small(width: int, height: int, side: int) -> tuple[int, int]:
    factor = min(1, side / min(width, height))
    return round(width * factor), round(height * factor)


def _speed(step: Step, inputs: Sequence[Any], threads: int) -> float:
    """Returns how many inputs a second a step takes."""
    # Time of the processor, where one thread is to be told apart from other work.
    clock = time.process_time if threads == 1 else time.perf_counter
    with ThreadPoolExecutor(threads) as pool:
        start = clock()
        for _ in pool.map(step, inputs):
            pass
        return len(inputs) / (clock() - start)


def _psnr(found: Any, expected: Any) -> float:
    """Returns a peak signal-to-noise ratio in dB, 99 for equal pixels."""
    error = np.square(np.asarray(found) / 1.0 - expected).mean()
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


if __name__ == "__main__":
    raise SystemExit(main())
