"""The peer of bench/transformer.ts: Hugging Face transformers on the same models, on the same card.

  transformer_peer.py make FOLDER       small random models of each family with what transformers computes on them
  transformer_peer.py speed [compiled]  Llama-3.1-8B shape, random weights, SDPA: prefill and decode, one JSON line
"""
import copy
import json
import os
import re
import sys
import time

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, MixtralConfig, Qwen2Config, Qwen3Config, Qwen3MoeConfig, StaticCache

torch.manual_seed(0)
device = "cuda"

small = dict(hidden_size=512, intermediate_size=1024, num_hidden_layers=3, vocab_size=4096, max_position_embeddings=2048)
families = {
    "llama": LlamaConfig(num_attention_heads=8, num_key_value_heads=2, head_dim=64, rms_norm_eps=1e-5, **small),
    "llama3_scaling": LlamaConfig(
        num_attention_heads=8, num_key_value_heads=4, head_dim=128, rope_theta=500000.0, tie_word_embeddings=True,
        rope_scaling={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                      "original_max_position_embeddings": 256}, **small),
    "llama_yarn": LlamaConfig(
        num_attention_heads=8, num_key_value_heads=8, head_dim=64,
        rope_scaling={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512}, **small),
    "qwen2_bias": Qwen2Config(num_attention_heads=8, num_key_value_heads=1, **small),
    "qwen3": Qwen3Config(num_attention_heads=16, num_key_value_heads=2, head_dim=128, rope_theta=1000000.0, **small),
    "mixtral": MixtralConfig(num_attention_heads=8, num_key_value_heads=2, head_dim=64, num_local_experts=8, num_experts_per_tok=2,
                             rms_norm_eps=1e-5, **small),
    "qwen3_moe": Qwen3MoeConfig(num_attention_heads=16, num_key_value_heads=2, head_dim=128, num_experts=64, num_experts_per_tok=8,
                                moe_intermediate_size=192, norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[], **small),
}


def published(name, model):
    """The model's tensors under the names of published checkpoints: one matrix per expert."""
    tensors = {}
    names = ("w1", "w3", "w2") if name == "mixtral" else ("gate_proj", "up_proj", "down_proj")
    for key, value in model.state_dict().items():
        if name == "mixtral":
            key = key.replace(".mlp.", ".block_sparse_moe.")
        if key.endswith("experts.gate_up_proj"):
            for e, matrix in enumerate(value):
                for part, half in zip(names[:2], matrix.chunk(2)):
                    tensors[re.sub("gate_up_proj$", f"{e}.{part}.weight", key)] = half
        elif key.endswith("experts.down_proj"):
            for e, matrix in enumerate(value):
                tensors[re.sub("down_proj$", f"{e}.{names[2]}.weight", key)] = matrix
        else:
            tensors[key] = value
    return {key: value.contiguous().clone() for key, value in tensors.items()}


def make(folder):
    for name, config in families.items():
        place = os.path.join(folder, name)
        os.makedirs(place, exist_ok=True)
        config._attn_implementation = "sdpa"
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).to(device).eval()
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                # Wide enough that attention matters: initialiser values alone leave all logits near zero.
                if "norm" in key:
                    parameter.copy_(1 + 0.2 * torch.randn_like(parameter))
                else:
                    parameter.normal_(0, 0.05)
        if name in ("mixtral", "qwen3_moe"):
            config.save_pretrained(place)
            save_file(published(name, model), os.path.join(place, "model.safetensors"))
            wide = copy.deepcopy(model).float()
        else:
            model.save_pretrained(place)
            wide = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32).to(device).eval()
        prompt = torch.randint(0, small["vocab_size"], (1, 600), device=device)
        result = {"prompt": prompt[0].tolist()}
        with torch.no_grad():
            for label, each in (("bf16", model), ("fp32", wide)):
                each(prompt).logits[0].float().cpu().numpy().tofile(os.path.join(place, f"logits.{label}"))
                result[label] = each.generate(prompt, max_new_tokens=48, do_sample=False, eos_token_id=None, pad_token_id=0)[0, 600:].tolist()
        with open(os.path.join(place, "expected.json"), "w") as file:
            json.dump(result, file)
        print("made", name, flush=True)


def median(values):
    return sorted(values)[len(values) // 2]


def timed(body, repeats):
    times = []
    for i in range(repeats + 1):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        body()
        end.record()
        end.synchronize()
        if i > 0:
            times.append(start.elapsed_time(end))
    return median(times)


def speed(compiled):
    config = LlamaConfig(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8,
                         head_dim=128, vocab_size=128256, max_position_embeddings=40960, rope_theta=500000.0)
    config._attn_implementation = "sdpa"
    with torch.device(device):
        torch.set_default_dtype(torch.bfloat16)
        model = AutoModelForCausalLM.from_config(config).eval()
    result = {"transformers": __import__("transformers").__version__, "torch": torch.__version__}
    with torch.no_grad():
        if not compiled:
            for tokens in (512, 2048, 8192, 32768):
                ids = torch.randint(0, 128256, (1, tokens), device=device)
                result[f"prefill {tokens}"] = timed(lambda: model(ids, logits_to_keep=1), 5 if tokens < 8192 else 2)
        for batch in (1, 64):
            cache = StaticCache(config=config, max_cache_len=1152)
            ids = torch.randint(0, 128256, (batch, 1024), device=device)
            for at in range(0, batch, 64):
                model(ids, past_key_values=cache, logits_to_keep=1)
            step = torch.compile(model, mode="reduce-overhead", fullgraph=False) if compiled else model
            one = ids[:, :1].contiguous()
            position = torch.tensor([1024], device=device)
            result[f"decode {batch}"] = timed(lambda: step(one, past_key_values=cache, cache_position=position, position_ids=position[None]), 10)
            del cache
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2])
    else:
        speed("compiled" in sys.argv[2:])
