#!/usr/bin/env python3
"""Holds the float64 reference against Hugging Face transformers.

For each family: a tiny model with the random weights of a seed (the generator of randomWeights.ts, in numpy) is written as a
checkpoint, loaded by transformers, and its logits and greedy tokens are written as JSON. `transformers.test.ts` computes the same.

    python3 transformers_logits.py OUT.json [FOLDER]     FOLDER keeps the checkpoints (config.json, model.safetensors)
"""

import json
import os
import sys
import tempfile

import numpy as np
import torch
import transformers
from safetensors.torch import save_file

SEED = 7
PROMPT = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6, 4, 3]
GREEDY = 12

BASE = {
    "hidden_size": 128,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "vocab_size": 96,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
    "hidden_act": "silu",
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
QWEN3_MOE = {
    "architectures": ["Qwen3MoeForCausalLM"],
    "model_type": "qwen3_moe",
    "num_experts": 8,
    "num_experts_per_tok": 3,
    "moe_intermediate_size": 64,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
}
CONFIGS = {
    "llama": {"architectures": ["LlamaForCausalLM"], "model_type": "llama"},
    "llama with llama3 rope": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "rope_scaling": LLAMA3},
    "qwen2": {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "use_sliding_window": False},
    "qwen3, tied": {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "tie_word_embeddings": True},
    "qwen3 with yarn": {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "rope_scaling": YARN},
    "qwen3_moe": {**QWEN3_MOE, "norm_topk_prob": True},
    "qwen3_moe, shares as they are": {**QWEN3_MOE, "norm_topk_prob": False},
    "mixtral": {
        "architectures": ["MixtralForCausalLM"],
        "model_type": "mixtral",
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "sliding_window": None,
    },
}


def mixed(h):
    h = h ^ (h >> np.uint32(16))
    h = h * np.uint32(0x85EBCA6B)
    h = h ^ (h >> np.uint32(13))
    h = h * np.uint32(0xC2B2AE35)
    return h ^ (h >> np.uint32(16))


def weight_key(seed, name):
    h = 0x811C9DC5
    for c in name.encode():
        h = ((h ^ c) * 0x01000193) & 0xFFFFFFFF
    seeded = mixed(np.array([(seed + 0x9E3779B9) & 0xFFFFFFFF], dtype=np.uint32))
    return mixed(np.array([h], dtype=np.uint32) ^ seeded)[0]


def random_tensor(seed, name, shape, centre, scale):
    key = weight_key(seed, name)
    index = np.arange(int(np.prod(shape)), dtype=np.uint32)
    h = mixed(mixed(index * np.uint32(0x9E3779B1) + key) ^ key)
    whole = (h >> np.uint32(8)).astype(np.int64) * 2 - 0xFFFFFF
    part = np.float32(scale) * (whole.astype(np.float32) * np.float32(2.0**-24))
    values = torch.from_numpy((np.float32(centre) + part).astype(np.float32).reshape(shape))
    return values.to(torch.bfloat16)


def tensors(config):
    c = config
    hidden, heads, kv, dim = c["hidden_size"], c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
    scale = np.float32(0.02) * np.float32(1.7320508)
    out = {}

    def matrix(name, *shape):
        out[name] = random_tensor(SEED, name, shape, 0.0, scale)

    def norm(name, size):
        out[name] = random_tensor(SEED, name, (size,), 1.0, 0.125)

    matrix("model.embed_tokens.weight", c["vocab_size"], hidden)
    for layer in range(c["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        norm(at + "input_layernorm.weight", hidden)
        for part, rows in (("q", heads * dim), ("k", kv * dim), ("v", kv * dim)):
            matrix(f"{at}self_attn.{part}_proj.weight", rows, hidden)
            if c["model_type"] == "qwen2":
                matrix(f"{at}self_attn.{part}_proj.bias", rows)
        if c["model_type"].startswith("qwen3"):
            norm(at + "self_attn.q_norm.weight", dim)
            norm(at + "self_attn.k_norm.weight", dim)
        matrix(at + "self_attn.o_proj.weight", hidden, heads * dim)
        norm(at + "post_attention_layernorm.weight", hidden)
        if c["model_type"] == "mixtral":
            block, count, width, names = at + "block_sparse_moe.", c["num_local_experts"], c["intermediate_size"], ("w1", "w3", "w2")
        elif c["model_type"] == "qwen3_moe":
            block, count, width, names = at + "mlp.", c["num_experts"], c["moe_intermediate_size"], ("gate_proj", "up_proj", "down_proj")
        else:
            block, count, width, names = at + "mlp.", 0, c["intermediate_size"], ("gate_proj", "up_proj", "down_proj")
        if count > 0:
            matrix(block + "gate.weight", count, hidden)
        for own in [f"{block}experts.{e}." for e in range(count)] or [block]:
            matrix(f"{own}{names[0]}.weight", width, hidden)
            matrix(f"{own}{names[1]}.weight", width, hidden)
            matrix(f"{own}{names[2]}.weight", hidden, width)
    norm("model.norm.weight", hidden)
    if not c["tie_word_embeddings"]:
        matrix("lm_head.weight", c["vocab_size"], hidden)
    return out


def main():
    out, keep = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp()
    families = []
    for name, more in CONFIGS.items():
        config = {**BASE, **more}
        folder = os.path.join(keep, name.replace(" ", "-").replace(",", ""))
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config.json"), "w") as file:
            json.dump(config, file)
        save_file(tensors(config), os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        )
        # Grouped products of experts know no float64.
        if "expert" not in " ".join(config):
            model = model.double()
        tokens = torch.tensor([PROMPT])
        with torch.no_grad():
            logits = model(tokens).logits[0]
            greedy = []
            while len(greedy) < GREEDY:
                greedy.append(int(model(tokens).logits[0, -1].argmax()))
                tokens = torch.cat([tokens, torch.tensor([[greedy[-1]]])], dim=1)
        families.append(
            {
                "name": name,
                "config": config,
                "greedy": greedy,
                "logits": [[float(f"{value:.9g}") for value in row] for row in logits[::6].tolist()],
            }
        )
        print(name, "logits of", logits.shape, "greedy", greedy, flush=True)
    with open(out, "w") as file:
        json.dump({"transformers": transformers.__version__, "torch": torch.__version__, "seed": SEED, "prompt": PROMPT, "every": 6, "families": families}, file)


main()
