"""State dicts of PyTorch against the networks that they are of, written out here."""

import os
import pickle
import zipfile

import numpy as np
import pytest

from cyclegan_keras import load_generator
from cyclegan_keras.cli import main as cli
from cyclegan_keras.convert.conversion import convert_generator, read_generator

torch = pytest.importorskip("torch", reason="needs PyTorch (benchmarks/requirements.txt)")
nn = torch.nn


class Block(nn.Module):
    def __init__(self, filters, norm, bias):
        super().__init__()
        half = [nn.ReflectionPad2d(1), nn.Conv2d(filters, filters, 3, bias=bias), norm(filters)]
        other = [nn.ReflectionPad2d(1), nn.Conv2d(filters, filters, 3, bias=bias), norm(filters)]
        self.conv_block = nn.Sequential(*half, nn.ReLU(True), *other)

    def forward(self, x):
        return x + self.conv_block(x)


def resnet(norm=nn.InstanceNorm2d, blocks=1, bias=True, resized=False, gf=2):
    parts = [nn.ReflectionPad2d(3), nn.Conv2d(3, gf, 7, bias=bias), norm(gf), nn.ReLU(True)]
    for n in (gf, 2 * gf):
        parts += [nn.Conv2d(n, 2 * n, 3, 2, 1, bias=bias), norm(2 * n), nn.ReLU(True)]
    parts += [Block(4 * gf, norm, bias) for _ in range(blocks)]
    for n in (4 * gf, 2 * gf):
        if resized:
            parts += [nn.Upsample(scale_factor=2), nn.Conv2d(n, n // 2, 3, 1, 1)]
        else:
            parts += [nn.ConvTranspose2d(n, n // 2, 3, 2, 1, 1, bias=bias)]
        parts += [norm(n // 2), nn.ReLU(True)]
    parts += [nn.ReflectionPad2d(3), nn.Conv2d(gf, 3, 7), nn.Tanh()]
    model = nn.Module()
    model.model = nn.Sequential(*parts)
    model.forward = model.model.forward
    return model


class Skip(nn.Module):
    def __init__(self, outer, inner, inside, norm, bias, image=None):
        super().__init__()
        self.outermost = image is not None
        down = nn.Conv2d(image or outer, inner, 4, 2, 1, bias=bias)
        width = inner if inside is None else 2 * inner
        up = nn.ConvTranspose2d(width, outer, 4, 2, 1, bias=bias or self.outermost)
        if self.outermost:
            parts = [down, inside, nn.ReLU(True), up, nn.Tanh()]
        elif inside is None:
            parts = [nn.LeakyReLU(0.2, True), down, nn.ReLU(True), up, norm(outer)]
        else:
            parts = [nn.LeakyReLU(0.2, True), down, norm(inner), inside]
            parts += [nn.ReLU(True), up, norm(outer), nn.Dropout(0.5)]
        self.model = nn.Sequential(*parts)

    def forward(self, x):
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


def unet(depth, norm=nn.BatchNorm2d, bias=False, gf=2):
    inside = None
    for _ in range(depth - 4):
        inside = Skip(8 * gf, 8 * gf, inside, norm, bias)
    for n in (4 * gf, 2 * gf, gf):
        inside = Skip(n, 2 * n, inside, norm, bias)
    model = nn.Module()
    model.model = Skip(3, gf, inside, norm, bias, image=3)
    model.forward = model.model.forward
    return model


def tracked(n):
    return nn.InstanceNorm2d(n, track_running_stats=True)


def trained(model):
    """Draws all weights and statistics, so that none stands for another."""
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            drawn = 0.3 * torch.randn(value.shape, generator=generator)
            value.copy_(drawn.abs() + 0.7 if "running_var" in name else drawn)
    return model


def image(size):
    return np.random.default_rng(0).uniform(-1, 1, (1, *size, 3)).astype(np.float32)


def assert_same(generator, model, size):
    x = image(size)
    with torch.no_grad():
        expected = model.forward(torch.tensor(x.transpose(0, 3, 1, 2))).numpy()
    translation = np.asarray(generator(x)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(translation, expected, atol=5e-5, rtol=0)


RESNETS = {
    "6 blocks": {"blocks": 6},
    "9 blocks, statistics": {"blocks": 9, "norm": tracked},
    "PyTorch-GAN's": {"resized": True},
    "no norm": {"norm": lambda n: nn.Identity(), "bias": False},
}


@pytest.mark.parametrize("name", RESNETS)
def test_resnets(name, tmp_path):
    model = trained(resnet(**RESNETS[name]))
    if "statistics" in name:
        model.train()  # The authors never translate by these statistics.
    path = tmp_path / "latest_net_G_A.pth"
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization="PyTorch-GAN" not in name)
    assert_same(read_generator(path).generator, model, (32, 44))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("make", "size"),
    [
        (lambda: resnet(blocks=2), (32, 44)),
        (lambda: resnet(resized=True), (32, 44)),
        (lambda: unet(7, tracked, bias=True), (128, 128)),
    ],
)
def test_in_float64_they_differ_by_less_than_a_millionth(make, size, tmp_path):
    model = trained(make())
    for module in model.modules():
        module.train(not isinstance(module, nn.Dropout))
    torch.save(model.state_dict(), tmp_path / "g.pth")
    x = image(size).astype(np.float64)
    with torch.no_grad():
        expected = model.double().forward(torch.tensor(x.transpose(0, 3, 1, 2))).numpy()
    translation = np.asarray(read_generator(tmp_path / "g.pth").generator(x))
    assert translation.dtype == np.float64
    np.testing.assert_allclose(translation.transpose(0, 3, 1, 2), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_a_batch_norm_is_asked_about(norm, tmp_path):
    path = tmp_path / "latest_net_G.pth"
    for model, size in (
        (trained(resnet(nn.BatchNorm2d, bias=False)), (32, 32)),
        (trained(unet(7)), (128, 128)),
    ):
        torch.save(model.state_dict(), path)
        with pytest.raises(ValueError, match="--norm batch"):
            read_generator(path)
        model.train(norm == "instance")
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.eval()
        assert_same(read_generator(path, norm=norm).generator, model, size)


@pytest.mark.parametrize("depth", [7, 8])
def test_unets_with_instance_norm(depth, tmp_path):
    model = trained(unet(depth, nn.InstanceNorm2d, bias=True, gf=1)).eval()
    torch.save(model.state_dict(), tmp_path / "g.pth")
    assert_same(read_generator(tmp_path / "g.pth").generator, model, (2**depth, 2**depth))


def test_wrapped_and_parallel_state_dicts(tmp_path):
    a, b = trained(resnet(gf=1)), trained(resnet(gf=2))
    parallel = {f"module.{name}": value for name, value in b.state_dict().items()}
    path = tmp_path / "checkpoint.pth"
    torch.save({"epoch": 3, "netG_A2B": a.state_dict(), "nets": {"netG_B2A": parallel}}, path)
    with pytest.raises(ValueError, match=r"netG_A2B, nets\.netG_B2A"):
        read_generator(path)
    what = convert_generator(path, tmp_path / "g.keras", part="nets.netG_B2A")
    assert "ResNet of 1 block, 2 filters" in what
    assert_same(load_generator(tmp_path / "g.keras"), b, (16, 16))


class Run:
    def __reduce__(self):
        return os.system, ("touch canary",)


def _expanded():
    return {"w": torch.zeros(1).expand(2**20, 2**12)}


def _recoded(path, compression):
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def _write_run(path):
    torch.save({"a": Run()}, path)


def _write_pickle(path):
    path.write_bytes(pickle.dumps(Run()))


def _write_module(path):
    torch.save(nn.Sequential(nn.Conv2d(1, 1, 1)), path)


def _write_bomb(path):
    torch.save({"w": torch.zeros(2**20)}, path)
    _recoded(path, zipfile.ZIP_DEFLATED)


def _write_bad_zip(path):
    torch.save(trained(resnet()).state_dict(), path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"PK\1\2", b"PK\1\7"))


def _write_discriminator(path):
    torch.save(nn.Sequential(nn.Conv2d(3, 2, 4), nn.Conv2d(2, 1, 4)).state_dict(), path)


HOSTILE = {
    "Bad magic number": _write_bad_zip,
    "which no state dict needs": _write_run,
    "Cannot convert": _write_pickle,
    "no state dict needs": _write_module,
    "compressed parts": _write_bomb,
    "times its own size": lambda path: torch.save(_expanded(), path),
    "no generator that is known": _write_discriminator,
}


@pytest.mark.parametrize("reason", HOSTILE)
def test_hostile_files_are_refused_in_one_line(reason, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    HOSTILE[reason](tmp_path / "g.pth")
    assert cli.main(["convert", "g.pth", "--output", "g.keras"]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["g.pth"]
