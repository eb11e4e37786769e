"""Everything that a finished run can be compared with others by, kept in its folder.

These are the metrics of features by several extractors, segmentation scores of the label maps that
it makes, and of the photos that it makes of label maps.
"""

import dataclasses
import json
import logging
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from cyclegan_keras._files import PathLike, write_text
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.data.images import denormalize
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.inference.safe_loading import model_files
from cyclegan_keras.metrics import features, round_trip, segmentation, segmenter
from cyclegan_keras.metrics.backbones import efficientnet
from cyclegan_keras.metrics.evaluator import MAX_TRAIN_IMAGES, Evaluator
from cyclegan_keras.metrics.features import Extractor, Features
from cyclegan_keras.runs import record, run_data

FILE = "figures.json"
VERSION = 2  # Of how it is measured.

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Figures:
    """What was measured of a run.

    Attributes:
        scores: Segmentation scores by their names in `metrics.json`, with those of real photos.
        features: By the name of each extractor, metrics such as `kernel_AB` and those of real
            images, as `Evaluator.evaluate` has them.
    """

    scores: dict[str, Any]
    features: dict[str, dict[str, float]]


def choose(name: str) -> list[Extractor]:
    """Chooses the extractors that runs are compared by.

    Args:
        name: As for `features.choose`.

    Returns:
        The one that is named; for "auto", all that are installed, since a model may have been
        trained with one of them; for "none", nothing.

    Raises:
        FileNotFoundError: If the one that is named is missing.
    """
    if name == "none":
        return []
    if name != "auto":
        return [features.choose(name)]
    found = [features.choose("inception")] if features.inception_path().is_file() else []
    for each, variant in features.EFFICIENTNETS.items():
        if efficientnet.is_installed(variant):
            found.append(features.choose(each))
        else:
            _log.info(f"Not compared by {variant.name}, which is not installed. {variant.install}")
    return found


class EveryFigure:
    """Measures runs on the same test images, all by the same judges.

    Args:
        loader: Loads these images, and those that judges learn from.
        extractors: From `choose`.
        palettes: The colors of classes, for each domain whose images are label maps; `None` takes
            those of the data set.
        ways: In which any of the runs translates.
        settings: How the network is trained that looks at photos made from label maps; it is
            trained if there are such.
        folder: Where that network is kept.

    Raises:
        ValueError: If there are too few images.
    """

    def __init__(
        self,
        loader: DataLoader,
        extractors: Sequence[Extractor],
        palettes: Mapping[str, segmentation.Palette] | None = None,
        ways: Sequence[str] = round_trip.WAYS,
        settings: segmenter.Settings | None = None,
        folder: PathLike | None = None,
    ) -> None:
        self._loader = loader
        self._palettes = loader.palettes if palettes is None else palettes
        self._extractors = {each.name: each for each in extractors}
        self._evaluators = {each.name: Evaluator(loader, each) for each in extractors}
        self._real = {name: each.real.metrics for name, each in self._evaluators.items()}
        self._pixels = {
            domain: round_trip.spread(loader.evaluation_pixels(domain)) for domain in "AB"
        }
        self._digest = round_trip.digest(round_trip.files(loader))
        self._trained_on = _trained_on(loader) if extractors else None
        self._segmenters = {
            plan.way: segmenter.Segmenter(loader, plan, settings, folder)
            for plan in _planned(loader, ways, self._palettes)
        }

    def of(self, config: TrainConfig) -> Figures:
        """Measures a run, unless it has been.

        Args:
            config: Its settings, with `run_dir`. Its test images are those of the loader.

        Returns:
            What was measured, which is in the run's `figures.json` as well.

        Raises:
            FileNotFoundError: If a generator is missing.
            ValueError: If a generator is damaged.
        """
        folder = pathlib.Path(config.run_dir or ".")
        files = {way: folder / f"g_{way}.keras" for way in config.ways}
        judged = self._judged(files)
        if (known := _read(folder / FILE, judged)) is not None:
            return known
        found = Figures({}, {name: dict(real) for name, real in self._real.items()})
        for way, path in files.items():
            self._measure(way, model_files.load_generator(path), found)
        write_text(
            folder / FILE,
            json.dumps({"judged": judged, **dataclasses.asdict(found)}, indent=2) + "\n",
        )
        return found

    def _judged(self, files: Mapping[str, pathlib.Path]) -> dict[str, Any]:
        """Everything that the figures depend on, as JSON brings it."""
        return json.loads(
            json.dumps(
                {
                    "version": VERSION,
                    "weights": record.weights_of(files.values()),
                    "images": self._digest,
                    "extractors": list(self._evaluators),
                    "trained_on": self._trained_on,
                    "palettes": self._palettes,
                    "segmentation": {way: each.name for way, each in self._segmenters.items()},
                }
            )
        )

    def _measure(self, way: str, generator: Any, found: Figures) -> None:
        sources, truths = self._pixels[way[0]], self._pixels[way[1]]
        pairs = truths if self._loader.test_pairs else None
        parts = [
            denormalize(batch.translated)
            for batch in round_trip.batches({f"g_{way}": generator}, way, sources, pairs)
        ]
        made = np.concatenate(parts)
        for name, evaluator in self._evaluators.items():
            vectors = Features(self._extractors[name](made), name)
            compared = evaluator.real.compare(way, vectors)
            found.features[name] |= {f"{key}_{way}": value for key, value in compared.items()}
        if pairs is not None and way[1] in self._palettes:
            palette = self._palettes[way[1]]
            true, seen = (segmentation.nearest_labels(imgs, palette) for imgs in (truths, made))
            confusion = segmentation.confusion_matrix(true, seen, len(palette))
            scores = segmentation.scores(confusion)
            found.scores.update({f"{key}_{way}": value for key, value in scores.items()})
        if way in self._segmenters:
            found.scores.update(segmenter.scores_of(self._segmenters[way], self._loader, way, made))


