"""A transformers decoder wholly in float64. The library computes norms, rotary tables and softmax in f32 whatever the
weights' type, so those are replaced; attention is torch's own in the tensors' type."""
import math
import types

import torch
import torch.nn.functional as F


def to_float64(model):
    """In place. Base or PEFT model; returns it."""
    model.double()
    config = model.config
    for module in model.modules():
        name = type(module).__name__
        if name.endswith("RMSNorm"):
            module.forward = types.MethodType(_rms_norm, module)
        elif name.endswith("RotaryEmbedding"):
            exact = inverse_frequencies(config)
            assert torch.allclose(module.inv_freq.double(), exact, rtol=1e-6), "rotary frequencies"
            module.forward = _rotary(exact)
    return model


def _rms_norm(self, x):
    return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))


def inverse_frequencies(config):
    """θ^(-2i/d) in f64, with llama3 scaling where the config has it."""
    rope = config.rope_parameters
    d = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    f = rope["rope_theta"] ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    if rope["rope_type"] == "default":
        return f
    wavelength, original = 2 * math.pi / f, rope["original_max_position_embeddings"]
    low, high, factor = rope["low_freq_factor"], rope["high_freq_factor"], rope["factor"]
    s = (original / wavelength - low) / (high - low)
    between = (1 - s) * f / factor + s * f
    return torch.where(wavelength > original / low, f / factor, torch.where(wavelength < original / high, f, between))


def _rotary(inv_freq):
    def forward(x, position_ids):
        angles = position_ids.double().unsqueeze(-1) * inv_freq
        angles = torch.cat([angles, angles], -1)
        return angles.cos(), angles.sin()

    return forward


def summed_loss(model, ids, labels):
    """Σ cross-entropy of one row's trained tokens after the shift, and their number."""
    logits = model(input_ids=torch.tensor([ids])).logits[0, :-1]
    assert logits.dtype == torch.float64
    target = torch.tensor(labels[1:])
    return F.cross_entropy(logits, target, ignore_index=-100, reduction="sum"), int((target != -100).sum())
