"""Golden values for src/train: torch.randperm, and what transformers' Trainer does with rows, epochs and rates.

Usage: python make_schedule.py OUT.json   (pip install torch transformers accelerate; made with 2.13, 5.18)
"""
import json, sys, tempfile
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments


class Toy(torch.nn.Module):
    """Notes the rows of every micro-batch that reaches the forward pass."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(1))
        self.seen = []

    def forward(self, rows):
        self.seen.append(rows.tolist())
        return {"loss": (self.w * 0.5).sum()}


class Cut(TrainerCallback):
    def __init__(self, model):
        self.model, self.windows = model, []

    def on_step_end(self, args, state, control, **kw):
        self.windows.append(self.model.seen)
        self.model.seen = []


def run(rows, batch, accumulation, epochs, scheduler, warmup, seed, lr=2e-3):
    model = Toy()
    cut = Cut(model)
    with tempfile.TemporaryDirectory() as out:
        args = TrainingArguments(output_dir=out, use_cpu=True, per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation,
            num_train_epochs=epochs, learning_rate=lr, lr_scheduler_type=scheduler, warmup_steps=warmup, logging_steps=1, save_strategy="no",
            seed=seed, report_to=[], disable_tqdm=True, remove_unused_columns=False)
        data = [{"row": i} for i in range(rows)]
        trainer = Trainer(model=model, args=args, train_dataset=data, callbacks=[cut], data_collator=lambda b: {"rows": torch.tensor([x["row"] for x in b])})
        trainer.train()
        log = [h for h in trainer.state.log_history if "loss" in h]
    return dict(rows=rows, batch=batch, accumulation=accumulation, epochs=epochs, type=scheduler, warmup=warmup, seed=seed, learningRate=lr,
        maxSteps=trainer.state.max_steps, windows=cut.windows, rates=[h["learning_rate"] for h in log], epochsLogged=[h["epoch"] for h in log])


def order(n, seed):
    torch.manual_seed(seed)
    p = torch.randperm(n).tolist()
    check = 0
    for x in p:
        check = (check * 31 + x) % 2147483647
    return dict(n=n, seed=seed, head=p[:10], tail=p[-3:], check=check)


orders = [order(n, s) for n, s in [(1, 0), (2, 1), (37, 42), (37, 43), (623, 5), (625, 5), (1000, 42), (65537, 7), (300000, 42), (11, 2**32 - 1), (11, 2**32 + 3)]]
runs = [run(*a) for a in [(53, 1, 16, 2, "cosine", 0.1, 42), (29, 1, 4, 1, "linear", 0, 7), (10, 2, 3, 0.5, "linear", 1, 1), (11, 3, 2, 1.5, "constant_with_warmup", 2, 3),
    (7, 2, 16, 2.4, "constant", 2, 9), (40, 1, 4, 2.25, "cosine", 5, 11), (5, 1, 1, 3, "linear", 0.25, 0)]]
json.dump({"orders": orders, "runs": runs}, open(sys.argv[1], "w"), separators=(",", ":"))
