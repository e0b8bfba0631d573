"""Sounds to compare features on."""

import numpy as np

SAMPLE_RATE = 16_000


def noise(samples: int, seed: int = 0) -> np.ndarray:
    """White, of unit variance."""
    return np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


def voice(samples: int, seed: int = 0) -> np.ndarray:
    """A buzz of gliding pitch, three syllables a second with silence between, over a little noise."""
    time = np.arange(samples) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(4 * np.pi * time)) / SAMPLE_RATE
    buzz = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 25))
    syllables = np.clip(np.sin(6 * np.pi * time), 0, 1) ** 2
    return (0.2 * buzz * syllables + 1e-3 * noise(samples, seed)).astype(np.float32)


def burst(samples: int, seed: int = 0) -> np.ndarray:
    """Nothing at all, then noise."""
    return np.where(np.arange(samples) > samples // 2, noise(samples, seed), np.float32(0))


SIGNALS = {"noise": noise, "voice": voice, "burst": burst}
