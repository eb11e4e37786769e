import copy
import dataclasses
import json
import pathlib
import pickle

import pytest

from cyclegan_keras import CycleGAN, Pix2Pix
from cyclegan_keras.config import registry
from cyclegan_keras.config.cyclegan import BOOK, FAST, CycleGANConfig
from cyclegan_keras.config.data import DataConfig
from cyclegan_keras.config.models import MODELS
from cyclegan_keras.config.networks import DISCRIMINATORS, GENERATORS, ResNetConfig
from cyclegan_keras.config.train_config import TrainConfig


def test_settings_survive_the_file(tmp_path):
    path = tmp_path / "config.json"
    config = TrainConfig(data_dir="a b", lambda_id=0.5, epochs=3, lambda_cycle=5)
    path.write_text(config.to_json())
    assert TrainConfig.from_json(path) == config
    assert json.loads(path.read_text())["model"]["loss"]["lambda_cycle"] == 5.0
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
        ({"model": "pix2pix", "recipe": "book"}, "`recipe` must be paper .*'book'"),
        ({"model": "pix2pix", "recipe": "fast"}, "`recipe` must be paper .*'fast'"),
        ({"keep": 0}, "`keep` must be at least 1"),
        ({"checkpoint_interval": -1.0}, "`checkpoint_interval` must be at least 0"),
        ({"on_nan": "ignore"}, "`on_nan` must be one of stop, rollback"),
        ({"evaluate_every": -1}, "`evaluate_every` must be at least 0"),
        ({"stop_when_stale": -1}, "`stop_when_stale` must be at least 0"),
        (
            {"stop_when_stale": 3},
            "takes `evaluate_every` above 0.*stop_when_stale=3, evaluate_every=0",
        ),
        ({"best_by": "ssim"}, "`best_by` must be one of auto, ground_truth, kid, fid, cycle"),
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
    assert wanted.items() <= config.flat().items()
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


GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "settings"
SMALL = {"image_size": 64, "epochs": 2, "sample_interval": 4}
OF_GOLDEN = {
    "book": {**SMALL, "recipe": "book", "gf": 8, "df": 8, "batch_size": 2},
    "paper": {**SMALL, "recipe": "paper", "gf": 8, "df": 8, "num_blocks": 2}
    | {"epoch_length": "shorter"},
    # The recipe had larger patches and kernels, a lower learning rate, no penalty, no detail, and a
    # residual output then.
    "fast": {**SMALL, "recipe": "fast", "discriminator": "patch70", "r1": 0, "outer_kernel": 7}
    | {"residual_output": True, "d_detail": 0, "d_detail_size": 3, "r1_every": 1}
    | {"learning_rate": 2e-4},
    "pix2pix": {"model": "pix2pix", "gf": 8, "df": 8, "batch_size": 8}
    | {"epochs": 1, "sample_interval": 20},
}


@pytest.mark.parametrize(("name", "settings"), OF_GOLDEN.items())
def test_files_of_before_settings_were_nested(name, settings, tmp_path):
    """They were written by the version that had all settings side by side."""
    old = TrainConfig.from_json(GOLDEN / f"{name}.json")
    assert old == TrainConfig(**settings, run_dir=f"runs/{name}")
    written = json.loads((GOLDEN / f"{name}.json").read_text())
    # Those that another network or model has are not in effect; later ones change nothing.
    flat, written = old.flat(), {today(name): value for name, value in written.items()}
    later = {name: value for name, value in flat.items() if name not in written}
    assert later.pop("d_affine", False) == (name == "pix2pix")
    for new in ("blended_output", "exact_convolutions", "jit"):
        assert later.pop(new) is False
    assert later.pop("d_detail", 0) == 0
    assert later.pop("d_detail_size", 3) == 3
    assert later.pop("outer_kernel", 7) == 7
    assert later.pop("fit") == "stretch"
    assert later.pop("decode") == "auto"
    assert later.pop("classes") is None
    assert later.pop("hash_images") is False
    assert later.pop("strategy") is None
    assert later.pop("wait_for_workers") == later.pop("step_timeout") == 600
    assert later == {"r1": 0, "r2": 0, "r1_every": 1, "minutes": None, "steps": None} | (
        {} if name == "pix2pix" else {"diffaugment_cutout": 0}
    )
    assert {n: flat[n] for n in flat.keys() & written.keys()} == {
        n: written[n] for n in flat.keys() & written.keys()
    }
    (tmp_path / "config.json").write_text(old.to_json())
    again = TrainConfig.from_json(tmp_path / "config.json")
    assert (again, again.chosen) == (old, old.chosen)
    # What decides is still free to.
    assert old.replace(epochs=40).decay_epochs == {"paper": 20, "pix2pix": 20}.get(name, 0)


