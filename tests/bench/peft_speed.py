"""Speed of the same recipe with transformers and PEFT on this GPU, and the ratio to Retune's: one optimizer step of
LoRA, rank 32 on all seven projections, over rows at batch 1, random weights at a model's true shapes. Four ways: an NF4
base, decoded to bf16 at each use, and a bf16 base, each with gradient checkpointing and without. Rows as `npm run bench`
has them, one a pass: transformers' Trainer does not pack.

    python tests/bench/peft_speed.py --retune "npm run bench --" --json python.json    measures both: Retune first
    python tests/bench/peft_speed.py --against bench.json --json python.json           Retune's speeds from a file
    python tests/bench/peft_speed.py --model tiny --device cpu                         shows that it runs, no more

NF4 layers and the paged 8-bit AdamW are bitsandbytes' own where it is installed. Elsewhere NF4 is decoded by one kernel
of torch.compile, without a compiler by eager torch, and the optimizer is torch's fused AdamW with f32 state. What the
run took, and what failed, stands in its notes. Where there was a choice, Python has the quicker one: norms and the head
stay bf16 (PEFT's prepare_model_for_kbit_training would make them f32), and losses are read only after the timing.
"""
import argparse
import datetime
import gc
import json
import math
import os
import shlex
import statistics
import subprocess
import sys
import time

import peft
import torch
import transformers

import nf4_torch
from retune_ratio import one_line, print_ratios, ratios, retune_speeds, run_retune, show

try:
    import bitsandbytes
except Exception as failure:  # A build for another CUDA fails in many ways.
    bitsandbytes, missing = None, failure

SHAPES = {
    "tiny": (64, 160, 2, 4, 2, 512),
    "0.5b": (896, 4864, 24, 14, 2, 151936),
    "1.5b": (1536, 8960, 28, 12, 2, 151936),
    "3b": (2048, 11008, 36, 16, 2, 151936),
}
PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
RANK = 32
WARMUP = 2
# (title, NF4 base, gradient checkpointing)
WAYS = [
    ("NF4, checkpointing", True, True),
    ("NF4, no checkpointing", True, False),
    ("bf16, checkpointing", False, True),
    ("bf16, no checkpointing", False, False),
]


def bnb_linear(linear):
    """What transformers makes of a linear layer for BitsAndBytesConfig(load_in_4bit, nf4, double quant, bf16)."""
    layer = bitsandbytes.nn.Linear4bit(
        linear.in_features, linear.out_features, bias=linear.bias is not None, compute_dtype=torch.bfloat16,
        compress_statistics=True, quant_type="nf4", device="meta",
    )
    layer.weight = bitsandbytes.nn.Params4bit(
        linear.weight.data, requires_grad=False, compress_statistics=True, quant_type="nf4", module=layer
    ).to(linear.weight.device)
    layer.bias = linear.bias
    return layer


def choose_nf4(wanted, device, notes):
    """'bitsandbytes', a decoder of nf4_torch, or None: the first that works here and agrees with plain NF4."""
    kinds = ["bitsandbytes", "compiled", "eager"] if wanted == "auto" else [wanted]
    for kind in kinds:
        try:
            if kind == "bitsandbytes":
                if bitsandbytes is None:
                    raise missing
                # Its scales are quantized once more, so they are off by about a hundredth.
                nf4_torch.check_layer(bnb_linear, device, 0.05)
                return kind
            decoder = nf4_torch.Compiled if kind == "compiled" else nf4_torch.Eager
            nf4_torch.check_torch(decoder, device)
            return decoder
        except Exception as error:
            notes.append(f"NF4 is not by {kind}: {one_line(error)}")
    return None


def new_adamw(parameters, paged):
    if paged:
        return bitsandbytes.optim.PagedAdamW8bit(parameters, lr=5e-5, weight_decay=0.0)
    return torch.optim.AdamW(parameters, lr=5e-5, weight_decay=0.0, fused=True)


def choose_paged(device, notes):
    """Whether bitsandbytes' optimizer works here."""
    if bitsandbytes is None:
        return False
    try:
        # Smaller ones it keeps in f32.
        parameter = torch.nn.Parameter(torch.ones(128, 128, device=device))
        parameter.grad = torch.ones_like(parameter)
        new_adamw([parameter], True).step()
        if not 0.9 < parameter.mean().item() < 1:
            raise ValueError(f"a step took a parameter from 1 to {parameter.mean().item()}")
        return True
    except Exception as error:
        notes.append(f"the optimizer is not bitsandbytes': {one_line(error)}")
        return False


