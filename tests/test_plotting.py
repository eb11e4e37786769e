import keras
import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch, Rectangle

from cyclegan_keras import load_generator, plotting
from cyclegan_keras.data.images import normalize
from cyclegan_keras.networks import build_discriminator, build_generator


def plus(level):
    return lambda imgs, training: imgs + level


def test_images_stand_where_they_belong():
    columns = [normalize(np.full((2, 64, 64, 3), shade, np.uint8)) for shade in (10, 100, 200)]
    grid = plotting.image_grid(columns, ["a", "b", "c"], gap_before=2)
    # 64 pixels are doubled; margins of 4, a header of 22, and 12 more before the third column.
    assert grid.shape == (22 + 2 * (128 + 4), 3 * 132 + 4 + 12, 3)
    for left, shade in ((4, 10), (136, 100), (280, 200)):
        assert (grid[22 : 22 + 128, left : left + 128] == shade).all()
        assert (grid[154 : 154 + 128, left : left + 128] == shade).all()
    assert (grid[:, 264:280] > 200).all()
    assert (grid[:20, :60] < 100).any()  # the title


def test_a_cycle_goes_there_and_back():
    imgs_A, imgs_B = np.full((1, 128, 128, 3), -0.5), np.full((1, 128, 128, 3), 0.0)
    grid = plotting.cycle_grid(plus(0.25), plus(-0.125), imgs_A, imgs_B)
    shades = [int(grid[80, left, 0]) for left in (8, 140, 272, 416, 548, 680)]
    expected = np.array([-0.5, -0.25, -0.375, 0.0, -0.125, 0.125])
    assert np.abs(np.array(shades) - (expected + 1) * 127.5).max() <= 0.5


def test_the_truth_stands_beside_the_translation():
    imgs_A, imgs_B = np.full((1, 128, 128, 3), -0.5), np.full((1, 128, 128, 3), 0.0)
    grid = plotting.truth_grid(plus(0.25), plus(-0.125), imgs_A, imgs_B)
    shades = [int(grid[80, left, 0]) for left in (8, 140, 272, 416, 548, 680)]
    expected = np.array([-0.5, -0.25, 0.0, 0.0, -0.125, -0.5])
    assert np.abs(np.array(shades) - (expected + 1) * 127.5).max() <= 0.5


def test_loss_curves_show_every_loss_once():
    names = ["d_loss", "d_A_loss", "d_A_acc", "g_loss", "valid_A_loss", "img_B_id_loss"]
    figure = plotting.loss_curves({name: [2.0, 1.0] for name in names})
    shown = [[line.get_label() for line in axes.lines] for axes in figure.axes]
    assert shown == [["d", "d_A"], ["valid_A", "img_B_id"]]
    assert list(figure.axes[1].lines[0].get_ydata()) == [2.0, 1.0]


def test_loss_curves_of_what_train_returns():
    history = keras.callbacks.History()
    history.history = {"d_loss": [2.0, 1.0]}
    (line,) = plotting.loss_curves(history).axes[0].lines
    assert list(line.get_ydata()) == [2.0, 1.0]


def test_loss_curves_of_pix2pix_and_of_a_history_with_other_columns():
    history = {
        **{"step": [100, 200], "d_loss": [2.0, 1.0], "d_acc": [0.5, 0.7], "g_loss": [9.0, 8.0]},
        **{"valid_loss": [2.0, -1.0], "fake_loss": [0.3, 0.2], "learning_rate": [2e-4, 1e-4]},
        **{"kernel_AB": [None, 0.3], "truth_AB": ["", "7.5"]},
    }
    figure = plotting.loss_curves(history)
    shown = [[line.get_label() for line in axes.lines] for axes in figure.axes]
    assert shown == [["d"], ["valid", "fake"]]
    assert list(figure.axes[1].lines[0].get_xdata()) == [100, 200]
    # Wasserstein's losses may be negative, where a logarithm would leave them out.
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "linear"]
    assert {axes.get_xlabel() for axes in figure.axes} == {"step"}


@pytest.mark.parametrize("history", [{}, {"d_loss": [1.0]}, {"valid_A_loss": [], "d_loss": []}])
def test_loss_curves_of_few_rows(history):
    figure = plotting.loss_curves(history)
    figure.canvas.draw()
    assert sum(len(axes.lines) for axes in figure.axes) == len(history)