def today(name):
    names = {"residual": "residual_output", "d_shift": "diffaugment_translation"}
    names |= {"d_colour": "diffaugment_color", "d_source": "source_negatives"}
    return {**names, "best_by": "monitor", "stop_when_stale": "patience"}.get(name, name)


def test_runs_of_before_go_on_as_they_were(tmp_path):
    """Their files lack the settings that came later, when the book's recipe was the default."""
    path = tmp_path / "config.json"
    later = {"padding", "norm", "skips", "residual", "exact_residual"}
    later |= {"d_norm", "d_shift", "d_colour", "d_source"}
    written = json.loads((GOLDEN / "book.json").read_text())
    path.write_text(json.dumps({k: v for k, v in written.items() if k not in later}))
    assert TrainConfig.from_json(path) == TrainConfig.from_json(GOLDEN / "book.json")
    # When the fast recipe came, residual generators could not let black and white pass.
    written = json.loads((GOLDEN / "fast.json").read_text())
    assert written.pop("exact_residual") is True
    path.write_text(json.dumps(written))
    fast = TrainConfig.from_json(GOLDEN / "fast.json")
    assert TrainConfig.from_json(path) == fast.replace(exact_residual=False)
    # What somebody writes by hand is not complete, and goes by today's defaults.
    path.write_text('{"gf": 8}')
    assert TrainConfig.from_json(path) == TrainConfig(gf=8)


def test_a_file_is_data_model_and_run(tmp_path):
    path = tmp_path / "config.json"
    config = TrainConfig(recipe="paper", gf=8, data_dir="there")
    written = json.loads(config.to_json())
    assert [*written] == ["version", "data", "model", "run"]
    assert written["version"] == 2
    assert written["model"]["kind"] == "cyclegan"
    assert written["model"]["generator"]["kind"] == "resnet"
    assert written["model"]["generator"]["gf"] == 8
    assert (written["model"]["loss"]["lambda_cycle_A"], written["run"]["decay_epochs"]) == (10, 100)
    # By hand, a part of it will do.
    wanted = TrainConfig(recipe="paper", gf=8, data_dir="there", discriminator="patch16")
    by_hand = {
        "version": 2,
        "data": {"data_dir": "there"},
        "model": {"generator": {"gf": 8}, "discriminator": {"kind": "patch16"}},
        "run": {"recipe": "paper"},
    }
    path.write_text(json.dumps(by_hand))
    assert TrainConfig.from_json(path) == wanted
    # Settings may stand beside them, by the names of the flags.
    path.write_text(json.dumps({**by_hand, "df": 4}))
    assert TrainConfig.from_json(path) == wanted.replace(df=4)
    by_hand["model"]["generator"]["gr"] = 8
    path.write_text(json.dumps(by_hand))
    with pytest.raises(ValueError, match=r"config\.json.*model\.generator .*'gf'.*\['gr'\]"):
        TrainConfig.from_json(path)
    path.write_text(json.dumps({**written, "version": 3}))
    with pytest.raises(ValueError, match=r"of version 3.*up to version 2"):
        TrainConfig.from_json(path)
    path.write_text(json.dumps({**written, "game": {}}))
    with pytest.raises(ValueError, match=r"\['game'\]"):
        TrainConfig.from_json(path)