def build(name, device, nf4, checkpointing):
    """The model to train; nf4 is what choose_nf4 gave, or None for a bf16 base."""
    hidden, intermediate, layers, heads, kv_heads, vocab = SHAPES[name]
    config = transformers.Qwen2Config(
        hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=kv_heads, vocab_size=vocab, tie_word_embeddings=True, max_position_embeddings=32768,
        use_cache=False,
    )
    torch.manual_seed(1)
    with torch.device(device):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa")
    model.requires_grad_(False)
    if nf4 == "bitsandbytes":
        for path, module in list(model.named_modules()):
            parent, _, leaf = path.rpartition(".")
            if leaf in PROJECTIONS:
                setattr(model.get_submodule(parent), leaf, bnb_linear(module))
        # PEFT asks this before it takes its own 4-bit layer.
        model.is_loaded_in_4bit = True
    model = peft.get_peft_model(model, peft.LoraConfig(r=RANK, lora_alpha=64, target_modules=PROJECTIONS))
    if nf4 not in (None, "bitsandbytes"):
        for module in model.modules():
            if isinstance(module, peft.tuners.lora.Linear):
                module.base_layer = nf4_torch.Nf4Linear(module.base_layer, nf4)
                # Under autocast PEFT's 4-bit layer does not make its input f32 either.
                module.cast_input_dtype_enabled = False
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.train()
    check_adapter(model, name)
    return model


def check_adapter(model, name):
    """Raises unless rank 32 on all seven projections is trained in f32, and nothing else."""
    hidden, intermediate, layers, heads, kv_heads, _ = SHAPES[name]
    kv = hidden * kv_heads // heads
    widths = [(hidden, hidden), (hidden, kv), (hidden, kv), (hidden, hidden)]
    widths += [(hidden, intermediate), (hidden, intermediate), (intermediate, hidden)]
    expected = layers * RANK * sum(n + m for n, m in widths)
    trained = [p for p in model.parameters() if p.requires_grad]
    found = sum(p.numel() for p in trained)
    if found != expected or any(p.dtype != torch.float32 for p in trained):
        raise ValueError(f"{found} numbers are trained, expected are {expected} in f32")


def mixed_lengths(name):
    """The same as src/bench/rows.ts."""
    least, most = mixed_range(name)
    return [least + (337 * i + 101) % (most - least + 1) for i in range(16)]


def mixed_range(name):
    return (4, 16) if name == "tiny" else (60, 600)


def release(device):
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


def measure(model, optimizer, device, lengths, vocab, rounds):
    """One case: whole optimizer steps, from the first row's forward pass to the optimizer's end."""
    trained = [p for p in model.parameters() if p.requires_grad]
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    generator = torch.Generator(device=device).manual_seed(42)
    rows = [torch.randint(vocab, (1, n), device=device, generator=generator) for n in lengths]
    targets = torch.tensor(sum(n - 1 for n in lengths), device=device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times, loss = [], 0.0
    for i in range(WARMUP + rounds):
        wait()
        begun = time.perf_counter()
        total = torch.zeros((), device=device)
        for ids in rows:
            # The model's own loss: the rows' sum over the step's targets, as Trainer accumulates.
            with torch.autocast(device, dtype=torch.bfloat16):
                part = model(input_ids=ids, labels=ids, num_items_in_batch=targets).loss
            part.backward()
            total += part.detach()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        wait()
        if i >= WARMUP:
            times.append(time.perf_counter() - begun)
        loss = total.item()
        if not math.isfinite(loss):
            raise ValueError(f"the loss is {loss}")
    seconds = statistics.median(times)
    return {
        "ms": 1000 * seconds, "tokens/s": sum(lengths) / seconds, "spread %": 100 * (max(times) - min(times)) / seconds,
        "peak MiB": torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else None, "loss": loss,
    }


def measure_way(args, title, nf4, checkpointing, paged, cases, notes):
    """All cases of one way; what fails becomes a note."""
    results = []
    try:
        model = build(args.model, args.device, nf4, checkpointing)
        optimizer = new_adamw([p for p in model.parameters() if p.requires_grad], paged)
    except Exception as error:
        notes.append(f"{title}: not measured: {one_line(error)}")
        return results
    for case, lengths in cases:
        release(args.device)
        row = {"case": case, "tokens": sum(lengths), "tokens/s": None}
        try:
            row.update(measure(model, optimizer, args.device, lengths, SHAPES[args.model][5], args.rounds))
        except Exception as error:
            notes.append(f"{title}, {case}: not measured: {one_line(error)}")
            optimizer.zero_grad()
        results.append(row)
    return results


def driver():
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[0].strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def facts(args):
    cuda = args.device == "cuda"
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "command": shlex.join([os.path.basename(sys.executable), *sys.argv]),
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "driver": driver() if cuda else None,
        "versions": {
            "python": sys.version.split()[0], "torch": torch.__version__, "cuda": torch.version.cuda,
            "transformers": transformers.__version__, "peft": peft.__version__,
            "bitsandbytes": bitsandbytes.__version__ if bitsandbytes else None,
        },
        "model": args.model, "rounds": args.rounds, "warm-up steps": WARMUP,
    }


