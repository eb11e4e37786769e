"""The papers' segmentation score: photos made from label maps, read by a network that knows photos.

A network learns from the real training photos of a paired set what each of their pixels shows. Then
it looks at photos that a generator made from the label maps of test images. The better they are,
the more of the labels it finds again. Its own score on the real photos of these test images is the
ceiling.

Reference:
    [Isola et al., 2017](https://arxiv.org/abs/1611.07004), section 4.1, "FCN-score"; [Zhu et al.,
    2017](https://arxiv.org/abs/1703.10593), section 5.1.1. There, the network is an FCN-8s that was
    trained on Cityscapes; here, it is a small one that is trained on the user's own pairs.
"""

import dataclasses
import functools
import hashlib
import json
import logging
import pathlib
import zipfile
from collections.abc import Collection, Mapping
from typing import Any

import keras
import numpy as np

from cyclegan_keras._files import PathLike, written_whole
from cyclegan_keras.data import augment
from cyclegan_keras.data.images import denormalize, normalize
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.inference.arrays import translate_images
from cyclegan_keras.metrics.round_trip import MAX_IMAGES, spread
from cyclegan_keras.metrics.segmentation import (
    Palette,
    confusion_matrix,
    nearest_labels,
    scores,
)
from cyclegan_keras.networks.segmentation import build_segmentation_network

VERSION = 1  # Of how it is trained, which is a part of the name of what is kept.
TOLD_EVERY = 500  # steps
AT_ONCE = 8  # Photos that are read at once.
KEYS = ("pixel_accuracy", "class_accuracy", "class_iou")

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Settings:
    """How the network is made and trained.

    Attributes:
        filters: Of its first layer.
        steps: Of its training.
        batch_size: Photos in a step, or as many as there are, if that is fewer.
        learning_rate: Of Adam at the start; it falls to 0 along a cosine.
        seed: Of its initial weights, and of the order, cuts and flips of photos.
    """

    filters: int = 16
    steps: int = 1500
    batch_size: int = 8
    learning_rate: float = 1e-3
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Plan:
    """What can be scored.

    Attributes:
        way: From labels to photos, `"AB"` or `"BA"`.
        palette: The colour of each class.
    """

    way: str
    palette: Palette

    @property
    def labels(self) -> str:
        """The domain of the label maps."""
        return self.way[0]

    @property
    def photos(self) -> str:
        """The domain of the photos."""
        return self.way[1]


def plans(
    loader: DataLoader, ways: Collection[str], palettes: Mapping[str, Palette] | None = None
) -> list[Plan]:
    """Finds out what can be scored, before anything is computed.

    Args:
        loader: Loads the images.
        ways: In which the generators translate.
        palettes: For each domain whose images are label maps, the colour of each class; `None`
            takes those of the data set.

    Returns:
        At least one.

    Raises:
        FileNotFoundError: If there are no training images.
        ValueError: If the set has no label maps, no pairs to train or to test on, or no generator
            makes photos of labels.
    """
    found, place = loader.palettes if palettes is None else palettes, str(loader.directory)
    if not found:
        raise ValueError(
            "The segmentation score needs label maps. Name the colors of their classes in "
            'dataset.json, such as {"labels": {"B": [[0, 0, 224], [255, 0, 0]]}}, or give --labels '
            f"FILE. Received: images without labels in {place!r}"
        )
    planned = [Plan(way, found[way[0]]) for way in ways if way[0] in found and way[1] not in found]
    if not planned:
        raise ValueError(
            "The segmentation score looks at photos that are made from label maps, so there must "
            f"be a generator that translates from {' or '.join(sorted(found))}. Received: "
            f"generators from {' and '.join(sorted(way[0] for way in ways))}"
        )
    if not loader.test_pairs:
        raise ValueError(
            f"The segmentation score needs test images that are pairs, which those of {place!r} "
            'are not. If they are, add "test_pairs": true to its dataset.json.'
        )
    try:
        loader.check_train_pairs()
    except ValueError as error:
        raise ValueError(f"The segmentation score needs pairs to train on. {error}") from None
    return planned


