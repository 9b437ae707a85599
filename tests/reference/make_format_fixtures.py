"""Small files by the Python libraries themselves, for tests/unit/formats: python make_format_fixtures.py ../fixtures/formats

Made with torch 2.13, safetensors 0.8, transformers 5.18.
"""
import json, os, sys
import torch
from safetensors.torch import save_file

out = sys.argv[1]
os.makedirs(out, exist_ok=True)


def counting(dtype, *shape):
    n = torch.Size(shape).numel()
    return torch.arange(n).remainder(100).reshape(shape).to(dtype)


# Every dtype that matters, an empty and a rank-0 tensor, names that sort differently by UTF-16 and by code point.
names = ["b", "a", "é", "\uffee", "\U0001f600", 'quote " and \\ and \n']
dtypes = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
          torch.uint64, torch.uint32, torch.uint16, torch.uint8, torch.bool, torch.float8_e4m3fn, torch.float8_e5m2]
tensors = {str(d).removeprefix("torch."): counting(d, 3, 1) for d in dtypes}
tensors |= {n: counting(torch.float32, 2, i) for i, n in enumerate(names)}
tensors["scalar"] = torch.tensor(2.5)
save_file(tensors, out + "/python.safetensors", metadata={"format": "pt"})

halves = torch.arange(65536).to(torch.uint16)
with open(out + "/halves.json", "w") as f:          # 16-bit patterns and their values, as Python spells them
    picks = [0, 1, 2, 0x3FF, 0x400, 0x3C00, 0x3C01, 0x7BFF, 0x8000, 0x8001, 0xC000, 0xFBFF, 0x3555, 0x1234, 0xABCD]
    values = lambda d: halves[picks].view(d).double().tolist()
    json.dump({"bits": picks, "f16": values(torch.float16), "bf16": values(torch.bfloat16)}, f)

from transformers import LlamaConfig, Qwen2Config
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

llama = LlamaConfig(hidden_size=2048, num_attention_heads=32, rope_parameters={"rope_type": "llama3", "rope_theta": 5e5,
    "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192})
qwen25 = Qwen2Config(hidden_size=1536, num_attention_heads=12, rope_parameters={"rope_type": "default", "rope_theta": 1e6})
with open(out + "/rope.json", "w") as f:
    json.dump({"llama": LlamaRotaryEmbedding(llama).inv_freq.tolist(), "qwen25": Qwen2RotaryEmbedding(qwen25).inv_freq.tolist()}, f)

from peft import LoraConfig, get_peft_model
from transformers import Qwen2ForCausalLM

# Which modules PEFT adapts, with which r and scaling, for many ways of saying so.
ways = [
    dict(target_modules=["q_proj", "v_proj"]),
    dict(target_modules=["self_attn.q_proj", "model.layers.1.mlp.down_proj", "nothing"]),
    dict(target_modules="all-linear"),
    dict(target_modules="All-Linear", exclude_modules=["k_proj", "layers.2.mlp.up_proj"]),
    dict(target_modules=r".*\.(q|gate)_proj"),
    dict(target_modules=r"(?:model\.layers\.[12]\.self_attn\.(?P<which>[qk])_proj)|model\.layers\.0\.mlp\..*_proj"),
    dict(target_modules=r"model.*_proj\Z", exclude_modules=r".*mlp.*"),
    dict(target_modules=["o_proj", "up_proj"], layers_to_transform=[0, 2]),
    dict(target_modules=["o_proj", "up_proj"], layers_to_transform=1, layers_pattern="layers"),
    dict(target_modules=["o_proj"], layers_to_transform=[1], layers_pattern=["h", "layers"]),
    dict(target_modules=["q_proj", "v_proj"], layers_to_transform=[2]),
    dict(target_modules=["q_proj", "v_proj", "down_proj"], rank_pattern={"v_proj": 4, "layers.1.self_attn.q_proj": 2},
         alpha_pattern={r"layers\.[02]\.mlp\.down_proj": 5, "down_proj": 3.5}),
    dict(target_modules=["q_proj", "up_proj"], rank_pattern={r"^model\.layers\.0\..*": 3, "q_proj": 6, "proj": 7}),
    dict(target_modules=["k_proj"], use_rslora=True, rank_pattern={"2.self_attn.k_proj": 3}),
]
tiny = Qwen2Config(hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=2, num_key_value_heads=1, vocab_size=32)
found = []
for way in ways:
    with torch.device("meta"):
        model = get_peft_model(Qwen2ForCausalLM(tiny), LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=12, **way))
    found.append(dict(config=way, modules=[[n.removeprefix("base_model.model."), m.r["default"], m.scaling["default"],
                 m.lora_A["default"].in_features, m.lora_B["default"].out_features]
                 for n, m in model.named_modules() if hasattr(m, "lora_A")]))
with open(out + "/peft-modules.json", "w") as f:
    json.dump(dict(base=tiny.to_dict(), ways=found), f, default=str)

# json.dumps as PEFT and transformers call it
value = {"z": [0.0, 1.0, -2.5, 1e-5, 1.5e-7, 0.0001, 123456789.0, 1e15, 1e16, 1.25e22, 5e-324, -0.0, 3, -7, 2**40],
         "a": {}, "é\U0001f600\x7f\n\"\\": [], "\uffee": None, "nested": {"b": True, "a": ["x\u0001/"]}}
with open(out + "/dumps.json", "w") as f:
    f.write(json.dumps(value, indent=2, sort_keys=True))

# trainer_state.json of a run of six steps
import shutil, tempfile
from transformers import Trainer, TrainingArguments


class Rows(torch.utils.data.Dataset):
    def __len__(self): return 5
    def __getitem__(self, i): return {"input_ids": torch.tensor([1, 2, 3]), "labels": torch.tensor([1, 2, 3])}


with tempfile.TemporaryDirectory() as folder:
    args = TrainingArguments(folder, use_cpu=True, per_device_train_batch_size=1, gradient_accumulation_steps=2, num_train_epochs=2,
                             logging_steps=2, eval_strategy="steps", eval_steps=3, save_steps=3, report_to=[], disable_tqdm=True)
    Trainer(model=Qwen2ForCausalLM(tiny), args=args, train_dataset=Rows(), eval_dataset=Rows()).train()
    shutil.copy(folder + "/checkpoint-6/trainer_state.json", out)

# An event file by TensorBoard's own framing and protobuf
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

events = [Event(wall_time=1700000000.25, file_version="brain.Event:2")]
for time, step, scalars in [(1700000001.5, 1, {"train/loss": 1.25, "train/learning_rate": 5e-5}), (1700000002.5, 300, {"eval/loss": -0.0}),
                            (1700000003, 5_000_000_000, {"größe/東京": 3e38})]:
    values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
    events.append(Event(wall_time=time, step=step, summary=Summary(value=values)))
with open(out + "/events.bin", "wb") as f:
    for event in events:
        RecordWriter(f).write(event.SerializeToString(deterministic=True))
