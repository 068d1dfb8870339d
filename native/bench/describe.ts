// Prints what the machine is: status, GPUs, topology, metrics on offer, CUDA devices. One JSON document.
import { native, openCuda, openTelemetry } from './open.ts';

const addon = native();
const telemetry = await openTelemetry(addon);
const cuda = await openCuda(addon);
const value = <T>(answer: { ok: true; value: T } | { ok: false; error: unknown }) =>
  answer.ok ? answer.value : { error: answer.error };
console.log(
  JSON.stringify(
    {
      status: value(await addon.status()),
      list: value(await telemetry.list()),
      topology: value(await telemetry.topology()),
      metrics: value(await telemetry.describe()),
      processes: value(await telemetry.processes()),
      cuda: cuda.devices(),
      leaks: cuda.close(),
    },
    undefined,
    1,
  ),
);
await telemetry.close();
