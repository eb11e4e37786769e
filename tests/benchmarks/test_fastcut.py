"""FastCUT is as published, and its program trains both ways and keeps what it makes."""

import copy
import itertools
import json
import math
import types

import numpy as np
import pytest
from PIL import Image

from benchmarks import fastcut

pytestmark = pytest.mark.integration

torch = pytest.importorskip("torch", reason="needs PyTorch (benchmarks/requirements.txt)")
torch_fastcut = pytest.importorskip("benchmarks.torch_fastcut")
TorchFastCUT = torch_fastcut.TorchFastCUT

TINY = {"gf": 2, "df": 2, "num_blocks": 1}


@pytest.fixture(autouse=True)
def one_thread():
    """For networks this small PyTorch's threads wait for each other fifty times longer."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def test_the_networks_have_the_published_sizes():
    model = TorchFastCUT()
    # Biases too; the 3×3 convolutions are 2 before the blocks, 18 in them, 2 behind them.
    generator = (3 * 49 + 1) * 64 + (64 * 9 + 1) * 128 + (128 * 9 + 1) * 256
    generator += 18 * (256 * 9 + 1) * 256
    generator += (256 * 9 + 1) * 128 + (128 * 9 + 1) * 64 + (64 * 49 + 1) * 3
    discriminator = (3 * 16 + 1) * 64 + (64 * 16 + 1) * 128 + (128 * 16 + 1) * 256
    discriminator += (256 * 16 + 1) * 512 + 512 * 16 + 1
    heads = sum((channels + 1) * 256 for channels in (3, 128, 256, 256, 256)) + 5 * 257 * 256
    assert (generator, discriminator, heads) == (11_378_179, 2_764_737, 560_384)
    counts = [sum(p.numel() for p in network.parameters()) for network in model.networks]
    assert counts == [generator, discriminator, heads]
    assert model.d(torch.zeros(1, 3, 256, 256)).shape == (1, 1, 30, 30)


def test_weights_at_the_start():
    model = TorchFastCUT(num_blocks=1)
    kernel = model.g.layers[8].weight
    # Glorot's variance for 128 and 256 channels of 3×3, and a gain of 0.02.
    expected = 0.02 * math.sqrt(2 / (9 * (128 + 256)))
    assert kernel.std().item() == pytest.approx(expected, rel=0.01)
    assert model.heads.heads[3][2].weight.std().item() == pytest.approx(0.02 / 16, rel=0.02)
    assert not any(
        p.any() for n in model.networks for name, p in n.named_parameters() if "bias" in name
    )


def test_what_the_loss_compares_sees_as_much_as_in_the_paper():
    g = torch_fastcut.Generator(gf=1)
    for module in g.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.ones_(module.weight)
        if isinstance(module, torch.nn.GroupNorm):  # It would see the whole image.
            module.forward = lambda x: x
    img = torch.full((1, 3, 160, 160), 1e-3, requires_grad=True)
    widths = []
    for x in g.encode(img):
        (gradient,) = torch.autograd.grad(
            x[0, 0, x.shape[2] // 2, x.shape[3] // 2], img, retain_graph=True
        )
        widths.append(int((gradient[0, 0] != 0).any(0).sum()))
    assert widths == [1, 9, 15, 35, 99]


def test_sizes_of_images_by_hand():
    halve = torch_fastcut.Halve()
    row = torch.tensor([0.0, 4.0, 8.0, 0.0]).expand(1, 1, 4, 4)
    # (4 + 0 + 0 + 4) / 4 with the mirrored border, (4 + 8 + 8 + 0) / 4.
    assert halve(row)[0, 0, 0].tolist() == [2.0, 5.0]
    assert halve(torch.zeros(1, 1, 7, 7)).shape == (1, 1, 4, 4)
    model, imgs = TorchFastCUT(**TINY), np.random.default_rng(0).normal(size=(2, 32, 36, 3))
    translations, _ = model.g(torch.tensor(imgs.transpose(0, 3, 1, 2), dtype=torch.float32))
    expected = translations.detach().numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(model.translate(imgs.astype(np.float32)), expected, atol=1e-6)
    assert np.ptp(expected) > 1e-4


def test_the_contrastive_loss_by_hand():
    unit = torch.eye(3, dtype=torch.float64)[None]
    right = math.log(1 + 2 * math.exp(-1 / 0.07))
    assert torch_fastcut.patch_nce(unit, unit).item() == pytest.approx(right, rel=1e-9)
    # One patch is at its place, and two are at each other's.
    swapped = unit[:, [0, 2, 1]]
    wrong = math.log(1 + 1 + math.exp(1 / 0.07))
    expected = (right + 2 * wrong) / 3
    assert torch_fastcut.patch_nce(unit, swapped).item() == pytest.approx(expected, rel=1e-9)
    # Other images of a batch are no negatives.
    both = torch_fastcut.patch_nce(unit.expand(2, 3, 3), torch.cat([unit, swapped]))
    assert both.item() == pytest.approx((right + expected) / 2, rel=1e-9)


def test_originals_get_no_gradient():
    queries, keys = (torch.rand(1, 4, 8, requires_grad=True) for _ in range(2))
    torch_fastcut.patch_nce(queries, keys).backward()
    assert queries.grad.abs().min() > 0
    assert keys.grad is None


def all_layers(model, heads, A, fake, is_flipped):
    """The contrastive loss over all pixels, another way."""
    losses = []
    for head, x, y in zip(heads.heads, model.encode(fake), model.encode(A), strict=True):
        q = head((x.flip(3) if is_flipped else x).flatten(2).transpose(1, 2))
        k = head(y.flatten(2).transpose(1, 2)).detach()
        q, k = (z / (z.norm(dim=2, keepdim=True) + 1e-7) for z in (q, k))
        odds = torch.einsum("bqd,bkd->bqk", q, k) / 0.07
        losses.append((odds.logsumexp(2) - (q * k).sum(2) / 0.07).mean())
    return sum(losses) / len(losses)


@pytest.mark.parametrize("is_flipped", [False, True])
def test_a_step_another_way_in_float64(is_flipped, random_images, monkeypatch):
    # With all pixels, it does not matter in which order chance takes them.
    monkeypatch.setattr(torch_fastcut, "NUM_PATCHES", 10_000)
    monkeypatch.setattr(torch, "rand", lambda _: torch.tensor(0.49 if is_flipped else 0.5))
    model = TorchFastCUT(**TINY)
    for network in model.networks:
        network.double()
    g, d, heads = copy.deepcopy(model.networks)
    imgs_A, imgs_B = random_images(2, 1, 32, 32, 3, dtype="float64")
    losses = model.step(imgs_A, imgs_B)

    A, B = (torch.tensor(imgs.transpose(0, 3, 1, 2)) for imgs in (imgs_A, imgs_B))
    fake, _ = g(A.flip(3) if is_flipped else A)
    d_loss = ((d(B) - 1).square().mean() + d(fake.detach()).square().mean()) / 2
    # The generator meets the discriminator after its update.
    adversarial = (model.d(fake) - 1).square().mean()
    nce = all_layers(g, heads, A, fake, is_flipped)
    expected = {"d": d_loss.item(), "adversarial": adversarial.item(), "nce": nce.item()}
    assert losses == pytest.approx(expected, rel=1e-9)
    for network, loss, trained in (
        (d, d_loss, model.d),
        (g, adversarial + 10 * nce, model.g),
        (heads, 10 * nce, model.heads),
    ):
        parameters = list(network.parameters())
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
        for before, gradient, now in zip(parameters, gradients, trained.parameters(), strict=True):
            # Biases before a norm have no gradient but what rounding leaves.
            torch.testing.assert_close(now.grad, gradient, rtol=1e-6, atol=1e-9)
            # Adam's first step is as long as the rate, where rounding does not decide.
            clear = gradient.abs() > 1e-5
            moves = (now - before)[clear] / gradient[clear].sign()
            torch.testing.assert_close(moves, torch.full_like(moves, -2e-4), rtol=0.01, atol=0)


def test_a_step_takes_256_patches_at_most(random_images, monkeypatch):
    model, counts = TorchFastCUT(**TINY), []
    nce = torch_fastcut.patch_nce
    monkeypatch.setattr(
        torch_fastcut, "patch_nce", lambda q, k: counts.append(q.shape[1]) or nce(q, k)
    )
    model.step(*random_images(2, 1, 32, 32, 3))
    # Of 38², 32², 16² and 8² pixels.
    assert counts == [256, 256, 256, 64]


def test_the_rate_is_that_of_all_networks(random_images):
    model, imgs = TorchFastCUT(**TINY), random_images(2, 1, 32, 32, 3)
    model.set_learning_rate(0.0)
    before = copy.deepcopy([network.state_dict() for network in model.networks])
    model.step(*imgs)
    after = [network.state_dict() for network in model.networks]
    torch.testing.assert_close(after, before, rtol=0, atol=0)


def test_the_rate_and_the_images_of_each_step(loader, monkeypatch, capsys):
    rates, seen = [], []

    class Model:
        def set_learning_rate(self, rate):
            rates.append(rate / 2e-4)

        def step(self, *imgs):
            seen.append(imgs)
            return {"nce": 0.5}

    for swapped in (False, True):
        clock = types.SimpleNamespace(perf_counter=itertools.count(0, 7.5).__next__)
        monkeypatch.setattr(fastcut, "time", clock)
        loader._epochs_begun = 0
        assert fastcut.train(Model(), loader, swapped, minutes=1) == (7, 60)
        assert capsys.readouterr().out == "step 6, 45 s: nce 0.500\n"
    # An eighth of the time for each step: in the last one, half of the last quarter is left.
    assert rates == pytest.approx(2 * [1, 1, 1, 1, 1, 1, 0.5])
    for forth, back in zip(seen[:7], seen[7:], strict=True):
        np.testing.assert_array_equal(forth, back[::-1])
        assert np.abs(forth[0] - forth[1]).max() > 0


def test_images_are_scaled_and_cut_as_published(fruit_dir):
    loader = fastcut.load(str(fruit_dir), 64, seed=3)
    assert (loader.img_res, loader.load_res, loader.seed) == ((64, 64), (72, 72), 3)
    assert fastcut.load(str(fruit_dir), 256, seed=3).load_res == (286, 286)


def test_translations_are_kept(fruit_dir, tmp_path, monkeypatch, capsys):
    made = []

    class Negative(TorchFastCUT):
        def __init__(self, *sizes):
            super().__init__(*sizes)
            made.append((sizes, self.g.layers[1].weight.sum().item()))

        def translate(self, imgs):
            translations = super().translate(imgs)
            assert translations.shape == imgs.shape == (4, 32, 32, 3)
            return -imgs

    monkeypatch.setattr(torch_fastcut, "TorchFastCUT", Negative)
    output = tmp_path / "out"
    argv = ["--data-dir", str(fruit_dir), "--output", str(output), "--size", "32"]
    argv += ["--gf", "2", "--df", "3", "--blocks", "1", "--minutes", "0.02"]
    assert fastcut.main(argv) == 0
    assert made[0] == made[1]  # From the same seed.
    assert made[0][0] == (2, 3, 1)
    trained = json.loads((output / "training.json").read_text("utf-8"))
    assert (trained["gf"], trained["blocks"], trained["size"]) == (2, 1, 32)
    for way in ("AB", "BA"):
        assert trained[way]["steps"] > 0
        assert trained[way]["seconds"] >= 0.6
        originals = sorted((fruit_dir / f"test{way[0]}").iterdir())
        translations = sorted((output / way).iterdir())
        assert [p.name for p in translations] == [p.name for p in originals]
        for original, translation in zip(originals, translations, strict=True):
            pixels = [np.asarray(Image.open(path)) for path in (original, translation)]
            np.testing.assert_array_equal(pixels[0], 255 - pixels[1])
    assert fastcut.main(argv) == 2
    assert capsys.readouterr().err.endswith("is there already. Give another --output.\n")


def test_what_is_wrong_is_told_before_anything_is_trained(tmp_path, fruit_dir, capsys):
    argv = ["--output", str(tmp_path / "out"), "--data-dir"]
    assert fastcut.main([*argv, str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("fastcut.py: error: No images of")
    with pytest.raises(ValueError, match=r"a name of its own. Received twice: \['1.png'\]"):
        fastcut.names_of([tmp_path / "a" / "1.jpg", tmp_path / "2.jpg", tmp_path / "1.png"])
    assert not (tmp_path / "out").exists()
