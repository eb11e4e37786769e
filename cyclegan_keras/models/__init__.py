"""The models: CycleGAN and pix2pix, and what they share."""
