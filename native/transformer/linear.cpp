#include "transformer/linear.h"

#include <algorithm>

#include "engine/timing.h"

namespace dyno::transformer {
namespace {
using namespace dyno::engine;
void* pointer(cuda::DevicePointer address) { return reinterpret_cast<void*>(address); }
}  // namespace

Linears::~Linears() {
  for (auto& [shape, per] : shapes_) {
    for (auto& [rows, plan] : per.plans) freePlan(plan);
    if (per.operation != nullptr) blas_->api().descDestroy(per.operation);
  }
}

void Linears::freePlan(Plan& plan) {
  for (void* layout : {plan.layoutX, plan.layoutY, plan.layoutW}) {
    if (layout != nullptr) blas_->api().layoutDestroy(layout);
  }
  plan = Plan{};
}

Result<Linears::PerShape*> Linears::shapeOf(const LinearShape& shape) {
  PerShape& per = shapes_[shape];
  if (per.operation == nullptr) {
    const CublasLt::Api& api = blas_->api();
    DYNO_BLAS_TRY(api.descCreate(&per.operation, computeFloat, typeFloat), "cublasLtMatmulDescCreate");
    const int transpose = operationTranspose, none = operationNone;
    DYNO_BLAS_TRY(api.descSet(per.operation, descTransA, &transpose, sizeof transpose),
                  "cublasLtMatmulDescSetAttribute");
    DYNO_BLAS_TRY(api.descSet(per.operation, descTransB, &none, sizeof none), "cublasLtMatmulDescSetAttribute");
  }
  return &per;
}

// Column-major to the library: W is K×N (used transposed), x is K×T, y is N×T.
Status Linears::makeLayouts(const LinearShape& shape, int rows, Plan& plan) {
  const CublasLt::Api& api = blas_->api();
  const auto n = static_cast<std::uint64_t>(shape.outputs), k = static_cast<std::uint64_t>(shape.inner),
             t = static_cast<std::uint64_t>(rows);
  DYNO_BLAS_TRY(api.layoutCreate(&plan.layoutW, typeBfloat, k, n, static_cast<std::int64_t>(k)),
                "cublasLtMatrixLayoutCreate");
  DYNO_BLAS_TRY(api.layoutCreate(&plan.layoutX, typeBfloat, k, t, static_cast<std::int64_t>(k)),
                "cublasLtMatrixLayoutCreate");
  DYNO_BLAS_TRY(api.layoutCreate(&plan.layoutY, shape.floatOutput ? typeFloat : typeBfloat, n, t,
                                 static_cast<std::int64_t>(n)),
                "cublasLtMatrixLayoutCreate");
  return Nothing{};
}

Result<std::vector<Heuristic>> Linears::proposals(PerShape& per, Plan& plan, int limit) {
  const CublasLt::Api& api = blas_->api();
  void* preference = nullptr;
  DYNO_BLAS_TRY(api.preferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
  std::vector<Heuristic> found(static_cast<std::size_t>(limit));
  int count = 0;
  int status =
      api.preferenceSet(preference, preferenceWorkspace, &linearWorkspaceBytes, sizeof linearWorkspaceBytes);
  if (status == 0)
    status = api.heuristic(blas_->handle(), per.operation, plan.layoutW, plan.layoutX, plan.layoutY, plan.layoutY,
                           preference, limit, found.data(), &count);
  api.preferenceDestroy(preference);
  if (status == 0 && count == 0) status = 15;
  DYNO_BLAS_TRY(status, "cublasLtMatmulAlgoGetHeuristic");
  found.resize(static_cast<std::size_t>(count));
  std::erase_if(found, [](const Heuristic& each) { return each.status != 0; });
  if (found.empty()) return blasError("cublasLtMatmulAlgoGetHeuristic", 15);
  return found;
}

Result<Linears::Plan*> Linears::plan(const LinearShape& shape, int rows) {
  auto per = shapeOf(shape);
  if (!per.ok()) return per.error();
  Plan& made = per.value()->plans[rows];
  if (made.layoutW != nullptr) return &made;
  DYNO_TRY(makeLayouts(shape, rows, made));
  // The next measured row count's algorithm, where the library accepts it for these rows.
  const CublasLt::Api& api = blas_->api();
  auto next = per.value()->kept.lower_bound(rows);
  if (next == per.value()->kept.end() && next != per.value()->kept.begin()) --next;
  if (next != per.value()->kept.end()) {
    Heuristic checked{};
    if (api.check(blas_->handle(), per.value()->operation, made.layoutW, made.layoutX, made.layoutY, made.layoutY,
                  next->second.algorithm, &checked) == 0 &&
        checked.workspace <= linearWorkspaceBytes) {
      std::copy(std::begin(next->second.algorithm), std::end(next->second.algorithm), made.algorithm);
      return &made;
    }
  }
  auto found = proposals(*per.value(), made, 1);
  if (!found.ok()) return found.error();
  std::copy(std::begin(found.value()[0].algorithm), std::end(found.value()[0].algorithm), made.algorithm);
  return &made;
}

Status Linears::queue(const PerShape& per, const LinearShape& shape, const Plan& plan, const std::uint64_t* algorithm,
                      cuda::DevicePointer y, cuda::DevicePointer x, cuda::DevicePointer w,
                      cuda::DevicePointer workspace, cuda::StreamHandle stream) {
  const float one = 1.0f, beta = shape.accumulate ? 1.0f : 0.0f;
  DYNO_BLAS_TRY(blas_->api().matmul(blas_->handle(), per.operation, &one, pointer(w), plan.layoutW, pointer(x),
                                    plan.layoutX, &beta, pointer(y), plan.layoutY, pointer(y), plan.layoutY, algorithm,
                                    pointer(workspace), linearWorkspaceBytes, stream),
                "cublasLtMatmul");
  return Nothing{};
}

Status Linears::run(const LinearShape& shape, int rows, cuda::DevicePointer y, cuda::DevicePointer x,
                    cuda::DevicePointer w, cuda::DevicePointer workspace, cuda::StreamHandle stream) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto made = plan(shape, rows);
  if (!made.ok()) return made.error();
  return queue(shapes_[shape], shape, *made.value(), made.value()->algorithm, y, x, w, workspace, stream);
}

Status Linears::measure(const LinearShape& shape, int rows, cuda::DevicePointer y, cuda::DevicePointer x,
                        const std::vector<cuda::DevicePointer>& weights, cuda::DevicePointer workspace,
                        const cuda::Stream& stream) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto perFound = shapeOf(shape);
  if (!perFound.ok()) return perFound.error();
  PerShape& per = *perFound.value();
  if (per.kept.count(rows) != 0) return Nothing{};
  Plan plan;
  const auto all = [&]() -> Status {
    DYNO_TRY(makeLayouts(shape, rows, plan));
    auto found = proposals(per, plan, 12);
    if (!found.ok()) return found.error();
    constexpr int rounds = 6;
    auto start = cuda::Event::create(context_), end = cuda::Event::create(context_);
    if (!start.ok()) return start.error();
    if (!end.ok()) return end.error();
    cuda::Library& library = context_->library();
    Measured best{shape, rows, 0, static_cast<unsigned>(found.value().size()), 0};
    for (std::size_t i = 0; i < found.value().size(); ++i) {
      bool refused = false;
      for (int round = -2; round < rounds && !refused; ++round) {
        if (round == 0) DYNO_CUDA_TRY(library, eventRecord, start.value()->handle(), stream.handle());
        const auto w = weights[static_cast<std::size_t>(round + 2) % weights.size()];
        refused = !queue(per, shape, plan, found.value()[i].algorithm, y, x, w, workspace, stream.handle()).ok();
      }
      if (refused) continue;
      DYNO_CUDA_TRY(library, eventRecord, end.value()->handle(), stream.handle());
      DYNO_TRY(stream.synchronize());
      auto ms = end.value()->since(*start.value());
      if (!ms.ok()) return ms.error();
      const double seconds = static_cast<double>(ms.value()) * 1e-3 / rounds;
      if (best.seconds == 0 || seconds < best.seconds) best.seconds = seconds, best.chosen = i;
    }
    per.kept[rows] = found.value()[best.chosen];
    measured_.push_back(best);
    return Nothing{};
  };
  Status done = all();
  freePlan(plan);
  // Plans made before know a worse algorithm.
  for (auto& [count, old] : per.plans) freePlan(old);
  per.plans.clear();
  return done;
}

std::vector<Linears::Measured> Linears::measured() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return measured_;
}

}  // namespace dyno::transformer
