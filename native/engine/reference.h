// The float64 reference of a dense layer, on all processors: what the GPU's outputs are held to.
#pragma once
#include <cstddef>

namespace dyno::engine {

// y[rows][out] = activation(x[rows][in] · w[out][in]ᵀ + b[out]); activation: 0 none, 1 ReLU, 2 GELU (exact).
void referenceLinear(double* y, const double* x, const float* w, const float* b, std::size_t rows, std::size_t in,
                     std::size_t out, unsigned activation);

}  // namespace dyno::engine