def test_parts_may_be_given_whole():
    model = CycleGANConfig(generator=ResNetConfig(gf=4, num_blocks=2), loss=FAST.model.loss)
    config = TrainConfig(model=model, epochs=3)
    assert config.model == model
    assert (config.generator, config.gf, config.discriminator, config.df) == (
        *("resnet", 4, "book", 64),
    )
    assert (config.run.epochs, config.image_size) == (3, 64)
    assert config.replace(num_blocks=1).model.generator == ResNetConfig(gf=4, num_blocks=1)
    assert config.replace(model=CycleGANConfig()).gf == 32
    assert TrainConfig(data=DataConfig(image_size=32)).image_size == 32
    # An override changes that one.
    book = TrainConfig(recipe="book", pool_size=5)
    step = dataclasses.replace(BOOK.model.step, pool_size=5)
    assert book.model == dataclasses.replace(BOOK.model, step=step)


def test_penalties_and_cutout_reach_the_model():
    config = TrainConfig(
        image_size=32, gf=2, df=2, r1=3, r2=2.0, r1_every=4, diffaugment_cutout=0.5
    )
    gan = CycleGAN(**config.model_settings())
    assert (gan.r1, gan.r2, gan.r1_every, gan.view.cutout) == (3.0, 2.0, 4, 0.5)
    pairs = TrainConfig(model="pix2pix", image_size=32, gf=2, df=2, r1=3)
    assert Pix2Pix(**pairs.model_settings()).r1 == 3.0
    for wrong, words in (
        ({"r1": -1.0}, "`r1` must be at least 0"),
        ({"r1_every": 0}, "`r1_every` must be at least 1"),
        ({"diffaugment_cutout": 1.5}, "`diffaugment_cutout` must be at most 1"),
    ):
        with pytest.raises(ValueError, match=words):
            TrainConfig(**wrong)


def test_earlier_names_still_work():
    config = TrainConfig(d_shift=0.25, d_colour=1, d_source=0.25, residual=False)
    assert config == TrainConfig(
        diffaugment_translation=0.25,
        diffaugment_color=1.0,
        source_negatives=0.25,
        residual_output=False,
    )
    assert (config.d_shift, config.d_colour, config.d_source, config.residual) == (
        *(0.25, 1.0, 0.25, False),
    )
    judged = TrainConfig(evaluate_every=5, best_by="kernel", stop_when_stale=2)
    assert (judged.monitor, judged.patience, judged.best_by) == ("kid", 2, "kid")
    gan = CycleGAN((32, 32, 3), gf=2, df=2, d_shift=0.25, residual=True, seed=0)
    assert gan.config.diffaugment.translation == 0.25
    assert gan.config.generator.residual
    with pytest.raises(TypeError, match=r"no such setting.*game"):
        TrainConfig(game=1)


@pytest.mark.parametrize("kind", [*GENERATORS.values(), *DISCRIMINATORS.values()])
def test_settings_of_a_network_build_it(kind):
    small = kind.with_settings(**{"gf" if "gf" in kind.settings() else "df": 2})
    network = small.build(
        (96, 96, 3) if kind.kind != "deep_unet" else (32, 32, 3), seed=0, name="n"
    )
    assert network.name == "n"
    assert network.count_params() > 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        small.norm = "none"
    with pytest.raises(ValueError, match=r"`norm` must be one of instance.*norm='batch'"):
        dataclasses.replace(small, norm="batch")


def test_pix2pix_has_its_papers_settings():
    config = TrainConfig.make(model="pix2pix", epochs=3)
    assert (config.image_size, config.epochs, config.dataset) == (64, 3, "fruit_pairs")
    assert (config.generator, config.dropout, config.lambda_l1) == ("deep_unet", 0.5, 100.0)
    assert config.objective == "log_likelihood"
    paper = TrainConfig.make(model="pix2pix", recipe="paper")
    assert (paper.image_size, paper.epochs, paper.decay_epochs) == (256, 200, 100)


def test_the_fast_recipe_is_small():
    """By hand: kernels of 3×3, twice the channels behind a skip, and norms."""
    config = TrainConfig.make(recipe="fast")
    gan = CycleGAN(**config.model_settings())
    ends = (9 * 3 * 8 + 8) + (9 * 16 * 6 + 6)  # A new image and a mask come out.
    halvings = (9 * 8 * 16 + 16) + (9 * 16 * 32 + 32)
    blocks = 4 * 2 * (9 * 32 * 32 + 32)
    doublings = (9 * 32 * 16 + 16) + (9 * 32 * 8 + 8)
    norms = (8 + 16 + 32) + 4 * 2 * 32 + (16 + 8)
    assert gan.g_AB.count_params() == ends + halvings + blocks + doublings + norms == 88_158
    kernels = sum(16 * i * o + o for i, o in ((6, 24), (24, 48), (48, 96), (96, 1)))
    assert gan.d_A.count_params() == kernels + 48 + 96 == 96_313
    assert (gan.r1, config.r1_every, config.d_detail, config.d_detail_size) == (0.3, 4, 16.0, 7)
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