class Segmenter:
    """A network that was trained on the real photos of a data set.

    The same settings and the same images give the same network, on a CPU bit for bit.

    Args:
        loader: Loads the images; the training images are pairs.
        plan: From `plans`.
        settings: How it is made and trained.
        folder: Where it is kept, and taken from if it is there; `None` keeps it nowhere.

    Attributes:
        name: Tells the settings and a digest of these and of the images.
        path: Its file; `None` without a folder.
        was_kept: Whether the network was there already, once it was wanted.

    Raises:
        FileNotFoundError: If there are no training images.
        ValueError: If an image cannot be read, or two classes have the same gray.
    """

    def __init__(
        self,
        loader: DataLoader,
        plan: Plan,
        settings: Settings | None = None,
        folder: PathLike | None = None,
    ) -> None:
        self.settings = settings = Settings() if settings is None else settings
        self.palette = plan.palette
        self._img_res = loader.img_res
        photos, labels = (loader.pixels(domain) for domain in (plan.photos, plan.labels))
        self._photos, self._labels = photos, nearest_labels(labels, plan.palette).astype(np.uint8)
        self.name = (
            f"segmentation-{settings.filters}f-{settings.steps}steps-seed{settings.seed}"
            f"-{self._digest()}"
        )
        self.path = None if folder is None else pathlib.Path(folder) / f"{self.name}.npz"
        self.was_kept = False

    @functools.cached_property
    def network(self) -> keras.Model:
        """The network, trained or taken from its file when it is first wanted."""
        settings, img_shape = self.settings, (*self._img_res, self._photos.shape[-1])
        network = build_segmentation_network(
            img_shape, len(self.palette), settings.filters, settings.seed
        )
        self.was_kept = self._load(network)
        if not self.was_kept:
            self._train(network)
            self._keep(network)
        return network

    def _digest(self) -> str:
        whole = hashlib.sha256()
        said = [VERSION, dataclasses.asdict(self.settings), self._img_res, list(self.palette)]
        whole.update(json.dumps([*said, self._photos.shape]).encode())
        for part in (self._photos, self._labels):
            for img in part:
                whole.update(np.ascontiguousarray(img).tobytes())
        return whole.hexdigest()[:16]

    def _train(self, network: keras.Model) -> None:
        settings, count = self.settings, len(self._photos)
        _log.info(f"Training a segmentation network on {count} real photos …")
        rng = np.random.default_rng(settings.seed)
        network.compile(
            keras.optimizers.Adam(
                keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.steps)
            ),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        size = min(settings.batch_size, count)
        order = augment.shuffled(count, settings.steps * size, rng).reshape(-1, size)
        full_res = self._photos.shape[1:3]
        for step, chosen in enumerate(order, 1):
            chances = augment.throw(size, full_res, self._img_res, True, rng)
            photos, labels = (
                augment.cut(part, chosen, self._img_res, chances)
                for part in (self._photos, self._labels[..., None])
            )
            loss = network.train_on_batch(normalize(photos), labels)
            if step % TOLD_EVERY == 0 or step == settings.steps:
                _log.info(f"Step {step:,} of {settings.steps:,}: loss {float(loss):.3f}")

    def _load(self, network: keras.Model) -> bool:
        if self.path is None or not self.path.exists():
            return False
        try:
            # Opened here: NumPy does not close what it cannot read.
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as found:
                weights = [found[f"weight_{place}"] for place in range(len(found.files))]
            network.set_weights(weights)
        except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile):
            _log.warning(f"{str(self.path)!r} is damaged, and made anew.")
            return False
        return True

    def _keep(self, network: keras.Model) -> None:
        if self.path is None:
            return
        weights = {f"weight_{p}": w for p, w in enumerate(network.get_weights())}
        try:
            with written_whole(self.path) as partial:
                np.savez(partial, **weights)
        except OSError as error:
            # It can be made again, and what is wanted are its scores.
            _log.warning(f"The segmentation network is not kept: {error}")

    def classes(self, photos: np.ndarray) -> np.ndarray:
        """Says what each pixel shows.

        Args:
            photos: `(count, height, width, channels)`, uint8.

        Returns:
            `(count, height, width)`, classes.
        """
        found = [
            np.argmax(
                self.network(normalize(photos[first : first + AT_ONCE]), training=False), axis=-1
            )
            for first in range(0, len(photos), AT_ONCE)
        ]
        return np.concatenate(found)

    def scores(self, photos: np.ndarray, truth: np.ndarray) -> dict[str, float]:
        """Scores photos by how much of their labels is found in them.

        Args:
            photos: `(count, height, width, channels)`, uint8.
            truth: The class of each pixel, `(count, height, width)`.

        Returns:
            As `segmentation.scores`.
        """
        return _scores(truth, self.classes(photos), self.palette)

    @property
    def most_frequent(self) -> int:
        """The class of most pixels that it was trained on."""
        return int(np.bincount(self._labels.ravel()).argmax())


