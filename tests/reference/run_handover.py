"""Runs the train.py of a hand-over on a CPU, as the references of tests/fixtures/cases were made.

python run_handover.py HANDOVER --base BASE --output OUT

The base is rounded through NF4 in f32 and AdamW keeps its state in 8 bits by their definitions here, since bitsandbytes
decodes a stored 4-bit base to bf16, and on a CPU decays weights before the update. Everything else is train.py's own.
"""
import sys

sys.path.insert(0, sys.argv.pop(1))

import train  # noqa: E402
from adamw8bit import AdamW8bit  # noqa: E402
from base_model import load_base  # noqa: E402


class Reference(train.Continuation):
    def create_optimizer(self, model=None):
        trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = AdamW8bit(trained, lr=self.args.learning_rate, weight_decay=self.args.weight_decay)
        return self.optimizer


train.load_base = lambda base: load_base(base, train.HANDOVER["double_quant"])
train.Continuation = Reference
train.main()
