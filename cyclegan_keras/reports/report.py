"""The report on a run: one page with metrics, images and curves of its generators."""

import dataclasses
import datetime
import pathlib
import shlex
from collections.abc import Collection
from typing import Any

import markupsafe

import cyclegan_keras
from cyclegan_keras import _extras, plotting
from cyclegan_keras._files import PathLike
from cyclegan_keras.config import scale
from cyclegan_keras.config.known import known_settings
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.metrics import diagnostics, evaluator
from cyclegan_keras.metrics.round_trip import WAYS
from cyclegan_keras.reports import metric_table, pages, pictures
from cyclegan_keras.reports.curves import RATE, Curve, Curves
from cyclegan_keras.reports.pictures import Evaluated

FILE = "report.html"
# What `cyclegan export --format page` writes; linked if it is beside the report.
PAGE = "page.html"


@dataclasses.dataclass(frozen=True)
class Setting:
    """A setting of a run, as text.

    Attributes:
        name: As in `config.json`.
        value: Its value.
        usual: Its value without a flag of its own, if the run's value differs.
        is_used: Whether the run's model has this setting.
    """

    name: str
    value: str
    usual: str | None
    is_used: bool


def write(
    path: PathLike,
    name: str,
    config: TrainConfig,
    evaluated: Evaluated,
    history: Curves,
    is_own_data: bool = True,
) -> None:
    """Writes the report atomically.

    Args:
        path: The file; an existing one is replaced. A `page.html` beside it is linked.
        name: The name of the run.
        config: The settings of the run.
        evaluated: The generators and the results of their evaluation.
        history: From `curves.read`.
        is_own_data: Whether the data set is the one in the run's settings.

    Raises:
        OSError: If it cannot be written.
    """
    metrics, ways = evaluated.results.metrics, metric_table.ways(evaluated.results.metrics)
    page = pathlib.Path(path).with_name(PAGE)
    pages.write(
        path,
        "report.html.j2",
        name=name,
        date=datetime.date.today().isoformat(),
        version=cyclegan_keras.__version__,
        data=evaluated.loader.directory.name,
        metrics=metrics,
        extractor=metrics.get("extractor"),
        install=_extras.advice("evaluation"),
        not_measured=diagnostics.not_measured(metrics),
        problems=problems(metrics, history, config),
        translators=", ".join(metrics["translators"]),
        ways=ways,
        arrow=diagnostics.arrow,
        tables=[
            (kind, rows)
            for kind in metric_table.KINDS
            if (rows := metric_table.rows(kind, metrics))
        ],
        at_random=[pictures.at_random(evaluated, way) for way in ways],
        extremes=[sheet for way in ways for sheet in pictures.extremes(evaluated, way)],
        has_cycles=bool(evaluated.results.cycle_errors),
        neighbors=[
            (pictures.neighbors(evaluated, way), pictures.usual_distance(evaluated, way))
            for way in (ways if evaluated.evaluator.extractor is not None else ())
        ],
        max_train=evaluator.MAX_TRAIN_IMAGES,
        losses=loss_drawings(history, config.classifiers),
        progress=metric_drawings(history),
        settings=settings(config),
        recipe=config.recipe,
        is_own_data=is_own_data,
        shrunk_to=pictures.shrunk_to(evaluated.loader),
        page=PAGE if page.is_file() else None,
        page_path=shlex.quote(str(page)),
        run_dir=shlex.quote(config.run_dir or "RUN"),
    )


