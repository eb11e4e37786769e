"""Times each form of convolution against the plain one, as `layers/forms.py` chooses by it.

    python benchmarks/convolutions.py

Forward and with both gradients, on one batch; a kernel is prepared once, as in a training step. All
forms of a size take turns in one process. Figures are ratios of medians: how many times as fast as
the plain form.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from cyclegan_keras.layers import forms
from cyclegan_keras.layers._fast_convolution import (
    convolve_by_patches,
    convolve_by_rows,
    double_and_convolve,
    regroup,
)
from cyclegan_keras.layers._winograd import convolve_by_tiles, transformed


class Case(NamedTuple):
    """What is convolved, with "same" padding.

    Attributes:
        batch: Number of images.
        size: Height and width of the images, in pixels.
        channels: Of the images.
        filters: Of the results.
        kernel: Height and width of the kernel.
        strides: In both directions.
        doubles: Whether the images are doubled first.
    """

    batch: int
    size: int
    channels: int
    filters: int
    kernel: int = 3
    strides: int = 1
    doubles: bool = False

    def __str__(self) -> str:
        what = f"{self.kernel}×{self.kernel}"
        what += ", doubling" if self.doubles else f", stride {self.strides}"
        return f"{self.batch}×{self.size}×{self.size}, {self.channels} → {self.filters}, {what}"


CASES = (
    *(Case(1, size, width, width) for size in (8, 16, 32, 64) for width in (32, 64, 96, 128, 256)),
    *(Case(batch, 32, 256, 256) for batch in (2, 8)),
    *(Case(1, size, width, 3, 7) for size in (64, 128) for width in (16, 64)),
    *(Case(1, size, width, 1, 4) for size in (16, 32) for width in (48, 512)),
    *(Case(1, 2 * size, 256, 512, 4, 2) for size in (2, 4, 8, 16)),
    *(Case(1, 2 * size, 64, 128, 4, 2) for size in (4, 8, 16, 32)),
    *(Case(1, size, 128, 64, 4, doubles=True) for size in (4, 8, 16, 32)),
    *(Case(1, size, 64, 3, 4, doubles=True) for size in (16, 32, 64)),
)


def ways(case: Case) -> dict[str, tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]]:
    """Lists the forms that can compute a case.

    Args:
        case: What is convolved.

    Returns:
        For each form, a function that prepares the kernel, and one that convolves with it.
    """
    if case.doubles:
        return {
            forms.PLAIN: (
                tf.identity,
                lambda x, k: tf.nn.conv2d(tf.repeat(tf.repeat(x, 2, 1), 2, 2), k, 1, "SAME"),
            ),
            forms.REGROUPED: (lambda k: regroup(k, with_phases=True), double_and_convolve),
            forms.ADJOINT: (lambda k: regroup(k, with_phases=False), double_and_convolve),
        }
    found: dict[str, Any] = {
        forms.PLAIN: (tf.identity, lambda x, k: tf.nn.conv2d(x, k, case.strides, "SAME"))
    }
    if case.kernel % case.strides == 0:
        for form in (forms.PATCHES, forms.ALL_PATCHES):
            if form == forms.PATCHES or case.strides > 1:
                found[form] = (
                    tf.identity,
                    lambda x, k, of=form == forms.ALL_PATCHES: convolve_by_patches(
                        x, k, case.strides, of_images=of
                    ),
                )
    if case.strides == 1:
        found[forms.ROWS] = (tf.identity, lambda x, k: convolve_by_rows(x, k, "same"))
    if (case.kernel, case.strides) == (3, 1):
        found[forms.WINOGRAD] = (transformed, lambda x, k: convolve_by_tiles(x, k, "same"))
    return found


def measure(case: Case, seconds: float) -> dict[str, tuple[float, float]]:
    """Measures all forms of a case.

    Args:
        case: What is convolved.
        seconds: For about how long.

    Returns:
        For each form, the median seconds of a convolution, and of one with both gradients.
    """
    x = tf.random.normal((case.batch, case.size, case.size, case.channels))
    kernel = tf.random.normal((case.kernel, case.kernel, case.channels, case.filters))
    functions = {}
    for form, (prepare, convolve) in ways(case).items():
        functions[form] = (
            _forward(x, prepare(kernel), convolve),
            _with_gradients(x, kernel, prepare, convolve),
        )
    taken: dict[str, tuple[list[float], list[float]]] = {form: ([], []) for form in functions}
    for pair in functions.values():
        for function in pair:
            function()  # Traced.
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken[forms.PLAIN][0]) < 5:
        for form, pair in functions.items():
            for function, times in zip(pair, taken[form], strict=True):
                begun = time.perf_counter()
                function()
                times.append(time.perf_counter() - begun)
    return {
        form: (statistics.median(forward), statistics.median(gradients))
        for form, (forward, gradients) in taken.items()
    }


def _forward(x: Any, kernel: Any, convolve: Any) -> Callable[[], Any]:
    function = tf.function(lambda: tf.reduce_sum(convolve(x, kernel)), autograph=False)
    return lambda: function().numpy()


def _with_gradients(x: Any, kernel: Any, prepare: Any, convolve: Any) -> Callable[[], Any]:
    """With respect to the images and to the kernel, whose preparation counts."""

    def gradients() -> Any:
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = convolve(x, prepare(kernel))
            loss = tf.reduce_sum(y * y)
        return [tf.reduce_sum(gradient) for gradient in tape.gradient(loss, [x, kernel])]

    function = tf.function(gradients, autograph=False)
    return lambda: [gradient.numpy() for gradient in function()]


def table(results: dict[Case, dict[str, tuple[float, float]]]) -> str:
    """Writes the measurements as a Markdown table.

    Args:
        results: What `measure` returned, by case.

    Returns:
        The table. Of each form: how many times as fast as the plain one it is forward, and with
        gradients. The one that the package takes is marked.
    """
    names = [forms.PATCHES, forms.ALL_PATCHES, forms.REGROUPED, forms.ADJOINT]
    names += [forms.WINOGRAD, forms.ROWS]
    lines = [["images, channels, kernel", "plain, ms", *names, "taken"]]
    lines.append(["---"] * len(lines[0]))
    for case, seconds in results.items():
        plain = seconds[forms.PLAIN]
        row = [str(case), " / ".join(f"{1e3 * value:.2f}" for value in plain)]
        for name in names:
            ratios = zip(plain, seconds[name], strict=True) if name in seconds else ()
            row.append(" / ".join(f"{one / other:.2f}" for one, other in ratios) or "–")
        x = tf.zeros((case.batch, case.size, case.size, case.channels))
        shape = (case.kernel, case.kernel, case.channels, case.filters)
        lines.append([*row, forms.form_of(x, shape, case.strides, doubles=case.doubles)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Measures all cases and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, metavar="X", help="for each case")
    arguments = parser.parse_args()
    print(table({case: measure(case, arguments.seconds) for case in CASES}))


if __name__ == "__main__":
    main()
