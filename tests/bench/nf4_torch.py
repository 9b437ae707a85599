"""NF4 linear layers in plain torch, where bitsandbytes is missing: codes and blocks as bitsandbytes has them, weights
decoded to bf16 at every use. Absmax is f32 and not quantized again, which is one kernel less than bitsandbytes runs."""
import functools

import torch
import torch.nn.functional as F

CODES = [
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
]
BLOCK = 64


def quantize(weight):
    """uint8 [numel / 2], the first weight of a byte in its high half, and absmax f32 [numel / 64, 1]."""
    blocks = weight.detach().float().reshape(-1, BLOCK)
    absmax = blocks.abs().amax(1, keepdim=True)
    codes = torch.tensor(CODES, device=blocks.device)
    index = torch.bucketize(blocks / absmax.clamp_min(1e-30), (codes[1:] + codes[:-1]) / 2).reshape(-1, 2)
    return (index[:, 0] * 16 + index[:, 1]).to(torch.uint8), absmax


@functools.cache
def pair_table(device):
    """f32 [256, 2]: the two weights of a byte."""
    codes = torch.tensor(CODES, device=device)
    return torch.cartesian_prod(codes, codes)


@functools.cache
def quad_table(device):
    """bf16 [65536, 4] as int64 [65536]: the four weights of two bytes, the lower byte first."""
    pairs = pair_table(device).to(torch.bfloat16)
    first, second = pairs.repeat(256, 1), pairs.repeat_interleave(256, 0)
    return torch.cat([first, second], 1).view(torch.int64).reshape(-1)


def decode_pairs(packed, absmax, table):
    return (table[packed.int()].view(-1, BLOCK) * absmax).to(torch.bfloat16)


class Compiled:
    """One kernel of torch.compile: reads half a byte and writes two for each weight, as bitsandbytes' own does."""

    title = "decoded by torch.compile"
    kernel = staticmethod(torch.compile(decode_pairs, fullgraph=True, dynamic=False))

    def __init__(self, packed, absmax):
        self.arguments = packed, absmax, pair_table(packed.device)

    def decode(self):
        return self.kernel(*self.arguments)


class Eager:
    """A gather of four weights at once, then a product in place: 7 bytes a weight. Two bytes of codes are held as one
    int32, the smallest index that torch's gather takes, so that none is made at each use."""

    title = "decoded by eager torch"

    def __init__(self, packed, absmax):
        low, high = packed.reshape(-1, 2).int().unbind(1)
        self.index, self.absmax, self.table = low + 256 * high, absmax, quad_table(packed.device)

    def decode(self):
        values = self.table.index_select(0, self.index).view(torch.bfloat16)
        return values.view(-1, BLOCK).mul_(self.absmax)


class Nf4Product(torch.autograd.Function):
    """y = x·Wᵀ with W decoded at each use: nothing of it is kept for the backward pass."""

    @staticmethod
    def forward(ctx, x, layer):
        ctx.layer = layer
        # As in the backward pass: torch.compile would compile the decoder once more for autocast.
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(x, layer.weight_now(), layer.bias)

    @staticmethod
    def backward(ctx, dy):
        return dy @ ctx.layer.weight_now(), None


class Nf4Linear(torch.nn.Module):
    """A frozen linear layer whose weight a `decoder` holds: Compiled or Eager."""

    def __init__(self, linear, decoder):
        super().__init__()
        self.shape, self.bias = linear.weight.shape, linear.bias
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.decoder = decoder(*quantize(linear.weight))

    def weight_now(self):
        return self.decoder.decode().view(self.shape)

    def forward(self, x):
        return Nf4Product.apply(x.to(torch.bfloat16), self)


def known_weight(device):
    """bf16 [64, 64] whose NF4 codes by bitsandbytes are known, with `KNOWN_BYTES` first."""
    values = [((i * 2654435761) % 65536) / 32768 - 1 for i in range(4096)]
    return (torch.tensor(values) * 0.05).to(torch.bfloat16).reshape(64, 64).to(device)


KNOWN_BYTES = [6, 245, 228, 227, 211, 210, 193, 177]


def plain_nf4(weight):
    """What NF4 makes of a weight, f32, one number after the other: the nearest code times the block's largest."""
    flat = weight.detach().float().flatten().tolist()
    values = []
    for begin in range(0, len(flat), BLOCK):
        block = flat[begin : begin + BLOCK]
        absmax = max(map(abs, block))
        values += [absmax * min(CODES, key=lambda code: abs(code - x / absmax)) for x in block]
    return torch.tensor(values, device=weight.device).reshape(weight.shape)


def check_layer(make, device, tolerance):
    """Raises unless a layer that `make` makes of a torch.nn.Linear computes with the NF4 of its weight, forward and
    backward, within a tolerance relative to the block's largest weight (0.05 at most here)."""
    linear = torch.nn.Linear(64, 64, bias=False, device=device, dtype=torch.bfloat16)
    linear.weight.data = known_weight(device)
    expected = plain_nf4(linear.weight)
    layer = make(linear)
    one = torch.eye(64, device=device, dtype=torch.bfloat16, requires_grad=True)
    y = layer(one)
    y.backward(torch.eye(64, device=device, dtype=torch.bfloat16))
    for name, found in [("forward", y.detach().T), ("backward", one.grad)]:
        error = (found.float() - expected).abs().max().item() / 0.05
        if not error <= tolerance:
            raise ValueError(f"NF4 {name} is off by {error:.2g} of the largest weight, allowed are {tolerance:.2g}")


def check_torch(decoder, device):
    """Raises unless codes are those of bitsandbytes and the decoder agrees with the plain reference."""
    first = quantize(known_weight(device))[0][:8].tolist()
    if first != KNOWN_BYTES:
        raise ValueError(f"NF4 codes are {first}, bitsandbytes has {KNOWN_BYTES}")
    # Roundings to bf16: of the product, and in the eager decoder of the code too.
    check_layer(lambda linear: Nf4Linear(linear, decoder), device, 2**-7)
