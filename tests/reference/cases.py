"""What each fixture is made of: a decoder's shape, an adapter, a row format, and the recipe of its run."""

SEVEN = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
RECIPE = dict(per_device_train_batch_size=1, per_device_eval_batch_size=1, gradient_accumulation_steps=4,
              num_train_epochs=1, learning_rate=2e-3, lr_scheduler_type="linear", warmup_ratio=0.0, weight_decay=0.0,
              max_grad_norm=1.0, eval_steps=4, logging_steps=1, save_steps=3, save_total_limit=2, seed=42)


def recipe(**changes):
    assert changes.keys() <= RECIPE.keys() | {"max_eval_samples"}
    return {**RECIPE, **changes}


CASES = {
    # the recipe at toy size: r=32, alpha=64, all seven modules, 16-fold accumulation, text rows, a ragged last step
    "recipe_text": dict(
        arch="qwen2", hidden=128, inter=352, layers=2, heads=4, kv=2, vocab=680,
        r=32, alpha=64, targets=SEVEN, fmt="text", double_quant=True, rows=53, val=6, gradients=True,
        recipe=recipe(gradient_accumulation_steps=16, num_train_epochs=2, lr_scheduler_type="cosine",
                      warmup_ratio=0.1, weight_decay=0.5, eval_steps=3)),
    # chat rows, assistant tokens only, two target modules, no double quantization, linear schedule
    "chat_messages": dict(
        arch="qwen2", hidden=128, inter=320, layers=2, heads=4, kv=1, vocab=720,
        r=8, alpha=16, targets=["q_proj", "v_proj"], fmt="messages", double_quant=False, rows=29, val=4,
        recipe=recipe(learning_rate=5e-3, seed=7)),
    # Llama, untied head in shards, llama3 rope, begin-of-text, old-style config keys, rslora, strings and messages
    "llama_sharded": dict(
        arch="llama", hidden=96, inter=192, layers=2, heads=3, kv=1, vocab=480, eps=1e-5, theta=5e5, tied=False,
        llama3_rope=True, template="llama3", shard="200KB", old_config=True,
        r=8, alpha=16, targets=SEVEN, rslora=True, fmt="prompt_completion", double_quant=True, rows=18, val=5,
        gradients=True,
        recipe=recipe(num_train_epochs=2, learning_rate=6e-4, lr_scheduler_type="constant_with_warmup",
                      warmup_ratio=0.15, max_grad_norm=0.2, seed=11)),
    # Qwen3: q and k norms, heads·head_dim twice the hidden size, f16 weights, instruction rows with history
    "qwen3": dict(
        arch="qwen3", hidden=64, inter=160, layers=2, heads=2, kv=1, head_dim=64, vocab=480, dtype="float16", pretraining=400,
        template="chatml", r=32, alpha=32, targets=SEVEN, fmt="alpaca", turns=2, double_quant=False, rows=17, val=4,
        max_length=160, gradients=True,
        recipe=recipe(gradient_accumulation_steps=3, learning_rate="3e-4", lr_scheduler_type="cosine", seed=3)),
    # a nested 4-bit checkpoint, multi-turn conversations, one row cut before its first trained token
    "prequant": dict(
        arch="qwen2", hidden=64, inter=192, layers=2, heads=2, kv=2, vocab=480, prequant=True, pretraining=400,
        r=8, alpha=32, targets=["q_proj", "k_proj", "v_proj", "o_proj"], fmt="conversations", turns=2,
        double_quant=True, rows=14, val=3, overlong_row=6, max_length=200,
        recipe=recipe(num_train_epochs=2, learning_rate=1e-3, warmup_ratio=0.1, eval_steps=5, seed=5)),
    # a 4-bit checkpoint that keeps some modules in 16 bits, as unsloth's dynamic ones: by the start of a name, by a
    # regular expression and by the end of a name; a width that is no multiple of 64
    "dynamic": dict(
        arch="qwen2", hidden=96, inter=160, layers=3, heads=3, kv=1, vocab=480, prequant=True, pretraining=300,
        skip=["lm_head", "multi_modal_projector", "model.layers.0.self_attn", r"model\.layers\.[12]\.mlp\.(up|down)_proj",
              "2.self_attn.k_proj"],
        r=8, alpha=16, targets=SEVEN, fmt="text", double_quant=True, rows=12, val=3, gradients=True,
        recipe=recipe(learning_rate=1e-3, gradient_accumulation_steps=3, weight_decay=0.1, eval_steps=2, seed=21)),
    # config.json says that the head is the embedding, and the file holds another
    "untied_head": dict(
        arch="qwen2", hidden=64, inter=128, layers=2, heads=2, kv=1, vocab=480, tied=False, says_tied=True,
        pretraining=300, r=8, alpha=16, targets=["q_proj", "v_proj", "down_proj"], fmt="messages", double_quant=True,
        rows=10, val=3,
        recipe=recipe(learning_rate=2e-3, gradient_accumulation_steps=2, seed=13)),
    # batches of two, a short last batch and window, a fraction of an epoch, wide log windows, rows cut at the end
    "batch2": dict(
        arch="qwen2", hidden=64, inter=128, layers=2, heads=2, kv=1, vocab=480,
        r=32, alpha=64, targets=["q_proj", "v_proj", "gate_proj", "down_proj"], fmt="text", double_quant=True,
        rows=13, val=7, max_length=34,
        recipe=recipe(per_device_train_batch_size=2, per_device_eval_batch_size=2, gradient_accumulation_steps=3,
                      num_train_epochs=2.3, learning_rate=2e-3, warmup_ratio=0.3, weight_decay=0.4,
                      max_grad_norm=0.25, logging_steps=2, eval_steps=3, max_eval_samples=5, seed=9)),
    # modules that differ by layer, ranks and alphas by pattern, f32 weights, a constant rate, few checkpoints kept
    "rank_pattern": dict(
        arch="llama", hidden=96, inter=160, layers=2, heads=3, kv=3, vocab=480, eps=1e-5, theta=1e5, dtype="float32",
        template="chatml", r=8, alpha=16,
        targets=r"model\.layers\.(0\.(self_attn\.[qv]_proj|mlp\.up_proj)|1\.(self_attn\.o_proj|mlp\.(gate|down)_proj))",
        rank_pattern={"q_proj": 5, r"layers\.1\.mlp\.down_proj": 12}, alpha_pattern={"v_proj": 40, "down_proj": 6},
        fmt="messages", turns=2, double_quant=True, rows=15, val=3,
        recipe=recipe(gradient_accumulation_steps=3, learning_rate=1e-3, lr_scheduler_type="constant",
                      save_steps=2, save_total_limit=1, eval_steps=2, seed=1234)),
}