def print_way(title, results):
    print(f"\n{title}" + ("" if results else ": not measured"), flush=True)
    for r in results:
        time_taken = f"{show(r.get('ms'), 1):>10} ms, spread {show(r.get('spread %')):>3}%"
        rest = f"{show(r.get('peak MiB')):>8} MiB   loss {show(r.get('loss'), 4)}"
        print(f"  {r['case']:<22} {time_taken} {show(r['tokens/s']):>8} tokens/s {rest}", flush=True)


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=SHAPES, default="1.5b")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--tokens", type=int, nargs="*", help="lengths of the single rows")
    parser.add_argument("--rounds", type=int, default=5, help="steps of which the median counts")
    parser.add_argument("--nf4", choices=["auto", "bitsandbytes", "compiled", "eager"], default="auto")
    parser.add_argument("--json", help="file for the figures, written anew after each way")
    retune = parser.add_mutually_exclusive_group()
    retune.add_argument("--retune", metavar="COMMAND", help="what runs Retune's benchmark, on the same GPU")
    retune.add_argument("--against", metavar="FILE", help="JSON of `npm run bench` on the same GPU")
    args = parser.parse_args()
    if args.device == "cpu" and args.model != "tiny":
        parser.error("without a CUDA device only --model tiny is measured")
    if args.against and not os.path.isfile(args.against):
        parser.error(f"--against: there is no file {args.against}")
    if args.rounds < 1:
        parser.error("--rounds must be at least 1")
    return args


def main():
    args = options()
    tokens = args.tokens or ([64] if args.model == "tiny" else [128, 512, 1024, 2048])
    mixed = "16 rows of {}–{}".format(*mixed_range(args.model))
    cases = [(f"1 row of {n}", [n]) for n in tokens] + [(mixed, mixed_lengths(args.model))]
    notes = []
    report = {**facts(args), "notes": notes, "ways": {}}

    def save():
        if args.json:
            with open(args.json + ".part", "w") as file:
                json.dump(report, file, indent=2)
            os.replace(args.json + ".part", args.json)

    # Before minutes are spent: where the file cannot be written, this says so.
    save()
    speeds = {}
    theirs = None
    if args.retune:
        theirs = run_retune(args.retune, args.model, tokens, args.rounds, notes)
    elif args.against:
        with open(args.against) as file:
            theirs = json.load(file)
    if theirs:
        report["retune"] = theirs
        report["retune rung"], speeds = retune_speeds(theirs, args.model, notes)
        known = theirs.get("facts", {})
        named = [str(known[key]) for key in ("gpu", "driver") if known.get(key)]
        report["retune device"] = ", ".join(dict.fromkeys(named))
    nf4 = choose_nf4(args.nf4, args.device, notes)
    paged = choose_paged(args.device, notes)
    report["NF4"] = nf4 if nf4 in (None, "bitsandbytes") else nf4.title
    report["optimizer"] = "bitsandbytes' paged 8-bit AdamW" if paged else "torch's fused AdamW, f32 state"
    save()
    print(f"{report['date']}  {report['command']}\n{report['device']}, driver {report['driver']}")
    print(", ".join(f"{name} {version}" for name, version in report["versions"].items()))
    print(f"{args.model}; NF4: {report['NF4']}; optimizer: {report['optimizer']}", flush=True)
    for title, wants_nf4, checkpointing in WAYS:
        if wants_nf4 and nf4 is None:
            notes.append(f"{title}: not measured: nothing here decodes NF4")
            continue
        results = measure_way(args, title, nf4 if wants_nf4 else None, checkpointing, paged, cases, notes)
        release(args.device)
        report["ways"][title] = results
        report["ratios"] = ratios(speeds, report["ways"])
        save()
        print_way(title, results)
    if speeds:
        print_ratios(report, mixed, [title for title, _, _ in WAYS])
    for note in notes:
        print(f"Note: {note}")
    save()
    if not any(r["tokens/s"] for results in report["ways"].values() for r in results):
        sys.exit("nothing was measured")


if __name__ == "__main__":
    main()
