// FP8 weights against float64, and the times of the ways to multiply with them.
#include <cuda_fp8.h>

#include "transformer/check/blas.h"
#include "transformer/check/check.h"
#include "transformer/check/kernels.h"
#include "transformer/check/sections.h"

namespace check {
namespace {

double e4m3(std::uint8_t code) {
  const int exponent = code >> 3 & 15, mantissa = code & 7;
  const double size = exponent == 0 ? mantissa / 8.0 * std::exp2(-6) : (1 + mantissa / 8.0) * std::exp2(exponent - 7);
  return code & 0x80 ? -size : size;
}
std::vector<double> wideOf(const std::vector<bf16>& values) {
  std::vector<double> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) result[i] = wide(values[i]);
  return result;
}

void checkCodes() {
  std::vector<std::uint8_t> codes;
  for (int i = 0; i < 256; ++i) codes.push_back((i & 0x7F) == 0x7F ? 0 : static_cast<std::uint8_t>(i));
  Device<std::uint8_t> in(codes);
  Device<float> scales(std::vector<float>{0.5f});
  Device<bf16> out(256);
  launch(widenRows, dim3(1), 256, 0, nullptr, out.get(), in.get(), scales.get(), 256);
  require(cudaDeviceSynchronize(), "widenRows");
  const auto got = out.read();
  bool exact = true;
  for (int i = 0; i < 256; ++i) exact = exact && wide(got[i]) == 0.5 * e4m3(codes[i]);
  if (exact) std::printf("ok      e4m3, all codes are exact in BF16\n");
  expect(exact, "e4m3: all codes are exact in BF16");
}

void checkProduct(int rows, int outputs, int inner, std::uint64_t seed) {
  const std::string name = "fp8 " + std::to_string(rows) + " × " + std::to_string(outputs) + " × " + std::to_string(inner);
  auto weightHost = randomBf16(std::size_t(2) * outputs * inner, seed, 0.02);
  for (int k = 0; k < inner; ++k) weightHost[inner + k] = __float2bfloat16_rn(0);  // a channel of zeros
  for (int k = 0; k < inner; k += 3) weightHost[k] = __float2bfloat16_rn(1e-4f * wide(weightHost[k]));  // subnormal codes
  const auto xHost = randomBf16(std::size_t(rows) * inner, seed + 1, 1);
  auto residualHost = randomBf16(std::size_t(rows) * outputs, seed + 2, 1);
  Device<bf16> weight(weightHost), x(xHost), y(std::size_t(rows) * outputs), gated(y.size()), sums(residualHost);
  Device<float> scales(2 * outputs), wideY(y.size());
  Device<std::uint8_t> codes(weightHost.size());
  launch(quantiseRows, dim3(2 * outputs), 256, 0, nullptr, codes.get(), scales.get(), weight.get(), inner);
  launch(fp8Few, dim3(outputs / 16), 256, 0, nullptr, y.get(), codes.get(), scales.get(), x.get(), rows, outputs, inner, 0);
  launch(fp8Few, dim3(outputs / 16), 256, 0, nullptr, wideY.get(), codes.get(), scales.get(), x.get(), rows, outputs, inner, 3);
  launch(fp8Few, dim3(outputs / 16), 256, 0, nullptr, sums.get(), codes.get(), scales.get(), x.get(), rows, outputs, inner, 1);
  launch(fp8FewSwiglu, dim3(outputs / 16), 256, 0, nullptr, gated.get(), codes.get(), scales.get(), x.get(), rows, outputs, inner);
  require(cudaDeviceSynchronize(), name.c_str());
  const auto codesGot = codes.read();
  const auto scalesGot = scales.read();
  bool near = true;
  std::vector<double> w(codesGot.size());
  for (int n = 0; n < 2 * outputs; ++n) {
    double largest = 0;
    for (int k = 0; k < inner; ++k) largest = std::max(largest, std::abs(double(wide(weightHost[std::size_t(n) * inner + k]))));
    near = near && std::abs(scalesGot[n] - (largest > 0 ? largest / 448 : 1)) <= 1e-6 * scalesGot[n];
    for (int k = 0; k < inner; ++k) {
      const std::size_t at = std::size_t(n) * inner + k;
      w[at] = e4m3(codesGot[at]) * scalesGot[n];
      const double exact = wide(weightHost[at]);
      near = near && std::abs(w[at] - exact) <= std::abs(exact) / 16 * 1.0001 + scalesGot[n] / 1024 * 1.0001;
    }
  }
  expect(near, name + ": scales, and codes within half a step");
  std::vector<double> want, wantGated, wantSum;
  for (int t = 0; t < rows; ++t)
    for (int n = 0; n < outputs; ++n) {
      double first = 0, second = 0;
      for (int k = 0; k < inner; ++k) {
        first += w[std::size_t(n) * inner + k] * wide(xHost[std::size_t(t) * inner + k]);
        second += w[std::size_t(n + outputs) * inner + k] * wide(xHost[std::size_t(t) * inner + k]);
      }
      want.push_back(first);
      wantGated.push_back(first / (1 + std::exp(-first)) * second);
      wantSum.push_back(first + wide(residualHost[std::size_t(t) * outputs + n]));
    }
  const auto wideGot = wideY.read();
  expectClose(errorOf({wideGot.begin(), wideGot.end()}, want), 1e-5, 1e-4, name + ", FP32 out");
  expectClose(errorOf(wideOf(y.read()), want), 3e-3, 2e-2, name + ", BF16 out");
  expectClose(errorOf(wideOf(sums.read()), wantSum), 4e-3, 3e-2, name + ", residual");
  expectClose(errorOf(wideOf(gated.read()), wantGated), 6e-3, 1e-1, name + ", SwiGLU");
}

struct Matrix {
  const char* name;
  int outputs, inner;
};
// Llama-3.1-8B's.
constexpr Matrix matrices[] = {{"qkv", 6144, 4096}, {"output", 4096, 4096}, {"gate and up", 28672, 4096}, {"down", 4096, 14336}};

}  // namespace