def measure(
    generators: Mapping[str, Any],
    loader: DataLoader,
    planned: Collection[Plan],
    settings: Settings | None = None,
    folder: PathLike | None = None,
) -> dict[str, Any]:
    """Scores the photos that generators make of the label maps of test images.

    Args:
        generators: By name, `g_AB`, `g_BA` or both.
        loader: Loads the images.
        planned: From `plans`.
        settings: How the networks are made and trained.
        folder: Where they are kept.

    Returns:
        Shares in [0, 1]: `seg_pixel_accuracy_BA`, `seg_class_accuracy_BA` and `seg_class_iou_BA` of
        a generator from B to A. Reference values: `seg_pixel_accuracy_real_A` and so on, of the
        real photos of A, and `seg_pixel_accuracy_frequent_A`, of the most frequent class in all
        places. `segmentation`: the name of the network.

    Raises:
        FileNotFoundError: If there are no such images.
        ValueError: If an image cannot be read, or two classes have the same gray.
    """
    found: dict[str, Any] = {}
    for plan in planned:
        labels = spread(loader.pixels(plan.labels, is_testing=True), MAX_IMAGES)
        made = denormalize(translate_images(generators[f"g_{plan.way}"], normalize(labels)))
        found |= scores_of(Segmenter(loader, plan, settings, folder), loader, plan.way, made)
    return found


def scores_of(
    segmenter: Segmenter, loader: DataLoader, way: str, made: np.ndarray
) -> dict[str, Any]:
    """Scores photos that were made of the label maps of test images.

    Args:
        segmenter: Looks at them.
        loader: Loads the images.
        way: `"AB"` or `"BA"`, from labels to photos.
        made: The photos, uint8, in the order of `round_trip.spread`.

    Returns:
        As `measure`.
    """
    labels, photos = (spread(loader.pixels(domain, is_testing=True), MAX_IMAGES) for domain in way)
    truth = nearest_labels(labels, segmenter.palette)
    frequent = np.full_like(truth, segmenter.most_frequent)
    found: dict[str, Any] = {}
    for end, values in (
        (way, segmenter.scores(made, truth)),
        (f"real_{way[1]}", segmenter.scores(photos, truth)),
        (f"frequent_{way[1]}", _scores(truth, frequent, segmenter.palette)),
    ):
        found |= {f"seg_{key}_{end}": values[key] for key in KEYS}
    return {**found, "segmentation": segmenter.name}


def summary(metrics: Mapping[str, Any]) -> list[str]:
    """Puts the scores into words.

    Args:
        metrics: From `measure`, perhaps among others.

    Returns:
        Lines; none if there are no scores.
    """
    lines = []
    for way in ("AB", "BA"):
        if f"seg_{KEYS[0]}_{way}" in metrics:
            lines.append(f"Labels found in photos made from them, {way[0]} → {way[1]}:")
            for key in KEYS:
                share, real, frequent = (
                    metrics[f"seg_{key}_{end}"]
                    for end in (way, f"real_{way[1]}", f"frequent_{way[1]}")
                )
                title = f"{TITLES[key]:20} {share:.0%}"
                lines.append(
                    f"  {title}   real photos {real:.0%}   most frequent class {frequent:.0%}"
                )
    return lines


TITLES = dict(zip(KEYS, ("per-pixel accuracy", "per-class accuracy", "class IoU"), strict=True))


def _scores(truth: np.ndarray, found: np.ndarray, palette: Palette) -> dict[str, float]:
    return scores(confusion_matrix(truth, found, len(palette)))