def problems(metrics: evaluator.Metrics, history: Curves, config: TrainConfig) -> list[str]:
    """Finds typical problems of the generators and discriminators of a run.

    Args:
        metrics: From `Evaluator.evaluate`.
        history: From `curves.read`; its last two rows tell about the discriminators.
        config: The settings of the run.

    Returns:
        A sentence for each problem.
    """
    found = diagnostics.problems(metrics, config.info.settings)
    if of_scale := scale.warning(config.enlarge, config.image_size):
        found.append(of_scale)
    blind_loss = diagnostics.blind_loss(config)
    if blind_loss is None:
        return found
    accuracies, losses = {}, {}
    for name in config.discriminators:
        shares, of_loss = (
            dict(zip(*history.plain.get(f"{name}_{what}", ([], [])), strict=True))
            for what in ("acc", "loss")
        )
        # Rows in which one of them was not finite are left out.
        if steps := sorted(shares.keys() & of_loss.keys()):
            accuracies[name] = [shares[step] for step in steps]
            losses[name] = [of_loss[step] for step in steps]
    of_discriminators = diagnostics.discriminator_problems(
        accuracies, losses, blind_loss, config.info.settings
    )
    return found + of_discriminators


def loss_drawings(history: Curves, classifiers: Collection[str] = ()) -> list[markupsafe.Markup]:
    """Draws the losses, the accuracies of the discriminators, and the learning rate.

    Args:
        history: From `curves.read`.
        classifiers: The names of networks that label images.

    Returns:
        A chart for each of these that has columns in the history.
    """
    curves = history.plain
    losses = {name: curve for name, curve in curves.items() if name.endswith("_loss")}
    shares = {name: curve for name, curve in curves.items() if name.endswith("_acc")}
    labelling = {f"{name}{what}" for name in classifiers for what in ("_loss", "_acc")}
    judging = {n for n in curves if n.startswith("d_")} - labelling
    panels = {
        "losses of the discriminators": {n: c for n, c in losses.items() if n in judging},
        "losses of the generators": {
            n: c for n, c in losses.items() if n not in judging | labelling
        },
        "losses of the classifiers": {n: c for n, c in losses.items() if n in labelling},
        "accuracy of the discriminators": {n: c for n, c in shares.items() if n in judging},
        "accuracy of the classifiers": {n: c for n, c in shares.items() if n in labelling},
        RATE.replace("_", " "): {n: c for n, c in curves.items() if n == RATE},
    }
    return [
        pages.svg(plotting.step_curves(title, _short(curves), is_loss="losses" in title))
        for title, curves in panels.items()
        if curves
    ]


def _short(curves: dict[str, Curve]) -> dict[str, Curve]:
    return {n.removesuffix("_loss").removesuffix("_acc"): curve for n, curve in curves.items()}


def metric_drawings(history: Curves) -> list[markupsafe.Markup]:
    """Draws the metrics that were measured during training.

    Args:
        history: From `curves.read`.

    Returns:
        A chart for each metric that has columns in the history, beginning with KID and the
        target-domain classification rate. Each extractor has charts of its own.
    """
    kinds = sorted(metric_table.KINDS, key=lambda kind: not kind.by_features)
    drawings = []
    for kind in kinds:
        for space, known in history.by_space.items() if kind.by_features else [("", history.plain)]:
            for metric in kind.metrics:
                drawn = {
                    diagnostics.arrow(way): known[metric.name(way)]
                    for way in WAYS
                    if metric.name(way) in known
                }
                if drawn:
                    title = metric_table.title_of(metric, space)
                    drawings.append(pages.svg(plotting.step_curves(title, drawn)))
    return drawings


def settings(config: TrainConfig) -> dict[str, list[Setting]]:
    """Sets the settings of a run beside what they would be without flags of their own.

    Args:
        config: The settings.

    Returns:
        By the heading that each has in `--help`.
    """
    # What others decide (half of other epochs, for one) is as usual, whatever it comes to.
    usual = TrainConfig(model=config.model.kind, recipe=config.recipe)
    groups: dict[str, list[Setting]] = {}
    for name, setting in known_settings().items():
        value = config.model.kind if name == "model" else getattr(config, name)
        other = config.model.kind if name == "model" else getattr(usual, name)
        is_chosen = name in config.chosen and value != other
        groups.setdefault(setting.about["group"], []).append(
            Setting(
                name,
                _in_words(value),
                _in_words(other) if is_chosen else None,
                config.has(name),
            )
        )
    return groups


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else str(value)
