// Linear layers through cuBLASLt: y[T, N] (+)= x[T, K] · W[N, K]^T, BF16 in, FP32 sums. Each shape's algorithm is chosen by
// measuring the library's proposals on the model's own weights, and kept; a row count that was not measured takes the
// algorithm of the next measured one.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/cublaslt_api.h"

namespace dyno::transformer {

struct LinearShape {
  int outputs = 0, inner = 0;
  bool accumulate = false;   // y += …: the residual's addition
  bool floatOutput = false;  // logits
  auto operator<=>(const LinearShape&) const = default;
};

constexpr std::size_t linearWorkspaceBytes = 32u << 20;

class Linears {
 public:
  Linears(std::shared_ptr<engine::CublasLt> blas, std::shared_ptr<cuda::Context> context)
      : blas_(std::move(blas)), context_(std::move(context)) {}
  ~Linears();
  Linears(const Linears&) = delete;
  Linears& operator=(const Linears&) = delete;

  // Queues it. `workspace` belongs to the stream's owner: two streams never share one. Any thread.
  Status run(const LinearShape& shape, int rows, cuda::DevicePointer y, cuda::DevicePointer x, cuda::DevicePointer w,
             cuda::DevicePointer workspace, cuda::StreamHandle stream);
  // Measures `rows` rows and keeps the fastest algorithm. `weights` are taken in turn, so that L2 does not hold them.
  Status measure(const LinearShape& shape, int rows, cuda::DevicePointer y, cuda::DevicePointer x,
                 const std::vector<cuda::DevicePointer>& weights, cuda::DevicePointer workspace,
                 const cuda::Stream& stream);
  struct Measured {
    LinearShape shape;
    int rows = 0;
    double seconds = 0;
    unsigned candidates = 0;
    std::size_t chosen = 0;  // 0: the library's own first choice
  };
  std::vector<Measured> measured() const;

 private:
  struct Plan {
    void *layoutX = nullptr, *layoutY = nullptr, *layoutW = nullptr;
    std::uint64_t algorithm[8] = {};
  };
  struct PerShape {
    void* operation = nullptr;
    std::map<int, Plan> plans;                  // by rows
    std::map<int, engine::Heuristic> kept;      // measured, by rows
  };
  Result<Plan*> plan(const LinearShape& shape, int rows);
  Result<PerShape*> shapeOf(const LinearShape& shape);
  Result<std::vector<engine::Heuristic>> proposals(PerShape& per, Plan& plan, int limit);
  Status makeLayouts(const LinearShape& shape, int rows, Plan& plan);
  Status queue(const PerShape& per, const LinearShape& shape, const Plan& plan, const std::uint64_t* algorithm,
               cuda::DevicePointer y, cuda::DevicePointer x, cuda::DevicePointer w, cuda::DevicePointer workspace,
               cuda::StreamHandle stream);
  void freePlan(Plan& plan);

  std::shared_ptr<engine::CublasLt> blas_;
  std::shared_ptr<cuda::Context> context_;
  mutable std::mutex mutex_;
  std::map<LinearShape, PerShape> shapes_;
  std::vector<Measured> measured_;
};

}  // namespace dyno::transformer
