#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cuda/nvrtc.h"
#include "cuda/resources.h"
#include "tests/check.h"
#include "tests/fake_driver.h"

using namespace dyno;
using namespace dyno::cuda;
using dyno::test::FakeDriver;

namespace {
const char* const kernel = "extern \"C\" __global__ void empty() {}\n";

struct Variable {
  const char* name;
  Variable(const char* variable, const std::string& value) : name(variable) { setenv(name, value.c_str(), 1); }
  ~Variable() { unsetenv(name); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
};
}  // namespace

TEST("without a built file the kernels are compiled from their source, and a missing compiler is said") {
  const FakeDriver cuda("fake_cuda"), nvrtc("fake_nvrtc");
  const std::string built = cuda.home() + "/ceilings.fatbin";
  auto library = Library::open(cuda.path());
  CHECK(library.ok());
  auto context = Context::open(library.value(), 0);
  CHECK(context.ok());
  {
    const Variable none("DYNO_NVRTC", "/nowhere/libnvrtc.so");
    const auto nothing = Module::loadFile(context.value(), built);
    CHECK(!nothing.ok() && nothing.error().name == "KERNELS_MISSING");
    std::filesystem::create_directory(cuda.home() + "/source");
    std::ofstream(cuda.home() + "/source/ceilings.cu") << kernel;
    const auto uncompiled = Module::loadFile(context.value(), built);
    CHECK(!uncompiled.ok() && uncompiled.error().name == "LIBRARY_NOT_FOUND" &&
          uncompiled.error().message.find("was not built") != std::string::npos);
  }
  const Variable fake("DYNO_NVRTC", nvrtc.path());
  {
    nvrtc.script("fail nvrtcCompileProgram 6\n");
    const auto refused = Module::loadFile(context.value(), built);
    CHECK(!refused.ok() && refused.error().name == "NVRTC_ERROR_COMPILATION" &&
          refused.error().message.find("as the script says") != std::string::npos);
  }
  nvrtc.script("");
  const auto loaded = Module::loadFile(context.value(), built);
  CHECK(loaded.ok() && loaded.value()->function("empty").ok());
}

TEST("an architecture that NVRTC does not know gets PTX") {
  const FakeDriver nvrtc("fake_nvrtc");
  auto compiler = Nvrtc::open(nvrtc.path());
  CHECK(compiler.ok() && compiler.value()->version() == "13.0");
  const auto known = compiler.value()->compile(kernel, "empty.cu", 90);
  CHECK(known.ok() && known.value().target == "sm_90" && known.value().bytes.substr(0, 4) == "fake");
  nvrtc.script("unknown 120\n");
  const auto next = compiler.value()->compile(kernel, "empty.cu", 120);
  CHECK(next.ok() && next.value().target == "compute_80");
  const auto opened = SharedLibrary::open({nvrtc.path()}, "");
  CHECK(opened.value().symbol<int (*)()>({"fakeNvrtcAlive"})() == 0);
}
