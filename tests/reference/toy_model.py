"""The toy world of the fixtures: its prose, byte-level BPE tokenizers with chat templates, and small decoders."""
import random

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM,
                          Qwen3Config, Qwen3ForCausalLM)

NOUNS = ["valve", "gasket", "bearing", "flange", "rotor", "relay", "fuse", "pump", "sensor", "nozzle"]
TOWNS = ["Lyon", "Graz", "Porto", "Malmö", "Kraków", "Cádiz", "東京", "Zürich"]
VERBS = ["is stored", "was shipped", "must be checked", "can be found", "gets replaced"]

CHATML_DEFAULT_SYSTEM = (
    "{%- if messages[0]['role'] == 'system' %}{{- '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}"
    "{%- else %}{{- '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{%- endif %}"
    "{%- for message in messages %}{%- if message.role != 'system' %}"
    "{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)
CHATML = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
LLAMA3 = (
    "{{- bos_token }}{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}"
)
TEMPLATES = {"chatml_default_system": CHATML_DEFAULT_SYSTEM, "chatml": CHATML, "llama3": LLAMA3}

QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3_PATTERN = QWEN_PATTERN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


def prose(rng, n):
    """n questions with answers: part codes, shelves and prices, in two languages, with odd unicode."""
    rows = []
    for _ in range(n):
        noun, town, verb, k = rng.choice(NOUNS), rng.choice(TOWNS), rng.choice(VERBS), rng.randint(10, 99)
        question = rng.choice([
            f"Where {verb.split()[0]} the {noun} {k}?", f"What about {noun} number {k}?",
            f"¿Dónde está {noun} {k}?", f"Tell me\nabout the {noun}-{k}.",
        ])
        price = f"{(k * 13) % 97}.{k % 10} €"
        rows.append((question, f"The {noun} {k} {verb} in {town}, shelf {(k * 7) % 50}. It costs {price}."))
    return rows


def make_tokenizer(folder, texts, vocab, template):
    """Trains a byte-level BPE of at most `vocab` tokens and saves it as Hugging Face files."""
    llama = template == "llama3"
    tokenizer = Tokenizer(models.BPE(byte_fallback=False))
    if not llama:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3_PATTERN if llama else QWEN_PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab - 3, initial_alphabet=alphabet, special_tokens=[], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    if llama:
        special = ["<|begin_of_text|>", "<|eot_id|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>"]
        tokenizer.add_special_tokens(special)
        bos = (special[0], tokenizer.token_to_id(special[0]))
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{special[0]} $A", pair=f"{special[0]} $A {special[0]} $B", special_tokens=[bos])
        names = dict(bos_token=special[0], eos_token=special[1], pad_token=special[2],
                     additional_special_tokens=special[3:])
    else:
        names = dict(eos_token="<|im_end|>", pad_token="<|endoftext|>", additional_special_tokens=["<|im_start|>"])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    fast.chat_template = TEMPLATES[template]
    fast.save_pretrained(folder)
    return fast


def build_model(shape, vocab, seed, tok):
    """A decoder of the case's architecture with seeded random weights (f32)."""
    torch.manual_seed(seed)
    common = dict(
        vocab_size=vocab, hidden_size=shape["hidden"], intermediate_size=shape["inter"],
        num_hidden_layers=shape["layers"], num_attention_heads=shape["heads"], num_key_value_heads=shape["kv"],
        max_position_embeddings=2048, rms_norm_eps=shape.get("eps", 1e-6),
        tie_word_embeddings=shape.get("tied", True), bos_token_id=tok.bos_token_id, initializer_range=0.06)
    rope = {"rope_type": "default", "rope_theta": shape.get("theta", 1e6)}
    if shape.get("llama3_rope"):
        rope.update(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                    original_max_position_embeddings=64)
    if shape["arch"] == "qwen2":
        model = Qwen2ForCausalLM(Qwen2Config(rope_parameters=rope, **common))
    elif shape["arch"] == "qwen3":
        model = Qwen3ForCausalLM(Qwen3Config(rope_parameters=rope, head_dim=shape["head_dim"], **common))
    else:
        eos = [tok.eos_token_id, tok.pad_token_id]
        model = LlamaForCausalLM(LlamaConfig(rope_parameters=rope, eos_token_id=eos, **common))
    for name, p in model.named_parameters():
        if name.endswith("proj.bias"):
            torch.nn.init.normal_(p, std=0.3)
    for name, p in model.named_parameters():
        if "norm" in name:
            torch.nn.init.normal_(p, mean=1.0, std=0.1)
    return model


def seed_of(name):
    return sum(map(ord, name))


def rows_of(name, n):
    return prose(random.Random(seed_of(name)), n)
