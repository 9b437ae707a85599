"""bitsandbytes' signed and unsigned 8-bit dynamic maps: 256 f32 values each, in rising order."""
import numpy as np
import torch


def dynamic_map(signed):
    """The map with 7 exponents: means of neighbors in linspace(0.1, 1), times 10^(i-6), with 0 and 1 added."""
    f32 = np.float32
    values = [f32(0), f32(1)]
    for i in range(7):
        n = 2**i + 1 if signed else 2 ** (i + 1) + 1
        edges = torch.linspace(0.1, 1, n).numpy()
        means = ((edges[:-1] + edges[1:]) / f32(2)).astype(f32)
        scaled = (f32(10 ** (i - 6)) * means).astype(f32)
        values += list(scaled) + (list(-scaled) if signed else [])
    assert len(values) == 256
    return torch.tensor(sorted(values), dtype=torch.float32)


SIGNED, UNSIGNED = dynamic_map(True), dynamic_map(False)


def nearest(map_, x):
    """Index of the map's value nearest to each x; ties go down."""
    return torch.bucketize(x, (map_[1:] + map_[:-1]) / 2)
