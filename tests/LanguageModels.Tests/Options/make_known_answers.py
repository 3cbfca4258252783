"""Losses of configurations that tests/Vectors has no checkpoint for, by a plain float64 forward pass that shares nothing
with the product: python3 make_known_answers.py > known_answers.json. It first checks itself against tests/Vectors/models."""
import json, pathlib, struct, sys
import numpy as np

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "Vectors" / "models"


def load(folder):
    weights = {}
    for path in folder.glob("*.safetensors"):
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        for name, entry in json.loads(data[8:8 + length]).items():
            if name == "__metadata__":
                continue
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            if entry["dtype"] == "BF16":
                values = (np.frombuffer(data[begin:end], "<u2").astype(np.uint32) << 16).view(np.float32)
            else:
                values = np.frombuffer(data[begin:end], {"F32": "<f4", "F16": "<f2"}[entry["dtype"]])
            weights[name] = values.astype(np.float64).reshape(entry["shape"])
    return weights


def made_up_bias(name, size):
    """Any numbers will do that a test can make again."""
    return (((np.arange(size) * 7 + len(name)) % 11 - 5) / 64.0).astype(np.float64)


def frequencies(config, length, size):
    rope = config["rope_parameters"]
    theta, kind, factor = rope["rope_theta"], rope["rope_type"], rope.get("factor", 1.0)
    if kind == "dynamic":
        trained = config["max_position_embeddings"]
        theta *= (factor * max(length, trained) / trained - (factor - 1)) ** (size / (size - 2))
    result = theta ** (-np.arange(0, size, 2) / size)
    if kind == "linear":
        result = result / factor
    if kind == "llama3":
        turns = rope["original_max_position_embeddings"] * result / (2 * np.pi)
        keep = np.clip((turns - rope["low_freq_factor"]) / (rope["high_freq_factor"] - rope["low_freq_factor"]), 0, 1)
        result = result * (keep + (1 - keep) / factor)
    return result


def windowed(config, layer):
    if config["model_type"] == "mistral":
        return config["sliding_window"] is not None
    if not config.get("use_sliding_window"):
        return False
    if config.get("layer_types"):
        return config["layer_types"][layer] == "sliding_attention"
    return layer >= config["max_window_layers"]


def losses(config, weights, ids, labels):
    """Negative log likelihood at every label of one sequence."""
    heads, key_heads = config["num_attention_heads"], config["num_key_value_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    ids, labels = ids[:-1], labels[1:]
    length = len(ids)

    def norm(x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + config["rms_norm_eps"]) * weights[name]

    def linear(x, name):
        return x @ weights[name + ".weight"].T + weights.get(name + ".bias", 0.0)

    angles = np.outer(np.arange(length), frequencies(config, length, size))[:, None, :]

    def turn(x):
        a, b = x[..., :size // 2], x[..., size // 2:]
        return np.concatenate([a * np.cos(angles) - b * np.sin(angles), b * np.cos(angles) + a * np.sin(angles)], -1)

    x = weights["model.embed_tokens.weight"][ids]
    distance = np.arange(length)[:, None] - np.arange(length)[None, :]
    for layer in range(config["num_hidden_layers"]):
        name = f"model.layers.{layer}"
        h = norm(x, name + ".input_layernorm.weight")
        q, k, v = (linear(h, f"{name}.self_attn.{p}_proj").reshape(length, -1, size) for p in "qkv")
        if f"{name}.self_attn.q_norm.weight" in weights:
            q, k = norm(q, name + ".self_attn.q_norm.weight"), norm(k, name + ".self_attn.k_norm.weight")
        q, k = turn(q), turn(k)
        k, v = np.repeat(k, heads // key_heads, 1), np.repeat(v, heads // key_heads, 1)
        seen = (distance >= 0) & ((distance < config["sliding_window"]) if windowed(config, layer) else True)
        scores = np.where(seen[None], np.einsum("qhd,khd->hqk", q, k) / np.sqrt(size), -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        attended = np.einsum("hqk,khd->qhd", scores / scores.sum(-1, keepdims=True), v).reshape(length, -1)
        x = x + linear(attended, name + ".self_attn.o_proj")
        h = norm(x, name + ".post_attention_layernorm.weight")
        gate = linear(h, name + ".mlp.gate_proj")
        x = x + linear(gate / (1 + np.exp(-gate)) * linear(h, name + ".mlp.up_proj"), name + ".mlp.down_proj")
    x = norm(x, "model.norm.weight")
    logits = x @ weights.get("lm_head.weight", weights["model.embed_tokens.weight"]).T
    logits -= logits.max(-1, keepdims=True)
    likelihood = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return [-likelihood[t, label] for t, label in enumerate(labels) if label != -100]


def loss(config, weights, expected):
    return float(np.mean(sum((losses(config, weights, i, l) for i, l in zip(expected["input_ids"], expected["labels"])), [])))


def main():
    for folder in sorted(VECTORS.iterdir()):
        config, expected = (json.loads((folder / name).read_text()) for name in ("config.json", "expected.json"))
        if config["model_type"] != "gpt2":
            ours = loss(config, load(folder), expected)
            assert abs(ours / expected["loss"] - 1) < 1e-6, (folder, ours, expected["loss"])

    rope = lambda kind, factor: {"rope_theta": 10000.0, "rope_type": kind, "factor": factor}
    cases = [
        ("linear scaling", "llama-gqa-untied", {"rope_parameters": rope("linear", 4.0)}, []),
        ("dynamic scaling within the trained length", "llama-gqa-untied", {"rope_parameters": rope("dynamic", 4.0)}, []),
        ("dynamic scaling beyond the trained length", "llama-gqa-untied",
         {"rope_parameters": rope("dynamic", 4.0), "max_position_embeddings": 16}, []),
        ("attention biases", "llama-gqa-untied", {"attention_bias": True}, ["self_attn." + p for p in ("q_proj", "k_proj", "v_proj", "o_proj")]),
        ("feed-forward biases", "llama-gqa-untied", {"mlp_bias": True}, ["mlp." + p for p in ("gate_proj", "up_proj", "down_proj")]),
        ("no window", "mistral-sliding", {"sliding_window": None}, []),
        ("a window in the second layer", "qwen2-bias-tied",
         {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1, "layer_types": None}, []),
        ("a window in the listed layer", "qwen3-qknorm",
         {"use_sliding_window": True, "sliding_window": 9, "layer_types": ["sliding_attention", "full_attention"]}, []),
    ]
    answers = []
    for name, model, change, biased in cases:
        config, expected = (json.loads((VECTORS / model / file).read_text()) for file in ("config.json", "expected.json"))
        config.update(change)
        weights = load(VECTORS / model)
        biases = [f"model.layers.{layer}.{module}" for layer in range(config["num_hidden_layers"]) for module in biased]
        weights.update({f"{module}.bias": made_up_bias(f"{module}.bias", len(weights[f"{module}.weight"])) for module in biases})
        answers.append({"name": name, "model": model, "change": change, "biases": [f"{module}.bias" for module in biases],
                        "loss": loss(config, weights, expected)})
    json.dump(answers, sys.stdout, indent=1)
    print()


main()
