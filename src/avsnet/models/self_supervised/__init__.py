"""Monodepth2, MonoViT and Lite-Mono, which learn depth from how a moving camera's pictures explain each other."""
