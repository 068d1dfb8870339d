#include "engine/nccl.h"
#include "tests/check.h"
#include "tests/fake_driver.h"

using namespace dyno;
using namespace dyno::engine;
using dyno::test::FakeDriver;

TEST("collectives over the fake GPUs are right in every element, and leave nothing behind") {
  const FakeDriver cuda("fake_cuda"), fake("fake_nccl");
  cuda.script("devices 3\n");
  auto library = cuda::Library::open(cuda.path());
  auto nccl = Nccl::open(fake.path());
  CHECK(library.ok() && nccl.ok() && nccl.value()->version() == "2.28.3");
  const struct {
    Collective collective;
    double busFactor;
  } expected[] = {{Collective::allReduce, 4.0 / 3}, {Collective::allToAll, 2.0 / 3}, {Collective::sendReceive, 1}};
  for (const auto& [collective, busFactor] : expected) {
    const auto measured = nccl.value()->measure(library.value(), 8, collective, 5000, 4);
    CHECK(measured.ok());
    // 5,000 bytes are 416 floats for each of three GPUs.
    CHECK(measured.ok() && measured.value().bytes == 416 * 3 * 4 && measured.value().time.repetitions == 4);
    CHECK(measured.ok() && measured.value().busFactor == busFactor);
  }
  const auto opened = SharedLibrary::open({fake.path()}, "");
  CHECK(opened.value().symbol<int (*)()>({"fakeNcclAlive"})() == 0);
  const auto driver = SharedLibrary::open({cuda.path()}, "");
  CHECK(driver.value().symbol<int (*)()>({"fakeCudaAlive"})() == 0);
}

TEST("a wrong sum, a refused communicator, one GPU and no NCCL are errors in a sentence") {
  const FakeDriver cuda("fake_cuda"), fake("fake_nccl");
  cuda.script("devices 2\n");
  auto library = cuda::Library::open(cuda.path());
  auto nccl = Nccl::open(fake.path());
  fake.script("wrong ncclAllReduce\n");
  const auto wrong = nccl.value()->measure(library.value(), 2, Collective::allReduce, 4096, 2);
  CHECK(!wrong.ok() && wrong.error().name == "WRONG_RESULT");
  fake.script("fail ncclCommInitAll 3\n");
  const auto refused = nccl.value()->measure(library.value(), 2, Collective::allReduce, 4096, 2);
  CHECK(!refused.ok() && refused.error().message == "ncclCommInitAll answered internal error.");
  CHECK(!nccl.value()->measure(library.value(), 1, Collective::allReduce, 4096, 2).ok());
  CHECK(!Nccl::open("/nowhere/libnccl.so.2").ok());
}