@pytest.mark.parametrize(("kind", "recipe"), [(CycleGAN, "book"), (Pix2Pix, "paper")])
def test_the_classes_defaults_are_the_recipes(kind, recipe):
    config = TrainConfig(model=kind.__name__.lower(), recipe=recipe)
    own = kind.default_config.flat()
    same = {name: value for name, value in own.items() if value is not None}
    assert same == {name: config.flat()[name] for name in same}
    gan = kind(img_shape=(64, 64, 3), gf=2, df=2)
    assert gan.config == kind.default_config.with_settings(gf=2, df=2)
    assert gan.lambda_id == 9.0 if kind is CycleGAN else gan.direction == "A-to-B"


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


OTHER = {
    **{"lambda_cycle": 3.0, "lambda_cycle_B": 0.0, "lambda_gan": 0.0, "ema": 0.9, "beta_1": 0.1},
    **{"learning_rate": 1.0, "objective": "wasserstein", "lambda_penalty": 5.0, "flip": False},
    **{
        "decay_epochs": 1,
        "residual": True,
        "exact_residual": False,
        "gf": 5,
        "df": 5,
        "enlarge": 1.5,
        "pool_size": 7,
    },
    **{"d_norm": "none", "d_shift": 0.5, "d_colour": 2.0, "d_source": 0.9},
}
OF_A_RESNET = {"upsampling": "resize", "num_blocks": 2, "padding": "reflect", "norm": "none"}


@pytest.mark.parametrize("recipe", ["book", "paper", "fast"])
@pytest.mark.parametrize(
    "networks", [{**OF_A_RESNET, "skips": True}, {"generator": "deep_unet", "dropout": 0.5}]
)
def test_a_recipe_leaves_nothing_of_what_it_is_put_over(recipe, networks):
    other = TrainConfig(**OTHER, **networks)
    plain = TrainConfig.make(recipe=recipe)
    assert TrainConfig.make(other, recipe=recipe) == plain
    assert dataclasses.replace(other, recipe=recipe) == plain


PAIRS = [("cyclegan", "book"), ("cyclegan", "paper"), ("cyclegan", "fast"), ("pix2pix", "paper")]


@pytest.mark.parametrize(("model", "recipe"), [*PAIRS, ("pix2pix", None)])
def test_a_recipes_name_means_its_values_everywhere(model, recipe, tmp_path):
    named = {"model": model, "recipe": recipe}
    config = TrainConfig(**named)
    values = MODELS[model].recipes[recipe]
    assert (config.model, config.data, config.run) == (values.model, values.data, values.run)
    assert config.chosen == frozenset()
    path = tmp_path / "settings.json"
    for base in ({}, {"seed": 3}):
        path.write_text(json.dumps({**base, **named}))
        assert TrainConfig.from_json(path) == TrainConfig(**base, **named)
        assert dataclasses.replace(TrainConfig(**base), **named) == TrainConfig(**base, **named)
        path.write_text(json.dumps(base))
        assert TrainConfig.make(TrainConfig.from_json(path), **named) == TrainConfig(
            **base, **named
        )
    # The file of a run says all: it is read as it was written.
    path.write_text(config.to_json())
    assert TrainConfig.from_json(path) == config
    changed = TrainConfig(**named, image_size=256, learning_rate=0.1)
    path.write_text(changed.to_json())
    assert TrainConfig.from_json(path) == changed
    assert TrainConfig.from_flat(changed.flat()) == changed
    assert pickle.loads(pickle.dumps(changed)) == copy.deepcopy(changed) == changed


