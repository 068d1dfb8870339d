#include "transformer/reference.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "transformer/model.h"
#include "transformer/random_weights.h"

namespace dyno::transformer {
namespace {

using Vector = std::vector<double>;

class Drawn {
 public:
  Drawn(const Shape& shape, std::uint32_t seed) : seed_(seed) {
    for (const Placement& each : layOut(shape).placements) placements_[each.name] = each;
  }
  Vector operator()(const std::string& name) const {
    const Placement& p = placements_.at(name);
    const std::uint32_t key = weightKey(seed_, name);
    Vector values(p.elements);
    for (std::size_t i = 0; i < p.elements; ++i)
      values[i] = static_cast<double>(randomWeight(key, static_cast<std::uint32_t>(i), p.centre, p.scale));
    return values;
  }

 private:
  std::uint32_t seed_;
  std::map<std::string, Placement> placements_;
};

Vector linear(const Vector& x, const Vector& w, std::size_t rows, std::size_t inner) {
  const std::size_t outputs = w.size() / inner;
  Vector y(rows * outputs);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t o = 0; o < outputs; ++o) {
      double sum = 0;
      for (std::size_t k = 0; k < inner; ++k) sum += x[r * inner + k] * w[o * inner + k];
      y[r * outputs + o] = sum;
    }
  }
  return y;
}

void normalise(double* x, const double* weight, std::size_t size, double epsilon) {
  double squares = 0;
  for (std::size_t i = 0; i < size; ++i) squares += x[i] * x[i];
  const double scale = 1 / std::sqrt(squares / static_cast<double>(size) + epsilon);
  for (std::size_t i = 0; i < size; ++i) x[i] *= scale * weight[i];
}

Vector swiglu(const Vector& x, const Vector& gate, const Vector& up, const Vector& down, std::size_t rows,
              std::size_t hidden) {
  Vector h = linear(x, gate, rows, hidden);
  const Vector u = linear(x, up, rows, hidden);
  for (std::size_t i = 0; i < h.size(); ++i) h[i] = h[i] / (1 + std::exp(-h[i])) * u[i];
  return linear(h, down, rows, h.size() / rows);
}

// Softmax over all experts, the top k, their outputs weighted (transformers' modeling_mixtral.py, modeling_qwen3_moe.py,
// modeling_qwen2_moe.py for the shared expert). Ties go to the lower expert.
template <class Of>
Vector mixture(const Shape& s, const Vector& h, std::size_t n, const Of& of) {
  const bool mixtral = s.family == Family::mixtral;
  const std::string block = mixtral ? "block_sparse_moe." : "mlp.";
  const auto hidden = static_cast<std::size_t>(s.hidden), experts = static_cast<std::size_t>(s.experts);
  const Vector logits = linear(h, of(block + "gate.weight"), n, hidden);
  Vector share(n * experts, 0), sum(n * hidden, 0);
  for (std::size_t t = 0; t < n; ++t) {
    const double* row = &logits[t * experts];
    std::vector<std::size_t> order(experts);
    for (std::size_t e = 0; e < experts; ++e) order[e] = e;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return row[a] > row[b]; });
    double total = 0, chosen = 0;
    for (std::size_t e = 0; e < experts; ++e) total += std::exp(row[e] - row[order[0]]);
    for (int j = 0; j < s.topK; ++j) chosen += std::exp(row[order[static_cast<std::size_t>(j)]] - row[order[0]]);
    for (int j = 0; j < s.topK; ++j) {
      const std::size_t e = order[static_cast<std::size_t>(j)];
      share[t * experts + e] = std::exp(row[e] - row[order[0]]) / (s.normTopK ? chosen : total);
    }
  }
  for (std::size_t e = 0; e < experts; ++e) {
    const std::string name = block + "experts." + std::to_string(e) + ".";
    const Vector y = swiglu(h, of(name + (mixtral ? "w1" : "gate_proj") + ".weight"),
                            of(name + (mixtral ? "w3" : "up_proj") + ".weight"),
                            of(name + (mixtral ? "w2" : "down_proj") + ".weight"), n, hidden);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += share[i / hidden * experts + e] * y[i];
  }
  if (s.sharedFfn > 0) {
    const Vector y = swiglu(h, of(block + "shared_expert.gate_proj.weight"), of(block + "shared_expert.up_proj.weight"),
                            of(block + "shared_expert.down_proj.weight"), n, hidden);
    const Vector gate = linear(h, of(block + "shared_expert_gate.weight"), n, hidden);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += y[i] / (1 + std::exp(-gate[i / hidden]));
  }
  return sum;
}

}  // namespace

