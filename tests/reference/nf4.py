"""NF4 with double quantization, from its definition; codes and scales were equal to bitsandbytes 0.50 bit for bit."""
import json

import torch

from dynamic_map import SIGNED, nearest

CODES = torch.tensor([
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
])
THRESHOLDS = ((CODES[1:].double() + CODES[:-1].double()) / 2).float()


def quantize(weight):
    """[out, in] of any float type -> codes [out·in] u8, absmax [out·in/64] f32. Blocks follow the flat index."""
    blocks = weight.float().reshape(-1, 64)
    absmax = blocks.abs().amax(1)
    x = blocks * (1.0 / absmax).unsqueeze(1)  # multiplied, as the library does: division rounds otherwise
    x = torch.where(absmax.unsqueeze(1) == 0, torch.zeros_like(x), x)
    return (x.unsqueeze(-1) > THRESHOLDS).sum(-1).to(torch.uint8).flatten(), absmax


def double_quantize(absmax):
    """absmax f32 -> u8 codes, nested absmax [ceil(n/256)], offset, and the decoded absmax."""
    n = absmax.numel()
    offset = absmax.mean()
    blocks = torch.cat([absmax - offset, torch.zeros(-n % 256)]).view(-1, 256)
    nested = blocks.abs().amax(1)
    codes = nearest(SIGNED, blocks * (1.0 / nested).unsqueeze(1)).flatten()[:n].to(torch.uint8)
    return codes, nested, offset, double_dequantize(codes, nested, offset)


def double_dequantize(codes, nested, offset):
    return SIGNED[codes.long()] * nested.repeat_interleave(256)[: codes.numel()] + offset


def dequantize(codes, absmax, shape):
    return (CODES[codes.long()].view(-1, 64) * absmax.unsqueeze(1)).view(shape)


def round_trip(weight, double_quant):
    """The f32 weight that a 4-bit base computes with."""
    codes, absmax = quantize(weight)
    return dequantize(codes, double_quantize(absmax)[3] if double_quant else absmax, weight.shape)


def to_checkpoint(name, weight):
    """The seven tensors that a `*-bnb-4bit` checkpoint holds for one nested NF4 weight."""
    codes, absmax = quantize(weight)
    absmax_codes, nested, offset, _ = double_quantize(absmax)
    state = {
        "quant_type": "nf4", "blocksize": 64, "dtype": str(weight.dtype).removeprefix("torch."),
        "shape": list(weight.shape), "nested_blocksize": 256, "nested_dtype": "float32",
        "nested_offset": float(offset),
    }
    return {
        name: ((codes[0::2] << 4) | codes[1::2]).view(-1, 1).contiguous(),
        f"{name}.absmax": absmax_codes,
        f"{name}.quant_map": CODES.clone(),
        f"{name}.nested_absmax": nested,
        f"{name}.nested_quant_map": SIGNED.clone(),
        f"{name}.quant_state.bitsandbytes__nf4": torch.tensor(list(json.dumps(state).encode()), dtype=torch.uint8),
    }


def from_checkpoint(tensors):
    """A `*-bnb-4bit` checkpoint's tensors -> plain f32 tensors by name; nested or not."""
    suffix = ".quant_state.bitsandbytes__nf4"
    quantized = {k.removesuffix(suffix): json.loads(bytes(v.tolist())) for k, v in tensors.items() if k.endswith(suffix)}
    plain = {}
    for name, tensor in tensors.items():
        owner = next((q for q in quantized if name.startswith(q)), None)
        if owner is None:
            plain[name] = tensor.float()
        elif owner == name:
            state, packed = quantized[name], tensor.flatten()
            absmax = tensors[f"{name}.absmax"]
            if "nested_offset" in state:
                absmax = double_dequantize(absmax, tensors[f"{name}.nested_absmax"], state["nested_offset"])
            codes = torch.stack([packed >> 4, packed & 15], 1).flatten()
            plain[name] = dequantize(codes, absmax, state["shape"])
    return plain
