"""The same roofs through PyTorch, in the same run: prints JSON {id: value}. Medians of CUDA-event times after a warm-up."""
import json
import statistics
import time

import torch

device = torch.device("cuda:0")


def timed(body, repetitions=20, warm=0.3):
    until = time.monotonic() + warm
    while time.monotonic() < until:
        for _ in range(4):
            body()
        torch.cuda.synchronize()
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(repetitions + 1)]
    marks[0].record()
    for i in range(repetitions):
        body()
        marks[i + 1].record()
    torch.cuda.synchronize()
    return statistics.median(marks[i].elapsed_time(marks[i + 1]) for i in range(repetitions)) * 1e-3


result = {"torch": torch.__version__, "device": torch.cuda.get_device_name(0)}

size = 4 << 30
a, b = (torch.empty(size, dtype=torch.uint8, device=device) for _ in range(2))
a.fill_(0x5A)
result["deviceCopy"] = 2 * size / timed(lambda: b.copy_(a))
del a, b

size = 256 << 20
pinned = torch.empty(size, dtype=torch.uint8, pin_memory=True)
pageable = torch.empty(size, dtype=torch.uint8).fill_(0x5A)
pinned.fill_(0x5A)
gpu = torch.empty(size, dtype=torch.uint8, device=device)
result["hostToDevicePinned"] = size / timed(lambda: gpu.copy_(pinned, non_blocking=True), 10, 0.1)
result["deviceToHostPinned"] = size / timed(lambda: pinned.copy_(gpu, non_blocking=True), 10, 0.1)


def host_timed(body):
    seconds = []
    for i in range(22):
        before = time.monotonic()
        body()
        torch.cuda.synchronize()
        if i >= 2:
            seconds.append(time.monotonic() - before)
    return statistics.median(seconds)


result["hostToDevicePageable"] = size / host_timed(lambda: gpu.copy_(pageable))
result["deviceToHostPageable"] = size / host_timed(lambda: pageable.copy_(gpu))
del gpu, pinned, pageable

n = 8192
flops = 2.0 * n**3
for name, dtype, tf32 in [("fp32", torch.float32, False), ("tf32", torch.float32, True), ("fp16", torch.float16, False), ("bf16", torch.bfloat16, False)]:
    torch.backends.cuda.matmul.allow_tf32 = tf32
    x, y = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    out = torch.empty(n, n, device=device, dtype=dtype)
    result[f"gemm:{name}"] = flops / timed(lambda: torch.matmul(x, y, out=out), {"fp32": 28, "tf32": 191}.get(name, 382), 1.0)
try:
    x = torch.randn(n, n, device=device).to(torch.float8_e4m3fn)
    y = torch.randn(n, n, device=device).to(torch.float8_e4m3fn).t()
    one = torch.ones((), device=device)
    result["gemm:fp8"] = flops / timed(lambda: torch._scaled_mm(x, y, scale_a=one, scale_b=one, out_dtype=torch.bfloat16), 709, 1.0)
except Exception as error:  # an older PyTorch or card: say so, the rest stands
    result["gemm:fp8 absent"] = str(error)
print(json.dumps(result))
