import type { NativeError, TransformerOptions } from '../../native/index.ts';
import type { DeviceError, WeightSource } from '../../workloads/engines/cuda/device.ts';
import type { GpuHost, LoadedModel, LoadRequest } from '../../workloads/engines/cuda/gpuHost.ts';
import { openDrivers } from './nativeDrivers.ts';
import { RunFailure } from './runFailure.ts';
import { weightSources } from './weightFiles.ts';

/** A driver that is missing, or a device that is not there, is something to install; everything else failed. */
const missingCodes = new Set([
  'LIBRARY_NOT_FOUND',
  'SYMBOL_NOT_FOUND',
  'CUDA_ERROR_NO_DEVICE',
  'CUDA_ERROR_INVALID_DEVICE',
  'CUDA_ERROR_SYSTEM_DRIVER_MISMATCH',
]);
const badInputCodes = new Set(['WEIGHT_FILE', 'UNSUPPORTED_SHAPE']);

function refusal({ code, message, hint }: DeviceError | NativeError): RunFailure {
  const isOutOfMemory = code === 'CUDA_ERROR_OUT_OF_MEMORY';
  return new RunFailure({
    code: missingCodes.has(code) ? 'missing' : badInputCodes.has(code) ? 'bad_input' : 'failed',
    message: `engine cuda: ${isOutOfMemory ? 'out of GPU memory: ' : ''}${message}`,
    hint: isOutOfMemory ? 'Choose a smaller --model, fewer instances, or fewer --kv-blocks.' : hint,
  });
}

/** GPUs of this machine through the addon, for the engine and for calibration. `folder`: where native was built. */
export function gpuHost(folder: string): GpuHost {
  return {
    monotonic: () => process.hrtime.bigint(),
    refusal,
    load: (request) => load(folder, request),
  };
}

async function load(folder: string, request: LoadRequest): Promise<LoadedModel> {
  // Files are checked before a GPU is touched.
  const weights: WeightSource =
    request.weights.kind === 'random'
      ? request.weights
      : { kind: 'tensors', tensors: weightSources(request.weights.path, request.shape) };
  const native = openDrivers(folder);
  if (!native.available)
    throw new RunFailure({ code: 'missing', message: `engine cuda: ${native.reason}`, hint: native.hint });
  const options: TransformerOptions = {
    device: request.device,
    shape: request.shape,
    weights,
    dense: request.precision,
    onProgress: (done, total) => request.progress(done, total),
  };
  const opened = await native.openTransformer(options);
  if (!opened.ok) {
    const { error } = opened;
    const isAbsent = error.call === 'cuDeviceGet' || error.code === 'CUDA_ERROR_INVALID_DEVICE';
    if (!isAbsent) throw refusal(error);
    throw new RunFailure({
      code: 'missing',
      message: `engine cuda: there is no GPU ${request.device} (${error.message})`,
      hint: '`dyno topology` lists the GPUs of this machine.',
    });
  }
  const cuda = await native.openCuda();
  const card = cuda.ok ? (cuda.value.devices()[request.device]?.name ?? '') : '';
  if (cuda.ok) cuda.value.close();
  return { model: opened.value, shape: request.shape, card: card === '' ? `GPU ${request.device}` : card };
}