void checkFp8() {
  checkCodes();
  checkProduct(1, 48, 512, 31);
  checkProduct(7, 272, 208, 32);
  checkProduct(16, 64, 1040, 33);
  checkProduct(41, 32, 4096, 34);
}

Roofs measureRoofs() {
  Roofs roofs;
  {
    Device<std::uint8_t> from(std::size_t(4) << 30), to(std::size_t(4) << 30);
    const auto copies = [&] {
      return graphMicroseconds([&](cudaStream_t stream) {
        require(cudaMemcpyAsync(to.get(), from.get(), from.size(), cudaMemcpyDeviceToDevice, stream), "cudaMemcpyAsync");
      }, 25);
    };
    copies();  // the clocks rise
    roofs.copyBytesPerUs = 2.0 * double(from.size()) / copies();
  }
  if (!blas().there()) {
    std::printf("cuBLASLt is not there (DYNO_CUBLASLT): no GEMM roof\n");
    roofs.gemmFlopPerUs = 700e6;
    return roofs;
  }
  constexpr int size = 8192;
  Device<bf16> a(std::size_t(size) * size), b(a.size()), d(a.size());
  fillNormal(a.get(), a.size(), 1, 1);
  fillNormal(b.get(), b.size(), 2, 1);
  Blas::Plan plan;
  expect(blas().plan(plan, size, size, size, false), "cuBLASLt plans a BF16 product");
  // Long enough for the card's sustained clock.
  roofs.gemmFlopPerUs = 2.0 * size * size * size * 20 / graphMicroseconds([&](cudaStream_t stream) {
    for (int i = 0; i < 20; ++i) blas().run(plan, d.get(), a.get(), b.get(), nullptr, nullptr, stream);
  }, 5);
  return roofs;
}

