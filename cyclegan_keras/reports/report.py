"""The report on a run: one page that says how good its translators are, and shows it."""

import dataclasses
import datetime
from typing import Any

import markupsafe

import cyclegan_keras
from cyclegan_keras import _extras, plotting
from cyclegan_keras._files import PathLike
from cyclegan_keras.config import scale
from cyclegan_keras.config.train_config import TrainConfig, known_settings
from cyclegan_keras.metrics import diagnostics, evaluator
from cyclegan_keras.metrics.round_trip import WAYS
from cyclegan_keras.reports import metric_table, pages, pictures
from cyclegan_keras.reports.curves import RATE, Curve, Curves
from cyclegan_keras.reports.pictures import Seen

FILE = "report.html"


@dataclasses.dataclass(frozen=True)
class Setting:
    """A setting of a run, as text.

    Attributes:
        name: As in `config.json`.
        value: Its value.
        usual: What it is without a flag of its own, if the run has it otherwise.
        is_used: Whether the run's model has such a setting.
    """

    name: str
    value: str
    usual: str | None
    is_used: bool


def write(
    path: PathLike,
    name: str,
    config: TrainConfig,
    seen: Seen,
    history: Curves,
    is_own_data: bool = True,
) -> None:
    """Writes the report, whole or not at all.

    Args:
        path: Of the file; one that exists is replaced.
        name: Of the run.
        config: Its settings.
        seen: The translators, and what was found out about them.
        history: From `curves.read`.
        is_own_data: Whether the data set is taken from where the run's settings say.

    Raises:
        OSError: If it cannot be written.
    """
    figures, ways = seen.measured.figures, metric_table.ways(seen.measured.figures)
    pages.write(
        path,
        "report.html.j2",
        name=name,
        date=datetime.date.today().isoformat(),
        version=cyclegan_keras.__version__,
        data=seen.loader.directory.name,
        figures=figures,
        extractor=figures.get("extractor"),
        install=_extras.advice("evaluation"),
        left_out=diagnostics.left_out(figures),
        faults=faults(figures, history, config),
        translators=", ".join(figures["translators"]),
        ways=ways,
        arrow=diagnostics.arrow,
        tables=[
            (kind, rows)
            for kind in metric_table.KINDS
            if (rows := metric_table.rows(kind, figures))
        ],
        at_random=[pictures.at_random(seen, way) for way in ways],
        extremes=[sheet for way in ways for sheet in pictures.extremes(seen, way)],
        has_cycles=bool(seen.measured.cycle_errors),
        neighbours=[
            (pictures.neighbours(seen, way), pictures.usual_distance(seen, way))
            for way in (ways if seen.judge.extractor is not None else ())
        ],
        max_train=evaluator.MAX_TRAIN_IMAGES,
        losses=loss_drawings(history),
        progress=figure_drawings(history),
        settings=settings(config),
        recipe=config.recipe,
        is_own_data=is_own_data,
        shrunk_to=pictures.shrunk_to(seen.loader),
    )


def faults(figures: evaluator.Figures, history: Curves, config: TrainConfig) -> list[str]:
    """Names what is wrong with translators, and with what they were trained against.

    Args:
        figures: From `Judge.measure`.
        history: From `curves.read`; of the discriminators, its last two rows count.
        config: The settings of the run.

    Returns:
        A sentence for each fault, none if there are none.
    """
    found = diagnostics.faults(figures, config.info.settings)
    if of_scale := scale.warning(config.enlarge, config.image_size):
        found.append(of_scale)
    blind_loss = diagnostics.blind_loss(config)
    if blind_loss is None:
        return found
    accuracies, losses = {}, {}
    for name in config.info.discriminators:
        shares, of_loss = (
            dict(zip(*history.plain.get(f"{name}_{what}", ([], [])), strict=True))
            for what in ("acc", "loss")
        )
        # A row in which one of them was no number says nothing.
        if steps := sorted(shares.keys() & of_loss.keys()):
            accuracies[name] = [shares[step] for step in steps]
            losses[name] = [of_loss[step] for step in steps]
    of_discriminators = diagnostics.faults_of_discriminators(
        accuracies, losses, blind_loss, config.info.settings
    )
    return found + of_discriminators


def loss_drawings(history: Curves) -> list[markupsafe.Markup]:
    """Draws the losses, how often the discriminators are right, and the learning rate.

    Args:
        history: From `curves.read`.

    Returns:
        Drawings, those of which there are columns.
    """
    curves = history.plain
    losses = {name: curve for name, curve in curves.items() if name.endswith("_loss")}
    panels = {
        "losses of the discriminators": {n: c for n, c in losses.items() if n.startswith("d_")},
        "losses of the generators": {n: c for n, c in losses.items() if not n.startswith("d_")},
        "accuracy of the discriminators": {n: c for n, c in curves.items() if n.endswith("_acc")},
        RATE.replace("_", " "): {n: c for n, c in curves.items() if n == RATE},
    }
    return [
        pages.svg(plotting.step_curves(title, _short(curves), is_loss="losses" in title))
        for title, curves in panels.items()
        if curves
    ]


def _short(curves: dict[str, Curve]) -> dict[str, Curve]:
    return {n.removesuffix("_loss").removesuffix("_acc"): curve for n, curve in curves.items()}


def figure_drawings(history: Curves) -> list[markupsafe.Markup]:
    """Draws the figures that were measured during training.

    Args:
        history: From `curves.read`.

    Returns:
        Drawings, those of which there are columns; the kernel distance, and then strength, first.
        Those of another feature space are in drawings of their own.
    """
    kinds = sorted(metric_table.KINDS, key=lambda kind: not kind.by_features)
    drawings = []
    for kind in kinds:
        for space, known in history.by_space.items() if kind.by_features else [("", history.plain)]:
            for figure in kind.figures:
                drawn = {
                    diagnostics.arrow(way): known[figure.name(way)]
                    for way in WAYS
                    if figure.name(way) in known
                }
                if drawn:
                    title = metric_table.title_of(figure, space)
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