def test_what_is_given_beside_a_recipe_comes_on_top(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"recipe": "book", "image_size": 64}')
    book = TrainConfig.from_json(path)
    assert (book.image_size, book.generator, book.gf, book.lambda_id) == (64, "unet", 32, 9.0)
    # Also where it is what the other settings had: 64 is the fast recipe's size.
    assert dataclasses.replace(TrainConfig(), recipe="paper", image_size=64) == TrainConfig(
        recipe="paper", image_size=64
    )
    assert TrainConfig(recipe="paper", epochs=6).decay_epochs == 3
    assert dataclasses.replace(TrainConfig(recipe="paper"), epochs=6).decay_epochs == 3
    # What was chosen stays, though it might have been decided.
    chosen = TrainConfig(recipe="paper", epochs=6, decay_epochs=3)
    assert dataclasses.replace(chosen, epochs=20).decay_epochs == 3


def test_a_model_put_over_a_run_of_the_other_one(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(TrainConfig(recipe="book", **{**OTHER, "d_norm": "instance"}).to_json())
    pairs = TrainConfig.make(TrainConfig.from_json(path), model="pix2pix")
    assert pairs == TrainConfig(model="pix2pix")
    path.write_text(TrainConfig(model="pix2pix", recipe="paper", direction="B-to-A").to_json())
    back = TrainConfig.make(TrainConfig.from_json(path), model="cyclegan")
    assert back == TrainConfig(recipe="paper")
    # The images are no part of a recipe.
    path.write_text(TrainConfig(dataset="facades", seed=5).to_json())
    pairs = TrainConfig.make(TrainConfig.from_json(path), model="pix2pix")
    assert pairs == TrainConfig(model="pix2pix", dataset="facades", seed=5)
    there = dataclasses.replace(TrainConfig(data_dir="there"), model="pix2pix")
    assert there == TrainConfig(model="pix2pix", data_dir="there")


def test_the_files_of_the_first_versions(tmp_path):
    """They had thirteen settings, then fourteen and sixteen, and the book's networks only."""
    path = tmp_path / "config.json"
    first = {"dataset": "fruit", "data_dir": None, "image_size": 64, "batch_size": 1, "epochs": 9}
    first |= {"sample_interval": 50, "seed": 0, "run_dir": None, "lambda_cycle": 10.0}
    first |= {"lambda_id": 9.0, "gf": 32, "df": 64, "learning_rate": 2e-4}
    book = TrainConfig(recipe="book", image_size=64, batch_size=1, epochs=9, sample_interval=50)
    for more in ({}, {"decay_epochs": 4}, {"decay_epochs": 4, "precision": "float32"}):
        path.write_text(json.dumps({**first, **more}))
        found = TrainConfig.from_json(path)
        assert found.flat() == {**book.flat(), **more, "recipe": None}


NOTHING = [
    ({"dropout": 0.5}, "dropout", "generator"),
    ({"generator": "unet", "num_blocks": 6}, "num_blocks", "generator"),
    ({"generator": "unet", "upsampling": "resize"}, "upsampling", "generator"),
    ({"generator": "deep_unet", "padding": "paper"}, "padding", "generator"),
    ({"generator": "unet", "skips": False}, "skips", "generator"),
    ({"recipe": "book", "norm": "pixel"}, "norm", "generator"),
    ({"model": "pix2pix", "norm": "none"}, "norm", "generator"),
    ({"discriminator": "book", "d_norm": "pixel"}, "d_norm", "discriminator"),
    ({"lambda_penalty": 5.0}, "lambda_penalty", "objective"),
    ({"best_by": "cycle"}, "best_by", "evaluate_every"),
    ({"extractor": "inception"}, "extractor", "evaluate_every"),
    ({"stop_when_stale": 3}, "stop_when_stale", "evaluate_every"),
    ({"dataset": "x", "data_dir": "y"}, "dataset", "data_dir"),
    ({"epochs": 3, "decay_epochs": 4}, "decay_epochs", "epochs"),
    (
        {"lambda_cycle": 1.0, "lambda_cycle_A": 2.0, "lambda_cycle_B": 3.0},
        *("lambda_cycle", "lambda_cycle_B"),
    ),
    ({"direction": "B-to-A"}, "direction", "model"),
    ({"model": "pix2pix", "epoch_length": "longer"}, "epoch_length", "model"),
    ({"model": "pix2pix", "update_first": "generators"}, "update_first", "model"),
]


@pytest.mark.parametrize(("settings", "one", "other"), NOTHING)
def test_a_setting_that_does_nothing_is_named_with_the_one_that_has_it_so(
    settings, one, other, tmp_path
):
    wanted = rf"`{one}` .*\b{one}=.*\b{other}="
    with pytest.raises(ValueError, match=wanted):
        TrainConfig(**settings)
    with pytest.raises(ValueError, match=wanted):
        dataclasses.replace(TrainConfig(), **settings)
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(settings))
    with pytest.raises(ValueError, match=rf"settings\.json.*{wanted}"):
        TrainConfig.from_json(path)
    # What a run has written is never refused, and goes on.
    path.write_text(json.dumps({**TrainConfig().flat(), **settings}))
    recorded = TrainConfig.from_json(path)
    assert dataclasses.replace(recorded, seed=4).seed == 4


