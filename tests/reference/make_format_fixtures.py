"""Small files by the Python libraries themselves, for tests/unit/formats: python make_format_fixtures.py ../fixtures/formats

Made with torch 2.13, safetensors 0.8, transformers 5.18.
"""
import json, os, sys
import torch
from safetensors.torch import save_file

out = sys.argv[1]
os.makedirs(out, exist_ok=True)


def counting(dtype, *shape):
    n = torch.Size(shape).numel()
    return torch.arange(n).remainder(100).reshape(shape).to(dtype)


# Every dtype that matters, an empty and a rank-0 tensor, names that sort differently by UTF-16 and by code point.
names = ["b", "a", "é", "\uffee", "\U0001f600", 'quote " and \\ and \n']
dtypes = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
          torch.uint64, torch.uint32, torch.uint16, torch.uint8, torch.bool, torch.float8_e4m3fn, torch.float8_e5m2]
tensors = {str(d).removeprefix("torch."): counting(d, 3, 1) for d in dtypes}
tensors |= {n: counting(torch.float32, 2, i) for i, n in enumerate(names)}
tensors["scalar"] = torch.tensor(2.5)
save_file(tensors, out + "/python.safetensors", metadata={"format": "pt"})

halves = torch.arange(65536).to(torch.uint16)
with open(out + "/halves.json", "w") as f:          # 16-bit patterns and their values, as Python spells them
    picks = [0, 1, 2, 0x3FF, 0x400, 0x3C00, 0x3C01, 0x7BFF, 0x8000, 0x8001, 0xC000, 0xFBFF, 0x3555, 0x1234, 0xABCD]
    values = lambda d: halves[picks].view(d).double().tolist()
    json.dump({"bits": picks, "f16": values(torch.float16), "bf16": values(torch.bfloat16)}, f)

from transformers import LlamaConfig, Qwen2Config
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

llama = LlamaConfig(hidden_size=2048, num_attention_heads=32, rope_parameters={"rope_type": "llama3", "rope_theta": 5e5,
    "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192})
qwen25 = Qwen2Config(hidden_size=1536, num_attention_heads=12, rope_parameters={"rope_type": "default", "rope_theta": 1e6})
with open(out + "/rope.json", "w") as f:
    json.dump({"llama": LlamaRotaryEmbedding(llama).inv_freq.tolist(), "qwen25": Qwen2RotaryEmbedding(qwen25).inv_freq.tolist()}, f)
