"""Loading a base folder as a 4-bit base computes with it: f32, every decoder Linear rounded through NF4."""
import json
import os

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.quantizers.quantizers_utils import should_convert_module

import nf4


def load_base(folder, double_quant):
    config = AutoConfig.from_pretrained(folder)
    if getattr(config, "quantization_config", None) is not None:
        return _load_prequantized(folder, config)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").float()
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear) and not name.endswith("lm_head"):
                module.weight.copy_(nf4.round_trip(module.weight, double_quant))
    return model.eval()


def _load_prequantized(folder, config):
    del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain = nf4.from_checkpoint(load_file(os.path.join(folder, "model.safetensors")))
    missing, unexpected = model.load_state_dict(plain, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    model.tie_weights()
    return model.eval()


def prequantize(folder, skip=None):
    """Turns a folder with one model.safetensors into what a `*-bnb-4bit` repository holds (nested NF4).

    skip: llm_int8_skip_modules; what it names stays in 16 bits, as in unsloth's dynamic checkpoints.
    """
    path, config_path = os.path.join(folder, "model.safetensors"), os.path.join(folder, "config.json")
    tensors = {}
    for name, weight in load_file(path).items():
        quantized = name.endswith("_proj.weight") and should_convert_module(name.removesuffix(".weight"), skip)
        tensors.update(nf4.to_checkpoint(name, weight) if quantized else {name: weight})
    save_file(tensors, path, metadata={"format": "pt"})
    with open(config_path) as f:
        config = json.load(f)
    config["quantization_config"] = {
        "bnb_4bit_compute_dtype": "bfloat16", "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True,
        "llm_int8_skip_modules": skip, "load_in_4bit": True, "load_in_8bit": False, "quant_method": "bitsandbytes",
    }
    with open(config_path, "w") as f:
        json.dump(config, f, indent=2)