class Judges:
    """Measures runs, those on the same test images by the same judges.

    Args:
        configs: The settings of all runs that will be measured.
        extractors: From `choose`.
        palettes: As for `EveryFigure`.
        settings: As for `EveryFigure`.
        folder: As for `EveryFigure`.

    Raises:
        FileNotFoundError: If there is no such data.
        ValueError: If there is nothing to compare by, or too few images.
    """

    def __init__(
        self,
        configs: Collection[TrainConfig],
        extractors: Sequence[Extractor],
        palettes: Mapping[str, segmentation.Palette] | None = None,
        settings: segmenter.Settings | None = None,
        folder: PathLike | None = None,
    ) -> None:
        self._known: dict[tuple[Any, ...], EveryFigure] = {}
        self._keys: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        ways = list(dict.fromkeys(way for config in configs for way in config.ways))
        for config in configs:
            if _data_of(config) in self._keys:
                continue
            loader = run_data.make_judging_loader(config)
            _check(loader, extractors, palettes)
            for domain in "AB":
                loader.evaluation_pixels(domain)  # Bad images are skipped only when they are read.
            key = (round_trip.digest(round_trip.files(loader)), *_shape_of(config))
            self._keys[_data_of(config)] = key
            if key not in self._known:
                self._known[key] = EveryFigure(loader, extractors, palettes, ways, settings, folder)

    def of(self, config: TrainConfig) -> Figures:
        """Measures a run, unless it has been.

        Args:
            config: Its settings, with `run_dir`.

        Returns:
            As `EveryFigure.of`.
        """
        return self._known[self._keys[_data_of(config)]].of(config)


def _data_of(config: TrainConfig) -> tuple[Any, ...]:
    return (config.replace(enlarge=1.0).data, config.info.data)


def _shape_of(config: TrainConfig) -> tuple[Any, ...]:
    return (config.img_shape, config.fit, config.value_range)


def _check(loader: DataLoader, extractors: Sequence[Extractor], palettes: Any) -> None:
    if loader.test_pairs or (extractors and not palettes):
        return
    why = "Colors of classes need true label maps" if palettes else "There is no extractor"
    raise ValueError(
        f"{why}, so that trainings are compared by true translations: testA and testB must be "
        'pairs, images of equal names, and "test_pairs": true in dataset.json. '
        f"Received: {str(loader.directory)!r}"
    )


def _trained_on(loader: DataLoader) -> str:
    """A digest of the training images, which the domain classifier learns from."""
    found = {domain: loader.paths(domain) for domain in "AB"}
    return round_trip.digest(
        {d: [*round_trip.spread(np.array(paths), MAX_TRAIN_IMAGES)] for d, paths in found.items()}
    )


def _planned(
    loader: DataLoader, ways: Sequence[str], palettes: Mapping[str, segmentation.Palette]
) -> list[segmenter.Plan]:
    """What photos can be scored by, if anything is made of label maps."""
    if not palettes:
        return []
    try:
        return segmenter.plans(loader, ways, palettes)
    except ValueError as error:
        _log.info(f"No photos are scored. {error}")
        return []


def _read(path: pathlib.Path, judged: dict[str, Any]) -> Figures | None:
    """What was measured before; `None` if the file is damaged, since it can be measured again."""
    try:
        known = json.loads(path.read_text("utf-8"))
        if known["judged"] != judged:
            return None
        return Figures(dict(known["scores"]), {n: dict(m) for n, m in known["features"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
