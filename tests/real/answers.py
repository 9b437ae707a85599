"""The greedy answers of transformers, PEFT and bitsandbytes (NF4 on the CPU, f32), as JSON.

python answers.py FOLDER OUTPUT [--adapter DIR] [--new-tokens N] [--merged DIR]

Each of FOLDER/questions.json through the chat template: {prompt, prompt_ids, ids (without the token that ends), text,
margin (the least distance between the best two logits on the way)}.
"""
import argparse
import json
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig


def load(folder, adapter, merged):
    if merged:
        return AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32).eval()
    quantization = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )
    model = AutoModelForCausalLM.from_pretrained(
        folder / "base", dtype=torch.float32, quantization_config=quantization, device_map={"": "cpu"}
    )
    return (PeftModel.from_pretrained(model, adapter) if adapter else model).eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--adapter")
    parser.add_argument("--merged", help="a merged model instead of base and adapter")
    parser.add_argument("--new-tokens", type=int, default=24)
    options = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(options.folder / "base")
    model = load(options.folder, options.adapter, options.merged)
    answers = []
    for question in json.loads((options.folder / "questions.json").read_text(encoding="utf-8")):
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": question["question"]}], tokenize=False, add_generation_prompt=True
        )
        ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        out = model.generate(
            **ids, max_new_tokens=options.new_tokens, do_sample=False, output_logits=True, return_dict_in_generate=True
        )
        new = out.sequences[0, ids["input_ids"].shape[1]:].tolist()
        best = [step[0].topk(2).values for step in out.logits]
        new = new[:-1] if new[-1] == tokenizer.eos_token_id else new
        answers.append({
            "prompt": prompt, "prompt_ids": ids["input_ids"][0].tolist(), "ids": new, "text": tokenizer.decode(new),
            "margin": min(float(two[0] - two[1]) for two in best),
        })
    options.output.write_text(json.dumps(answers, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
