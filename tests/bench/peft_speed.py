"""Speed of the same recipe with transformers and PEFT: LoRA of rank 32 on all seven projections, one optimizer step over
rows at batch 1, random weights at a model's true shapes. Two ways: NF4, dequantised to bf16 at every use, forward and
backward, with gradient checkpointing (what the recipe does; bitsandbytes is not needed), and plain bf16 weights without
checkpointing. Rows as `npm run bench` has them; no packing, as in transformers' Trainer.

    python tests/bench/peft_speed.py --model 1.5b --json python.json
    python tests/bench/peft_speed.py --json python.json --against bench.json     adds Retune's speeds and their ratio
    python tests/bench/peft_speed.py --model tiny --device cpu                   shows that it runs; its speeds say nothing
"""
import argparse
import json
import statistics
import time

import peft
import torch
import torch.nn.functional as F
import transformers

SHAPES = {
    "tiny": (64, 160, 2, 4, 2, 512),
    "0.5b": (896, 4864, 24, 14, 2, 151936),
    "1.5b": (1536, 8960, 28, 12, 2, 151936),
    "3b": (2048, 11008, 36, 16, 2, 151936),
}
CODES = [
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
]
PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class Nf4Product(torch.autograd.Function):
    """y = x·Wᵀ with W decoded at each use, as bitsandbytes does: nothing of it is kept for the backward pass."""

    @staticmethod
    def forward(ctx, x, layer):
        ctx.layer = layer
        return F.linear(x, layer.decode(x.dtype), layer.bias)

    @staticmethod
    def backward(ctx, dy):
        return dy @ ctx.layer.decode(dy.dtype), None


class Nf4Linear(torch.nn.Module):
    """A frozen linear layer in NF4, blocks of 64."""

    def __init__(self, linear):
        super().__init__()
        self.shape = linear.weight.shape
        self.in_features, self.out_features = linear.in_features, linear.out_features
        blocks = linear.weight.detach().float().reshape(-1, 64)
        absmax = blocks.abs().amax(1, keepdim=True)
        codes = torch.tensor(CODES, device=blocks.device)
        index = torch.bucketize(blocks / absmax.clamp_min(1e-30), (codes[1:] + codes[:-1]) / 2).reshape(-1, 2)
        self.register_buffer("packed", (index[:, 0] * 16 + index[:, 1]).to(torch.uint8))
        self.register_buffer("absmax", absmax)
        self.register_buffer("pairs", torch.cartesian_prod(codes, codes))
        self.bias = linear.bias

    def decode(self, dtype):
        values = self.pairs.to(dtype)[self.packed.int()].reshape(-1, 64)
        return (values * self.absmax.to(dtype)).reshape(self.shape)

    def forward(self, x):
        return Nf4Product.apply(x, self)


def build(name, device, nf4):
    hidden, intermediate, layers, heads, kv_heads, vocab = SHAPES[name]
    config = transformers.Qwen2Config(
        hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=kv_heads, vocab_size=vocab, tie_word_embeddings=True, max_position_embeddings=32768,
        use_cache=False,
    )
    torch.manual_seed(1)
    with torch.device(device):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa")
    model = peft.get_peft_model(model, peft.LoraConfig(r=32, lora_alpha=64, target_modules=PROJECTIONS))
    for p in model.parameters():
        if p.requires_grad:
            p.data = p.data.float()
    if nf4:
        for module in model.modules():
            if isinstance(module, peft.tuners.lora.Linear):
                module.base_layer = Nf4Linear(module.base_layer)
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    model.train()
    return model


def mixed_lengths(name):
    """The same as src/bench/rows.ts."""
    least, most = (4, 16) if name == "tiny" else (60, 600)
    return [least + (337 * i + 101) % (most - least + 1) for i in range(16)]


def measure(name, device, nf4, cases, rounds):
    model = build(name, device, nf4)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, fused=device == "cuda")
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    generator = torch.Generator(device=device).manual_seed(42)
    results = []
    for title, lengths in cases:
        rows = [torch.randint(SHAPES[name][5], (1, n), device=device, generator=generator) for n in lengths]
        targets = sum(n - 1 for n in lengths)

        def step():
            for ids in rows:
                with torch.autocast(device, dtype=torch.bfloat16):
                    logits = model(input_ids=ids).logits
                loss = F.cross_entropy(logits[0, :-1].float(), ids[0, 1:], reduction="sum") / targets
                loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            wait()

        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        try:
            times = []
            for i in range(rounds + 1):
                begun = time.perf_counter()
                step()
                if i:
                    times.append(time.perf_counter() - begun)
        except torch.OutOfMemoryError:
            results.append({"case": title, "tokens": sum(lengths), "tokens/s": None})
            continue
        seconds = statistics.median(times)
        results.append({
            "case": title, "tokens": sum(lengths), "ms": 1000 * seconds, "tokens/s": sum(lengths) / seconds,
            "spread %": 100 * (max(times) - min(times)) / seconds,
            "peak MiB": torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else None,
        })
    return results


def retune_speeds(path, model):
    """tokens/s by case of a `npm run bench --json` file; packed rows stand against Python's row by row."""
    report = json.load(open(path))
    title = "tiny" if model == "tiny" else f"Qwen2.5-{model.upper()}"
    rows = [row for s in report["sections"] if s["name"] == "steps" and f" {title}," in s["title"] for row in s["rows"]]
    return {row[""]: row["tokens/s"] for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=SHAPES, default="1.5b")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--tokens", type=int, nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json")
    parser.add_argument("--against", help="JSON file of `npm run bench` on the same GPU")
    args = parser.parse_args()
    if args.device == "cpu" and args.model != "tiny":
        parser.error("without a CUDA device only --model tiny is measured")
    tokens = args.tokens or ([64] if args.model == "tiny" else [128, 512, 1024, 2048])
    lengths = mixed_lengths(args.model)
    mixed = f"16 rows of {4 if args.model == 'tiny' else 60}–{16 if args.model == 'tiny' else 600}"
    cases = [(f"1 row of {n}", [n]) for n in tokens] + [(mixed, lengths)]
    ways = {}
    for way, nf4 in [("NF4, checkpointing", True), ("bf16, no checkpointing", False)]:
        ways[way] = measure(args.model, args.device, nf4, cases, args.rounds)
        if args.device == "cuda":
            torch.cuda.empty_cache()
    ours = retune_speeds(args.against, args.model) if args.against else {}
    device = torch.cuda.get_device_name() if args.device == "cuda" else "cpu"
    print(f"{device}; torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}")
    show = lambda x, digits=0: "–" if x is None else f"{x:,.{digits}f}"
    for way, results in ways.items():
        print(f"\n{args.model}, {way}")
        for r in results:
            speed = ours.get(r["case"], ours.get(r["case"] + ", packed"))
            r["retune tokens/s"] = speed
            r["ratio"] = speed / r["tokens/s"] if speed and r["tokens/s"] else None
            figures = f"{show(r.get('ms'), 1):>10} ms {show(r['tokens/s']):>8} tokens/s {show(r.get('peak MiB')):>8} MiB"
            print(f"  {r['case']:<22} {figures}   Retune {show(speed)} tokens/s, {show(r['ratio'], 2)}×")
    if args.json:
        versions = {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__}
        json.dump({"device": device, "versions": versions, "model": args.model, "ways": ways}, open(args.json, "w"), indent=2)


main()
