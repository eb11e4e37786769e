import numpy as np
from matplotlib.patches import FancyArrowPatch, Rectangle

from cyclegan_keras import plotting
from cyclegan_keras.data.images import normalize


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


def test_a_drawing_has_every_convolution_and_skip(tiny_gan):
    (axes,) = plotting.network_drawing(tiny_gan.g_AB).axes
    kinds = [type(patch) for patch in axes.patches]
    assert kinds.count(Rectangle) == 9  # the image, four halvings, four doublings
    assert kinds.count(FancyArrowPatch) == 3
    assert [text.get_text() for text in axes.texts][:2] == ["32×32\n×3", "16×16\n×2"]
    (axes,) = plotting.network_drawing(tiny_gan.d_A).axes
    assert [type(patch) for patch in axes.patches] == [Rectangle] * 6