FAST = {"num_blocks": 2, "upsampling": "resize", "padding": "reflect", "norm": "pixel"}


@pytest.mark.parametrize(
    ("size", "settings", "heights", "num_skips"),
    [
        # Two blocks, two skips as of a U-Net, and the input that is changed.
        (
            32,
            {"kind": "resnet", "skips": True, "residual": True, **FAST},
            [32, 32, 16, *[8] * 5, 16, 32, 32],
            5,
        ),
        (None, {"kind": "resnet", "num_blocks": 1}, [256, 256, 128, 64, 64, 64, 128, 256, 256], 1),
        (None, {"residual": True}, [256, 128, 64, 32, 16, 32, 64, 128, 256], 4),
        (32, {"kind": "deep_unet"}, [32, 16, 8, 4, 2, 1, 2, 4, 8, 16, 32], 4),
    ],
)
def test_a_drawing_of_each_generator(size, settings, heights, num_skips):
    drawing = plotting.network_drawing(build_generator((size, size, 3), 2, **settings))
    assert heights_in(drawing) == heights
    (axes,) = drawing.axes
    skips = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    assert len(skips) == num_skips
    assert ("256×256" in axes.get_title()) == (size is None)
    drawing.canvas.draw()
    assert all(skip.get_window_extent().y1 < axes.bbox.y1 for skip in skips)


def heights_in(drawing):
    return [int(text.get_text().split("×")[0]) for text in drawing.axes[0].texts]


def test_a_drawing_of_other_networks(tiny_gan, tmp_path):
    for kind in ("patch1", "patch34", "patch286"):
        heights_in(plotting.network_drawing(build_discriminator((96, 96, 6), 2, kind)))
    d = plotting.network_drawing(build_discriminator((None, None, 3), 2, "patch70"))
    assert heights_in(d) == [256, 128, 64, 32, 31, 30]
    tiny_gan.g_AB.save(tmp_path / "g.keras")
    loaded = load_generator(tmp_path / "g.keras")
    assert heights_in(plotting.network_drawing(loaded)) == [32, 16, 8, 4, 2, 4, 8, 16, 32]
    layers = keras.layers
    foreign = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.SeparableConv2D(4, 3, strides=2, padding="same"),
            layers.UpSampling2D(),
            layers.Conv2D(1, 3, padding="same"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    assert heights_in(plotting.network_drawing(foreign)) == [8, 4, 8]


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


def test_what_cannot_be_drawn(tiny_gan):
    for model in (Subclassed(), keras.Sequential(), tiny_gan, tiny_gan.combined, None):
        with pytest.raises(ValueError, match=f"Received: {type(model).__name__} with input_shape="):
            plotting.network_drawing(model)
    img = keras.Input((8, 8, 3))
    twice = keras.layers.Conv2D(3, 3, padding="same", name="twice")
    with pytest.raises(ValueError, match="several outputs, or is called more than once"):
        plotting.network_drawing(keras.Model(img, twice(twice(img))))


def test_a_drawing_has_every_convolution_and_skip(tiny_gan):
    (axes,) = plotting.network_drawing(tiny_gan.g_AB).axes
    kinds = [type(patch) for patch in axes.patches]
    assert kinds.count(Rectangle) == 9  # the image, four halvings, four doublings
    assert kinds.count(FancyArrowPatch) == 3
    assert [text.get_text() for text in axes.texts][:2] == ["32×32\n×3", "16×16\n×2"]
    (axes,) = plotting.network_drawing(tiny_gan.d_A).axes
    assert [type(patch) for patch in axes.patches] == [Rectangle] * 6


def test_one_way_shows_the_truth_where_it_is_known():
    imgs_A, imgs_B = np.full((1, 128, 128, 3), -0.5), np.full((1, 128, 128, 3), 0.0)
    for name, are_pairs, expected in (
        ("g_AB", False, [-0.5, -0.25]),
        ("g_AB", True, [-0.5, -0.25, 0.0]),
        ("g_BA", True, [0.0, 0.25, -0.5]),
    ):
        grid = plotting.grid_of({name: plus(0.25)}, imgs_A, imgs_B, are_pairs)
        assert grid.shape[1] == 4 + len(expected) * 132
        shades = [int(grid[80, 8 + 132 * place, 0]) for place in range(len(expected))]
        assert np.abs(np.array(shades) - (np.array(expected) + 1) * 127.5).max() <= 0.5
