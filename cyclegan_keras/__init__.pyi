from .config.gans import CycleGANConfig as CycleGANConfig
from .config.gans import Pix2PixConfig as Pix2PixConfig
from .config.networks import BookDiscriminatorConfig as BookDiscriminatorConfig
from .config.networks import DeepUNetConfig as DeepUNetConfig
from .config.networks import PatchGANConfig as PatchGANConfig
from .config.networks import ResNetConfig as ResNetConfig
from .config.networks import UNetConfig as UNetConfig
from .config.train_config import TrainConfig as TrainConfig
from .data.loader import DataLoader as DataLoader
from .export.exporting import export_generator as export_generator
from .export.onnx_graph import to_onnx as to_onnx
from .inference.safe_loading.model_files import load_generator as load_generator
from .inference.saving import save_generator as save_generator
from .inference.translate import translate_image as translate_image
from .layers import InstanceNormalization as InstanceNormalization
from .layers import ReflectionPadding2D as ReflectionPadding2D
from .layers import UpsampleConv2D as UpsampleConv2D
from .models.cyclegan import CycleGAN as CycleGAN
from .models.image_pool import ImagePool as ImagePool
from .models.pix2pix import Pix2Pix as Pix2Pix
from .networks import build_deep_unet_generator as build_deep_unet_generator
from .networks import build_patch_discriminator as build_patch_discriminator
from .networks import build_resnet_generator as build_resnet_generator
from .networks import build_unet_generator as build_unet_generator
from .runs.trainer import train_run as train_run
from .runs.warm_start import start_from as start_from

__version__: str