def test_a_setting_loses_its_meaning_by_a_later_one(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"generator": "unet", "dropout": 0.5}')
    for base in (TrainConfig.from_json(path), TrainConfig(generator="unet", dropout=0.5)):
        with pytest.raises(ValueError, match=r"`dropout` does nothing .*generator='resnet'"):
            dataclasses.replace(base, generator="resnet")
        assert dataclasses.replace(base, generator="resnet", dropout=0).dropout == 0
    # Who turns a part off turns off what belongs to it.
    judged = TrainConfig(evaluate_every=5, best_by="cycle", stop_when_stale=2)
    assert dataclasses.replace(judged, evaluate_every=0).stop_when_stale == 2
    # A recipe's own value is nobody's choice.
    pairs = dataclasses.replace(TrainConfig(model="pix2pix"), generator="resnet")
    assert pairs.generator == "resnet"
    named = TrainConfig(dataset="x")
    assert dataclasses.replace(named, data_dir="y").data_dir == "y"
    there = dataclasses.replace(TrainConfig(data_dir="y"), dataset="x")
    assert (there.dataset, there.data_dir) == ("x", None)


@pytest.mark.parametrize(
    "settings",
    [
        {"dropout": 0.0, "extractor": "none", "best_by": "auto", "stop_when_stale": 0},
        {"recipe": "book", "norm": "instance", "d_norm": "instance", "num_blocks": None},
        {"lambda_cycle": 1.0, "lambda_cycle_A": 2.0},
        {"evaluate_every": 5, "extractor": "inception", "best_by": "kid", "stop_when_stale": 1},
        {"objective": "wasserstein", "lambda_penalty": 5.0},
    ],
)
def test_a_setting_that_is_true_is_taken(settings):
    config = TrainConfig(**settings)
    assert {name: getattr(config, name) for name in settings if name != "num_blocks"} == {
        name: value for name, value in settings.items() if name != "num_blocks"
    }


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


@pytest.mark.parametrize(
    ("given", "kept", "img_res"),
    [
        (64, 64, (64, 64)),
        ("64", 64, (64, 64)),
        ("64x64", 64, (64, 64)),
        ("256x512", "256x512", (256, 512)),
        ("48X32", "48x32", (48, 32)),
        (" 48 × 32 ", "48x32", (48, 32)),
        ((48, 32), "48x32", (48, 32)),
        ([48, 32], "48x32", (48, 32)),
    ],
)
def test_a_size_is_a_number_or_height_and_width(given, kept, img_res, tmp_path):
    config = TrainConfig(image_size=given, channels=1)
    assert (config.image_size, config.img_res) == (kept, img_res)
    assert config.model_settings()["img_shape"] == (*img_res, 1)
    (tmp_path / "config.json").write_text(config.to_json())
    assert TrainConfig.from_json(tmp_path / "config.json") == config
    (tmp_path / "old.json").write_text(f'{{"image_size": {img_res[0]}}}')
    assert TrainConfig.from_json(tmp_path / "old.json").img_shape == (img_res[0], img_res[0], 3)


