import collections

import pytest

from cyclegan_keras.cli.main import main
from cyclegan_keras.config import scale
from cyclegan_keras.config.cyclegan import RECIPES as CYCLEGAN
from cyclegan_keras.config.pix2pix import RECIPES as PIX2PIX
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.inference import translate
from cyclegan_keras.runs import run_data


@pytest.mark.parametrize(("enlarge", "warns"), [(1.0, False), (1.25, False), (1.3, True)])
def test_what_is_another_scale(enlarge, warns):
    assert (scale.warning(enlarge, 64) is not None) == warns


def test_no_recipe_is_at_another_scale():
    for recipe in (*CYCLEGAN.values(), *PIX2PIX.values()):
        assert scale.warning(recipe.data.enlarge, recipe.data.image_size) is None


def test_the_warning_has_the_scale_and_the_size():
    text = scale.warning(8.0, 32)
    assert "parts, 32 pixels a side, of images enlarged 8 times" in text
    assert "everything is 8 times smaller" in text


def test_training_warns_before_it_begins(fruit_dir, tmp_path, monkeypatch, capsys):
    def stop(config):
        raise ValueError("begun")

    monkeypatch.setattr(run_data, "read", stop)
    words = ["train", "--data-dir", str(fruit_dir), "--image-size", "32"]
    assert main([*words, "--enlarge", "8"]) == 2
    error = capsys.readouterr().err
    assert error.index("Warning: Trained at another scale") < error.index("begun")
    assert main(words) == 2
    assert "another scale" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "warns"),
    [
        (TrainConfig(enlarge=8.0).to_json(), True),
        (TrainConfig().to_json(), False),
        ('{"of": "another program"}', False),
        (None, False),
    ],
)
def test_translating_warns_by_the_settings_beside_the_translator(
    text, warns, fruit_dir, tmp_path, monkeypatch, capsys
):
    outcome = translate.Outcome(0, {}, collections.Counter())
    monkeypatch.setattr(translate, "load_generator", lambda path: None)
    monkeypatch.setattr(translate, "translate_files", lambda *given, **settings: outcome)
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    words = ["translate", "--model", str(tmp_path / "g_AB.keras"), str(fruit_dir / "testA")]
    assert main([*words, "--output", str(tmp_path / "out")]) == 0
    assert ("Warning: Trained at another scale" in capsys.readouterr().err) == warns