void timeFp8(const Roofs& roofs) {
  for (const Matrix& m : matrices) {
    const std::size_t elements = std::size_t(m.outputs) * m.inner;
    const int sets = static_cast<int>(std::min<std::size_t>(12, (std::size_t(400) << 20) / elements + 1));
    constexpr int most = 2048;
    Device<bf16> weight(elements * sets), x(std::size_t(most) * m.inner), y(std::size_t(most) * m.outputs);
    Device<std::uint8_t> codes(elements * sets), xCodes(x.size());
    Device<float> scales(std::size_t(m.outputs) * sets), xScales(most);
    fillNormal(weight.get(), weight.size(), 41, 0.02f);
    fillNormal(x.get(), x.size(), 42, 1);
    launch(quantiseRows, dim3(m.outputs * sets), 256, 0, nullptr, codes.get(), scales.get(), weight.get(), m.inner);
    require(cudaDeviceSynchronize(), "quantiseRows");
    for (int rows : {1, 8, 16, 32, 64, 512, 2048}) {
      const std::string name = "fp8 " + std::string(m.name) + ", " + std::to_string(rows) + " rows: ";
      const double few = std::max(double(elements) / roofs.copyBytesPerUs, 2.0 * rows * elements / (2 * roofs.gemmFlopPerUs));
      if (rows <= 64)
        row(name + "fp8Few", graphMicroseconds([&](cudaStream_t stream) {
          for (int i = 0; i < sets; ++i)
            launch(fp8Few, dim3(m.outputs / 16), 256, 0, stream, y.get(), codes.get() + i * elements,
                   scales.get() + std::size_t(i) * m.outputs, x.get(), rows, m.outputs, m.inner, 0);
        }) / sets, few, "");
      if (!blas().there()) continue;
      Blas::Plan plan, plain;
      if (blas().plan(plain, rows, m.outputs, m.inner, false))
        row(name + "cuBLASLt BF16", graphMicroseconds([&](cudaStream_t stream) {
          for (int i = 0; i < sets; ++i)
            blas().run(plain, y.get(), x.get(), weight.get() + i * elements, nullptr, nullptr, stream);
        }, 5) / sets, std::max(2.0 * elements / roofs.copyBytesPerUs, 2.0 * rows * elements / roofs.gemmFlopPerUs), "");
      if (!blas().plan(plan, rows, m.outputs, m.inner, true)) {
        std::printf("cuBLASLt has no FP8 product with vectors of scales for %d rows\n", rows);
        continue;
      }
      const double each = graphMicroseconds([&](cudaStream_t stream) {
        for (int i = 0; i < sets; ++i) {
          launch(quantiseRows, dim3(rows), 256, 0, stream, xCodes.get(), xScales.get(), x.get(), m.inner);
          blas().run(plan, y.get(), xCodes.get(), codes.get() + i * elements, xScales.get(),
                     scales.get() + std::size_t(i) * m.outputs, stream);
        }
      }, 5) / sets;
      row(name + "quantiseRows + cuBLASLt FP8", each, few, "");
      // Are the vectors applied? One product against the widened one.
      if (rows == 16) {
        blas().run(plan, y.get(), xCodes.get(), codes.get(), xScales.get(), scales.get(), nullptr);
        require(cudaDeviceSynchronize(), "cuBLASLt FP8");
        const auto got = y.read();
        const auto c = codes.read(), xc = xCodes.read();
        const auto s = scales.read(), xs = xScales.read();
        std::vector<double> want, have;
        for (int t = 0; t < rows; ++t)
          for (int n = 0; n < m.outputs; n += 97) {
            double sum = 0;
            for (int k = 0; k < m.inner; ++k) sum += e4m3(c[std::size_t(n) * m.inner + k]) * e4m3(xc[std::size_t(t) * m.inner + k]);
            want.push_back(sum * s[n] * xs[t]);
            have.push_back(wide(got[std::size_t(t) * m.outputs + n]));
          }
        expectClose(errorOf(have, want), 5e-3, 5e-2, name + "cuBLASLt with vectors of scales");
      }
    }
    const std::string name = "fp8 " + std::string(m.name) + ": quantiseRows of weights";
    row(name, graphMicroseconds([&](cudaStream_t stream) {
      launch(quantiseRows, dim3(m.outputs * sets), 256, 0, stream, codes.get(), scales.get(), weight.get(), m.inner);
    }), 3.0 * elements * sets / roofs.copyBytesPerUs, "");
  }
}

}  // namespace check
