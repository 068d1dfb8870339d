#include "engine/cublaslt.h"

#include "engine/cublaslt_api.h"

namespace dyno::engine {
namespace {

constexpr int candidateLimit = 4;
constexpr std::size_t workspaceBytes = 32u << 20;  // what PyTorch gives it on Hopper

int typeOf(Precision precision) {
  switch (precision) {
    case Precision::fp32:
    case Precision::tf32: return typeFloat;
    case Precision::fp16: return typeHalf;
    case Precision::bf16: return typeBfloat;
    case Precision::fp8: return typeFp8E4M3;
    case Precision::int8: return typeInt8;
  }
  return typeFloat;
}

}  // namespace

const char* precisionName(Precision precision) {
  switch (precision) {
    case Precision::fp32: return "fp32";
    case Precision::tf32: return "tf32";
    case Precision::fp16: return "fp16";
    case Precision::bf16: return "bf16";
    case Precision::fp8: return "fp8";
    case Precision::int8: return "int8";
  }
  return "";
}
std::size_t bytesPerElement(Precision precision) {
  if (precision == Precision::fp8 || precision == Precision::int8) return 1;
  return precision == Precision::fp16 || precision == Precision::bf16 ? 2 : 4;
}

Result<std::shared_ptr<CublasLt>> CublasLt::open(const std::string& path) {
  auto opened = SharedLibrary::open(
      path.empty() ? std::vector<std::string>{"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11",
                                              "/usr/local/cuda/lib64/libcublasLt.so"}
                   : std::vector<std::string>{path},
      "Matrix ceilings need cuBLASLt: install the cuBLAS package of your CUDA version, or set DYNO_CUBLASLT to the "
      "library's path.");
  if (!opened.ok()) return opened.error();
  std::shared_ptr<CublasLt> self(new CublasLt());
  self->library_ = std::move(opened.value());
  self->api_ = std::make_unique<Api>();
  Api& api = *self->api_;
  bool complete = true;
  const auto find = [&](auto& function, const char* symbol) {
    function = self->library_.symbol<std::remove_reference_t<decltype(function)>>({symbol});
    complete = complete && function != nullptr;
  };
  find(api.create, "cublasLtCreate");
  find(api.destroy, "cublasLtDestroy");
  find(api.version, "cublasLtGetVersion");
  find(api.descCreate, "cublasLtMatmulDescCreate");
  find(api.descDestroy, "cublasLtMatmulDescDestroy");
  find(api.descSet, "cublasLtMatmulDescSetAttribute");
  find(api.layoutCreate, "cublasLtMatrixLayoutCreate");
  find(api.layoutDestroy, "cublasLtMatrixLayoutDestroy");
  find(api.preferenceCreate, "cublasLtMatmulPreferenceCreate");
  find(api.preferenceDestroy, "cublasLtMatmulPreferenceDestroy");
  find(api.preferenceSet, "cublasLtMatmulPreferenceSetAttribute");
  find(api.heuristic, "cublasLtMatmulAlgoGetHeuristic");
  find(api.matmul, "cublasLtMatmul");
  api.check = self->library_.symbol<decltype(api.check)>({"cublasLtMatmulAlgoCheck"});
  if (!complete || api.check == nullptr)
    return DriverError{"dlsym", 0, "SYMBOL_NOT_FOUND", self->path() + " lacks functions of cuBLASLt.",
                       "Install cuBLAS 11.4 or newer."};
  DYNO_BLAS_TRY(api.create(&self->handle_), "cublasLtCreate");
  return self;
}

CublasLt::~CublasLt() {
  if (handle_ != nullptr) api_->destroy(handle_);
}

std::size_t CublasLt::version() const { return api_->version(); }

Result<std::unique_ptr<Gemm>> Gemm::plan(std::shared_ptr<CublasLt> blas, const std::shared_ptr<cuda::Context>& context,
                                         Precision precision, std::uint64_t m, std::uint64_t n, std::uint64_t k) {
  DYNO_TRY(context->makeCurrent());
  const CublasLt::Api& api = *blas->api_;
  std::unique_ptr<Gemm> self(new Gemm());
  self->blas_ = std::move(blas);
  auto workspace = cuda::DeviceMemory::allocate(context, workspaceBytes);
  if (!workspace.ok()) return workspace.error();
  self->workspace_ = workspace.value();

  const bool fp8 = precision == Precision::fp8, int8 = precision == Precision::int8;
  self->integers_ = int8;
  const int type = typeOf(precision), outType = fp8 ? typeBfloat : int8 ? typeInt32 : type;
  const int compute = int8 ? computeInt32 : precision == Precision::tf32 ? computeFloatTf32 : computeFloat;
  DYNO_BLAS_TRY(api.descCreate(&self->operation_, compute, int8 ? typeInt32 : typeFloat), "cublasLtMatmulDescCreate");
  const int transA = fp8 || int8 ? operationTranspose : operationNone, transB = operationNone;
  DYNO_BLAS_TRY(api.descSet(self->operation_, descTransA, &transA, sizeof transA), "cublasLtMatmulDescSetAttribute");
  DYNO_BLAS_TRY(api.descSet(self->operation_, descTransB, &transB, sizeof transB), "cublasLtMatmulDescSetAttribute");
  if (fp8) {
    auto one = cuda::DeviceMemory::allocate(context, sizeof(float));
    if (!one.ok()) return one.error();
    self->one_ = one.value();
    const float unit = 1.0f;
    DYNO_CUDA_TRY(context->library(), copyToDevice, self->one_->pointer(), &unit, sizeof unit);
    DYNO_CUDA_TRY(context->library(), streamSynchronize, nullptr);
    const cuda::DevicePointer scale = self->one_->pointer();
    DYNO_BLAS_TRY(api.descSet(self->operation_, descAScale, &scale, sizeof scale), "cublasLtMatmulDescSetAttribute");
    DYNO_BLAS_TRY(api.descSet(self->operation_, descBScale, &scale, sizeof scale), "cublasLtMatmulDescSetAttribute");
  }
  DYNO_BLAS_TRY(fp8 || int8 ? api.layoutCreate(&self->layoutA_, type, k, m, static_cast<std::int64_t>(k))
                            : api.layoutCreate(&self->layoutA_, type, m, k, static_cast<std::int64_t>(m)),
                "cublasLtMatrixLayoutCreate");
  DYNO_BLAS_TRY(api.layoutCreate(&self->layoutB_, type, k, n, static_cast<std::int64_t>(k)),
                "cublasLtMatrixLayoutCreate");
  DYNO_BLAS_TRY(api.layoutCreate(&self->layoutD_, outType, m, n, static_cast<std::int64_t>(m)),
                "cublasLtMatrixLayoutCreate");

  void* preference = nullptr;
  DYNO_BLAS_TRY(api.preferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
  Heuristic found[candidateLimit]{};
  int count = 0;
  int status = api.preferenceSet(preference, preferenceWorkspace, &workspaceBytes, sizeof workspaceBytes);
  if (status == 0)
    status = api.heuristic(self->blas_->handle_, self->operation_, self->layoutA_, self->layoutB_, self->layoutD_,
                           self->layoutD_, preference, candidateLimit, found, &count);
  api.preferenceDestroy(preference);
  if (status == 0 && count == 0) status = 15;
  DYNO_BLAS_TRY(status, "cublasLtMatmulAlgoGetHeuristic");
  for (int i = 0; i < count; ++i) {
    if (found[i].status == 0) self->candidates_.emplace_back(std::to_array(found[i].algorithm));
  }
  if (self->candidates_.empty()) return blasError("cublasLtMatmulAlgoGetHeuristic", 15);
  return self;
}

Gemm::~Gemm() {
  const CublasLt::Api& api = *blas_->api_;
  for (void* layout : {layoutA_, layoutB_, layoutD_}) {
    if (layout != nullptr) api.layoutDestroy(layout);
  }
  if (operation_ != nullptr) api.descDestroy(operation_);
}

Status Gemm::run(cuda::DevicePointer a, cuda::DevicePointer b, cuda::DevicePointer d, cuda::StreamHandle stream) {
  const float one = 1.0f, zero = 0.0f;
  const std::int32_t wholeOne = 1, wholeZero = 0;
  const void* alpha = integers_ ? static_cast<const void*>(&wholeOne) : &one;
  const void* beta = integers_ ? static_cast<const void*>(&wholeZero) : &zero;
  const auto pointer = [](cuda::DevicePointer address) { return reinterpret_cast<void*>(address); };
  DYNO_BLAS_TRY(blas_->api_->matmul(blas_->handle_, operation_, alpha, pointer(a), layoutA_, pointer(b), layoutB_, beta,
                                    pointer(d), layoutD_, pointer(d), layoutD_, candidates_[chosen_].data(),
                                    pointer(workspace_->pointer()), workspaceBytes, stream),
                "cublasLtMatmul");
  return Nothing{};
}

}  // namespace dyno::engine
