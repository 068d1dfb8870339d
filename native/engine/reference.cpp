#include "engine/reference.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>
#include <vector>

namespace dyno::engine {

void referenceLinear(double* y, const double* x, const float* w, const float* b, std::size_t rows, std::size_t in,
                     std::size_t out, unsigned activation) {
  std::atomic<std::size_t> nextRow{0};
  const auto work = [&] {
    for (std::size_t row = nextRow++; row < rows; row = nextRow++) {
      for (std::size_t o = 0; o < out; ++o) {
        // Four partial sums, in a fixed order: the result does not depend on the number of threads.
        double sums[4] = {0, 0, 0, 0};
        const double* from = x + row * in;
        const float* weights = w + o * in;
        std::size_t i = 0;
        for (; i + 4 <= in; i += 4) {
          for (std::size_t j = 0; j < 4; ++j) sums[j] += from[i + j] * static_cast<double>(weights[i + j]);
        }
        for (; i < in; ++i) sums[0] += from[i] * static_cast<double>(weights[i]);
        double value = sums[0] + sums[1] + sums[2] + sums[3] + static_cast<double>(b[o]);
        if (activation == 1) value = std::max(value, 0.0);
        if (activation == 2) value = 0.5 * value * (1.0 + std::erf(value * 0.70710678118654752440));
        y[row * out + o] = value;
      }
    }
  };
  std::vector<std::thread> helpers;
  const unsigned count =
      std::min<unsigned>(std::max(std::thread::hardware_concurrency(), 1u), static_cast<unsigned>(rows));
  for (unsigned i = 1; i < count; ++i) helpers.emplace_back(work);
  work();
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace dyno::engine