@pytest.mark.parametrize(
    "given", [31, "31x64", "64x31", "64x", "x64", "", "a", "3x4x5", 64.0, True, None, [64, 64, 3]]
)
def test_what_is_no_size_is_told(given):
    with pytest.raises(ValueError, match=r"`image_size` must be .*HEIGHTxWIDTH.*256x512.*Received"):
        TrainConfig(image_size=given)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"recipe": "book", "image_size": "64x72"}, "divisible by 16 in height.*; 64 would do"),
        ({"image_size": "70x64"}, "divisible by 4 in height and in width.*; 72x64 would do"),
        ({"generator": "deep_unet", "image_size": "64x96"}, "divisible by 64.*; 64x128 would do"),
        ({"discriminator": "patch286", "image_size": "64x96"}, "at least 96"),
        ({"channels": 2}, "`channels` must be one of 1, 3.*channels=2"),
    ],
)
def test_both_sides_must_fit_the_networks(settings, told):
    with pytest.raises(ValueError, match=told):
        TrainConfig.make(**settings)


def test_blocks_go_by_the_longer_side_as_in_the_network():
    blocks = [
        TrainConfig.make(recipe="paper", image_size=size).num_blocks
        for size in ("128x252", "128x256", "256x128")
    ]
    assert blocks == [6, 9, 9]


def test_a_value_range_is_one_setting_before_and_after_it_is_found(tmp_path):
    given = TrainConfig(value_range=["auto"])
    assert given.value_range == "auto"
    found = TrainConfig(value_range=("auto", 1, 2, 3, 4))
    path = tmp_path / "config.json"
    path.write_text(found.to_json())
    again = TrainConfig.from_json(path)
    assert again.value_range == ("auto", 1.0, 2.0, 3.0, 4.0)
    assert given.differences(again) == again.differences(given) == {}
    for other in (None, (1.0, 2.0, 3.0, 4.0), ("auto", 1, 2, 3, 5)):
        assert list(TrainConfig(value_range=other).differences(again)) == ["value_range"]


def test_a_value_range_is_checked():
    with pytest.raises(ValueError, match=r"`value_range` must be 'auto', or .*\[4000, 1000\]"):
        TrainConfig(value_range=[4000, 1000])


def test_what_is_written_is_the_norm_that_the_networks_have(tmp_path):
    """The default is that of the ResNet, which no U-Net has."""
    config = TrainConfig(generator="unet", discriminator="book")
    assert (config.norm, config.d_norm) == ("instance", "instance")
    (tmp_path / "c.json").write_text(
        config.to_json().replace('"norm": "instance"', '"norm": "pixel"')
    )
    assert TrainConfig.from_json(tmp_path / "c.json") == config
    assert TrainConfig().norm == "pixel"
    assert dataclasses.replace(config, generator="resnet", discriminator="patch70").norm == "pixel"
    assert dataclasses.replace(config, gf=3).norm == "instance"
    paper = TrainConfig(recipe="paper", generator="unet")
    assert dataclasses.replace(paper, generator="resnet").norm == "instance"
    with pytest.raises(ValueError, match="`norm` does nothing here"):
        dataclasses.replace(TrainConfig(norm="pixel"), generator="unet")


def test_a_size_that_is_no_larger_is_told():
    assert TrainConfig(enlarge=1.01).enlarge == 1.01
    assert TrainConfig(enlarge=1.0).enlarge == 1.0
    with pytest.raises(ValueError, match=r"`enlarge` does nothing here.*1\.001.*image_size=64"):
        TrainConfig(enlarge=1.001)


def test_settings_files_of_editors_and_of_folders(tmp_path):
    path = tmp_path / "c.json"
    path.write_text('{"recipe": "book"}', "utf-8-sig")
    assert TrainConfig.from_json(path) == TrainConfig(recipe="book")
    path.write_text('{"gf": 3, "df": 4, "gf": 5}')
    with pytest.raises(ValueError, match="'gf' is there more than once"):
        TrainConfig.from_json(path)
    with pytest.raises(ValueError, match=r"Cannot read .*directory.*such as the config\.json"):
        TrainConfig.from_json(tmp_path)


def test_the_settings_of_a_model_are_looked_for_once(monkeypatch):
    """Each flag of `train` asks each model for them, thousands of times a command."""
    first = MODELS["cyclegan"].settings
    monkeypatch.setattr(registry, "all_settings", lambda parts: pytest.fail("looked for again"))
    assert MODELS["cyclegan"].settings is first
    assert {"gf", "lambda_cycle", "num_blocks"} <= first
