"""Golden values for src/generate/sampling.ts: what transformers' logits processors leave of some logits.

Usage: python make_sampling.py OUT.json   (pip install torch transformers; made with 2.13, 5.18)
"""
import json
import sys

import torch
from transformers.generation import logits_process as lp

SETTINGS = [
    dict(temperature=1.0, topP=1.0, topK=0, repetitionPenalty=1.0),
    dict(temperature=0.7, topP=0.9, topK=0, repetitionPenalty=1.0),
    dict(temperature=1.3, topP=0.5, topK=0, repetitionPenalty=1.0),
    dict(temperature=1.0, topP=0.01, topK=0, repetitionPenalty=1.0),
    dict(temperature=0.7, topP=1.0, topK=5, repetitionPenalty=1.0),
    dict(temperature=2.0, topP=0.8, topK=20, repetitionPenalty=1.0),
    dict(temperature=0.7, topP=0.8, topK=1000, repetitionPenalty=1.1),
    dict(temperature=0.9, topP=0.95, topK=12, repetitionPenalty=1.8),
]


def left(logits, previous, temperature, topP, topK, repetitionPenalty):
    """-> {id: probability} of what may be sampled, in the order in which `generate` applies the processors."""
    processors = lp.LogitsProcessorList()
    if repetitionPenalty != 1.0:
        processors.append(lp.RepetitionPenaltyLogitsProcessor(penalty=repetitionPenalty))
    if temperature != 1.0:
        processors.append(lp.TemperatureLogitsWarper(temperature))
    if topK != 0:
        processors.append(lp.TopKLogitsWarper(top_k=topK))
    if topP < 1.0:
        processors.append(lp.TopPLogitsWarper(top_p=topP))
    scores = processors(torch.tensor([previous]), torch.tensor([logits], dtype=torch.float64))[0]
    probabilities = torch.softmax(scores, -1)
    return {i: round(p.item(), 9) for i, p in enumerate(probabilities) if scores[i] != -float("inf")}


def main(path):
    torch.manual_seed(1)
    cases = []
    for vocab, spread in ((1, 1), (7, 2), (60, 1), (150, 3)):
        logits = (torch.randn(vocab) * spread).to(torch.bfloat16).tolist()
        previous = torch.randint(0, vocab, (5,)).tolist() * 2
        cases += [dict(logits=logits, previous=previous, **s, left=left(logits, previous, **s)) for s in SETTINGS]
    # Equal logits around the k-th: all of them stay.
    tied = [1.0, 3.0, 2.0, 2.0, -1.0, 2.0, 0.5]
    settings = dict(temperature=1.0, topP=1.0, topK=3, repetitionPenalty=1.0)
    cases.append(dict(logits=tied, previous=[0], **settings, left=left(tied, [0], **settings)))
    with open(path, "w") as f:
        json.dump(cases, f, separators=(",", ":"))
        f.write("\n")


main(sys.argv[1])