std::vector<double> referenceLogits(const Shape& s, std::uint32_t seed, const std::vector<std::int32_t>& tokens,
                                    int layers) {
  const Drawn weight(s, seed);
  const auto wide = [](int n) { return static_cast<std::size_t>(n); };
  const std::size_t n = tokens.size(), hidden = wide(s.hidden), d = wide(s.headDim), heads = wide(s.heads),
                    kvHeads = wide(s.kvHeads), ffn = wide(s.ffn);
  const double epsilon = static_cast<double>(s.normEps);
  const std::vector<float> table = ropeTable(s);
  const Vector embedding = weight("model.embed_tokens.weight");
  Vector x(n * hidden);
  for (std::size_t t = 0; t < n; ++t)
    std::copy_n(embedding.begin() + static_cast<long>(wide(tokens[t]) * hidden), hidden,
                x.begin() + static_cast<long>(t * hidden));
  for (int l = 0; l < (layers < 0 ? s.layers : layers); ++l) {
    const std::string prefix = "model.layers." + std::to_string(l) + ".";
    const auto of = [&](const std::string& name) { return weight(prefix + name); };
    Vector h = x;
    const Vector norm1 = of("input_layernorm.weight");
    for (std::size_t t = 0; t < n; ++t) normalise(&h[t * hidden], norm1.data(), hidden, epsilon);
    Vector part[3];
    const char* names[3] = {"q", "k", "v"};
    for (int i = 0; i < 3; ++i) {
      const std::string name = std::string("self_attn.") + names[i] + "_proj.";
      part[i] = linear(h, of(name + "weight"), n, hidden);
      if (s.attentionBias) {
        const Vector bias = of(name + "bias");
        for (std::size_t j = 0; j < part[i].size(); ++j) part[i][j] += bias[j % bias.size()];
      }
      if (i == 2) continue;
      const std::size_t count = i == 0 ? heads : kvHeads;
      const Vector norm = s.qkNorm ? of(std::string("self_attn.") + names[i] + "_norm.weight") : Vector();
      for (std::size_t t = 0; t < n; ++t) {
        for (std::size_t j = 0; j < count; ++j) {
          double* at = &part[i][(t * count + j) * d];
          if (s.qkNorm) normalise(at, norm.data(), d, epsilon);
          for (std::size_t p = 0; p < d / 2; ++p) {
            const double c = static_cast<double>(table[(t * d / 2 + p) * 2]),
                         sine = static_cast<double>(table[(t * d / 2 + p) * 2 + 1]);
            const double a = at[p], b = at[p + d / 2];
            at[p] = a * c - b * sine;
            at[p + d / 2] = b * c + a * sine;
          }
        }
      }
    }
    Vector attended(n * heads * d);
    for (std::size_t t = 0; t < n; ++t) {
      for (std::size_t j = 0; j < heads; ++j) {
        const std::size_t kv = j / (heads / kvHeads);
        Vector score(t + 1);
        double top = -INFINITY, sum = 0;
        for (std::size_t u = 0; u <= t; ++u) {
          double dot = 0;
          for (std::size_t i = 0; i < d; ++i)
            dot += part[0][(t * heads + j) * d + i] * part[1][(u * kvHeads + kv) * d + i];
          score[u] = dot / std::sqrt(static_cast<double>(d));
          top = std::max(top, score[u]);
        }
        for (double& each : score) sum += each = std::exp(each - top);
        for (std::size_t u = 0; u <= t; ++u) {
          for (std::size_t i = 0; i < d; ++i)
            attended[(t * heads + j) * d + i] += score[u] / sum * part[2][(u * kvHeads + kv) * d + i];
        }
      }
    }
    const Vector projected = linear(attended, of("self_attn.o_proj.weight"), n, heads * d);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += projected[i];
    h = x;
    const Vector norm2 = of("post_attention_layernorm.weight");
    for (std::size_t t = 0; t < n; ++t) normalise(&h[t * hidden], norm2.data(), hidden, epsilon);
    if (s.experts > 0) {
      const Vector mixed = mixture(s, h, n, of);
      for (std::size_t i = 0; i < x.size(); ++i) x[i] += mixed[i];
      continue;
    }
    Vector gate = linear(h, of("mlp.gate_proj.weight"), n, hidden);
    const Vector up = linear(h, of("mlp.up_proj.weight"), n, hidden);
    for (std::size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
    const Vector down = linear(gate, of("mlp.down_proj.weight"), n, ffn);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += down[i];
  }
  const Vector norm = weight("model.norm.weight");
  for (std::size_t t = 0; t < n; ++t) normalise(&x[t * hidden], norm.data(), hidden, epsilon);
  return linear(x, weight(s.tiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight"), n, hidden);
}

}  // namespace dyno::transformer
