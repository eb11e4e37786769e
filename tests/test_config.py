import dataclasses
import inspect
import json

import pytest

from cyclegan_keras import CycleGAN, Pix2Pix
from cyclegan_keras.config import TrainConfig


def test_settings_survive_the_file(tmp_path):
    path = tmp_path / "config.json"
    config = TrainConfig(data_dir="a b", lambda_id=0.5, epochs=3, lambda_cycle=5)
    path.write_text(config.to_json())
    assert TrainConfig.from_json(path) == config
    assert json.loads(path.read_text())["lambda_cycle"] == 5.0
    path.write_text('{"epochs": 2}')
    assert TrainConfig.from_json(path) == TrainConfig(epochs=2)


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainConfig().epochs = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"epochs": 0}, "`epochs` must be at least 1"),
        ({"epochs": 1.5}, "`epochs` must be of type int"),
        ({"epochs": True}, "`epochs` must be of type int"),
        ({"dataset": None}, "`dataset` must be of type str"),
        ({"seed": -1}, "`seed` must be at least 0"),
        ({"image_size": 70}, "divisible by 4.*; 72 would do.*image_size=70"),
        ({"image_size": 16}, "at least 32"),
        ({"lambda_id": -1.0}, "`lambda_id` must be at least 0"),
        ({"lambda_cycle": float("nan")}, "`lambda_cycle`"),
        ({"learning_rate": 0.0}, "`learning_rate` must be above 0"),
        ({"cache_memory": -1.0}, "`cache_memory` must be at least 0"),
        ({"precision": "float16"}, "`precision` must be one of float32, .*'float16'"),
        ({"ema": 1.0}, "`ema` must be below 1"),
        ({"d_source": 1.0}, "`d_source` must be below 1"),
        ({"enlarge": 0.9}, "`enlarge` must be at least 1"),
        ({"flip": 1}, "`flip` must be of type bool"),
        ({"generator": "vgg"}, "`generator` must be one of unet, resnet, deep_unet"),
        ({"generator": "deep_unet", "image_size": 96}, "divisible by 64.*; 128 would do"),
        ({"discriminator": "book", "image_size": 72}, "divisible by 16.*; 64 would do"),
        ({"generator": "unet", "image_size": 72}, "divisible by 16.*; 64 would do"),
        ({"discriminator": "patch286", "image_size": 64}, "`image_size` must be at least 96"),
        ({"model": "pix2pix", "recipe": "book"}, "recipe of its paper only.*'book'"),
        ({"model": "pix2pix", "recipe": "fast"}, "recipe of its paper only.*'fast'"),
        ({"keep": 0}, "`keep` must be at least 1"),
        ({"checkpoint_interval": -1.0}, "`checkpoint_interval` must be at least 0"),
        ({"on_nan": "ignore"}, "`on_nan` must be one of stop, rollback"),
        ({"evaluate_every": -1}, "`evaluate_every` must be at least 0"),
        ({"stop_when_stale": -1}, "`stop_when_stale` must be at least 0"),
        ({"stop_when_stale": 3}, "takes `evaluate_every` above 0.*stop_when_stale=3"),
        ({"best_by": "ssim"}, "`best_by` must be one of auto, truth, kernel, frechet, cycle"),
        ({"model": "pix2pix", "best_by": "cycle"}, "pix2pix has no way back .*best_by='cycle'"),
        ({"extractor": ""}, "`extractor` must not be empty"),
    ],
)
def test_wrong_settings_are_named(setting, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**setting)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[1]", "must be an object"),
        ('{"epoch": 3}', r"keys among .*Received: \['epoch'\]"),
        ('{"epochs": "3"}', r"config\.json.*`epochs` must be of type int"),
    ],
)
def test_wrong_files_are_named(text, message, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        TrainConfig.from_json(tmp_path / "config.json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        TrainConfig.from_json(tmp_path / "nowhere.json")


def test_a_resnet_needs_less_of_the_size():
    assert TrainConfig(image_size=72).image_size == 72


def test_what_others_decide_is_written_down():
    config = TrainConfig(lambda_cycle=4.0, epochs=5, lambda_cycle_B=1.0, num_blocks=None)
    assert (config.lambda_cycle_A, config.lambda_cycle_B) == (4.0, 1.0)
    assert (config.decay_epochs, config.num_blocks) == (0, 6)
    assert TrainConfig(image_size=256, num_blocks=None).num_blocks == 9
    assert TrainConfig.make(recipe="paper", epochs=5).decay_epochs == 2
    assert TrainConfig.make(recipe="paper", decay_epochs=0).decay_epochs == 0


def test_the_papers_recipe():
    config = TrainConfig.make(recipe="paper")
    wanted = {
        "generator": "resnet",
        "num_blocks": 9,
        "upsampling": "transposed",
        "discriminator": "patch70",
        "gf": 64,
        "df": 64,
        "objective": "least_squares",
        "lambda_gan": 1.0,
        "lambda_cycle": 10.0,
        "lambda_id": 5.0,
        "update_first": "generators",
        "discriminator_update": "joint",
        "pool_size": 50,
        "learning_rate": 2e-4,
        "beta_1": 0.5,
        "batch_size": 1,
        "epochs": 200,
        "decay_epochs": 100,
        "image_size": 256,
        "flip": True,
        "epoch_length": "longer",
    }
    assert wanted.items() <= dataclasses.asdict(config).items()
    assert round(config.image_size * config.enlarge) == 286


def test_the_books_recipe():
    book = TrainConfig.make(recipe="book")
    assert (book.image_size, book.batch_size, book.epochs, book.decay_epochs) == (128, 64, 100, 0)
    assert (book.generator, book.gf, book.discriminator, book.df) == ("unet", 32, "book", 64)
    assert (book.lambda_cycle, book.lambda_id, book.learning_rate) == (10.0, 9.0, 2e-4)
    assert (book.update_first, book.discriminator_update) == ("discriminators", "separate")


def test_the_fast_recipe_is_the_default():
    plain, fast = TrainConfig(), TrainConfig.make(recipe="fast")
    assert dataclasses.replace(fast, recipe=None) == plain == TrainConfig.make()


def test_runs_of_before_go_on_as_they_were(tmp_path):
    """Their files lack the settings that came later, when the book's recipe was the default."""
    path = tmp_path / "config.json"
    later = {"padding", "norm", "skips", "residual", "exact_residual"}
    later |= {"d_norm", "d_shift", "d_colour", "d_source"}
    book = TrainConfig.make(recipe="book", image_size=64)
    written = {k: v for k, v in json.loads(book.to_json()).items() if k not in later}
    path.write_text(json.dumps(written))
    assert TrainConfig.from_json(path) == book
    # When the fast recipe came, residual generators could not let black and white pass.
    fast = TrainConfig.make(recipe="fast")
    written = json.loads(fast.to_json())
    assert written.pop("exact_residual") is True
    path.write_text(json.dumps(written))
    assert TrainConfig.from_json(path) == dataclasses.replace(fast, exact_residual=False)
    # What somebody writes by hand is not complete, and goes by today's defaults.
    path.write_text('{"gf": 8}')
    assert TrainConfig.from_json(path) == TrainConfig(gf=8)


def test_pix2pix_has_its_papers_settings():
    config = TrainConfig.make(model="pix2pix", epochs=3)
    assert (config.image_size, config.epochs, config.dataset) == (64, 3, "fruit_pairs")
    assert (config.generator, config.dropout, config.lambda_l1) == ("deep_unet", 0.5, 100.0)
    assert config.objective == "log_likelihood"
    paper = TrainConfig.make(model="pix2pix", recipe="paper")
    assert (paper.image_size, paper.epochs, paper.decay_epochs) == (256, 200, 100)


def test_the_fast_recipe_is_small():
    """By hand: kernels of 3×3, at the ends 7×7, twice the channels behind a skip, and norms."""
    config = TrainConfig.make(recipe="fast")
    gan = CycleGAN(**config.model_settings())
    ends = (49 * 3 * 8 + 8) + (49 * 16 * 3 + 3)
    halvings = (9 * 8 * 16 + 16) + (9 * 16 * 32 + 32)
    blocks = 4 * 2 * (9 * 32 * 32 + 32)
    doublings = (9 * 32 * 16 + 16) + (9 * 32 * 8 + 8)
    norms = (8 + 16 + 32) + 4 * 2 * 32 + (16 + 8)
    assert gan.g_AB.count_params() == ends + halvings + blocks + doublings + norms == 90_603
    kernels = sum(16 * i * o + o for i, o in ((3, 24), (24, 48), (48, 96), (96, 192), (192, 1)))
    assert gan.d_A.count_params() == kernels + (48 + 96 + 192) == 391_993
    assert gan.view is not None
    assert (config.image_size, config.epochs, config.decay_epochs) == (64, 8, 0)


def test_a_recipe_comes_over_a_base_and_settings_over_both():
    base = TrainConfig(gf=8, df=8, seed=5)
    assert TrainConfig.make(base, seed=6) == TrainConfig(gf=8, df=8, seed=6)
    config = TrainConfig.make(base, recipe="paper", df=16)
    assert (config.gf, config.df, config.seed, config.epochs) == (64, 16, 5, 200)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lambda_l1": 1.0}, "`lambda_l1` is no setting of cyclegan"),
        ({"model": "pix2pix", "pool_size": 50}, "`pool_size` is no setting of pix2pix"),
        ({"model": "pix2pix", "lambda_cycle": 1.0}, "`lambda_cycle` is no setting of pix2pix"),
        ({"model": "dcgan"}, "`model` must be one of cyclegan, pix2pix"),
    ],
)
def test_settings_of_the_other_model_are_not_passed_over(settings, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig.make(**settings)


@pytest.mark.parametrize("kind", [CycleGAN, Pix2Pix])
def test_every_setting_of_a_model_reaches_it(kind):
    config = TrainConfig.make(model=kind.__name__.lower())
    wanted = set(inspect.signature(kind).parameters) - {"data_loader", "name"}
    assert set(config.model_settings()) == wanted


def test_the_classes_defaults_are_the_recipes():
    # `img_shape` and `seed` are their own matter.
    for kind, recipe in ((CycleGAN, "book"), (Pix2Pix, "paper")):
        config = TrainConfig.make(model=kind.__name__.lower(), recipe=recipe)
        for name, parameter in inspect.signature(kind).parameters.items():
            if name not in ("img_shape", "seed", "data_loader", "name") and (
                parameter.default is not None
            ):
                assert parameter.default == getattr(config, name), name


def test_what_was_decided_is_decided_anew_if_that_which_decides_is_changed(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(TrainConfig.make(recipe="paper", epochs=6).to_json())
    changes = {"lambda_cycle": 4.0, "epochs": 20, "image_size": 128}
    changed = TrainConfig.make(TrainConfig.from_json(path), **changes)
    assert changed == TrainConfig.make(recipe="paper", **changes)
    assert (changed.lambda_cycle_A, changed.decay_epochs, changed.num_blocks) == (4.0, 10, 6)
    # What was chosen stays.
    path.write_text(TrainConfig(decay_epochs=2, lambda_cycle_B=3.0).to_json())
    kept = TrainConfig.make(TrainConfig.from_json(path), lambda_cycle=4.0, epochs=20)
    assert (kept.decay_epochs, kept.lambda_cycle_B) == (2, 3.0)
    assert kept.lambda_cycle_A == 4.0


@pytest.mark.parametrize("recipe", ["book", "paper", "fast"])
def test_a_recipe_leaves_nothing_of_what_it_is_put_over(recipe):
    other = TrainConfig(
        **{"lambda_cycle": 3.0, "lambda_cycle_B": 0.0, "lambda_gan": 0.0, "ema": 0.9},
        **{"upsampling": "resize", "num_blocks": 2, "dropout": 0.5, "beta_1": 0.1},
        **{"learning_rate": 1.0, "objective": "hinge", "flip": False, "decay_epochs": 1},
        **{"padding": "reflect", "norm": "none", "skips": True, "residual": True},
        **{"exact_residual": False},
        **{"d_norm": "none", "d_shift": 0.5, "d_colour": 2.0, "d_source": 0.9},
    )
    assert TrainConfig.make(other, recipe=recipe) == TrainConfig.make(recipe=recipe)


def test_what_may_change_in_the_middle_of_a_run():
    begun = TrainConfig()
    may = {"epochs": 20, "decay_epochs": 3, "sample_interval": 9, "checkpoint_interval": 0.5}
    may |= {"keep": 5, "cache_memory": 1.0, "run_dir": "r", "data_dir": "d", "on_nan": "rollback"}
    may |= {"evaluate_every": 5, "extractor": "inception", "best_by": "cycle"}
    may |= {"stop_when_stale": 2, "tensorboard": True}
    assert TrainConfig(**may).differences(begun) == {}
    now = TrainConfig(gf=16, lambda_cycle=7.0, **may)
    assert now.differences(begun) == {
        "gf": (16, 8),
        "lambda_cycle": (7.0, 1.5),
        "lambda_cycle_A": (7.0, 1.5),
        "lambda_cycle_B": (7.0, 1.5),
    }
