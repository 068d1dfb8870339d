import { findGpu } from '../hardware/gpus.ts';
import { findModel } from '../model/models.ts';
import { kvBytesPerToken, type ModelShape, parameterCount } from '../model/shape.ts';
import { InputError } from '../run/inputError.ts';
import type { GpuInstance, InstanceSpec } from '../run/instanceSpec.ts';
import type { RunSpec } from '../run/spec.ts';
import type { Bytes } from '../units.ts';
import type { Placement } from './placement.ts';

/** Room of one instance for activations, logits and graphs. */
const workspaceBytes = 2.5e9;
/** vLLM's gpu_memory_utilization. */
const memoryShare = 0.9;

/**
 * The instances of a target on GPUs: the same cluster and router, real kernels in place of cost models. Instances that share a device
 * share its memory: what the models' weights leave is divided evenly. Throws InputError where nothing is left.
 */
export function gpuInstances(
  spec: RunSpec,
  placement: Extract<Placement, { engine: 'cuda' }>,
): readonly GpuInstance[] {
  const { devices, weights, precision, kvBlocks } = placement;
  if (devices.length === 0) throw new InputError('engine cuda: no GPU was named, expected at least one');
  const { cluster } = spec;
  const deviceOf = (i: number): number => devices[i % devices.length] ?? 0;
  // A model that was chosen for the run serves everywhere; a target with several sizes keeps its own.
  const modelOf = (instance: InstanceSpec): string => instance.model ?? placement.model ?? cluster.model;
  return cluster.instances.map((instance, i): GpuInstance => {
    const device = deviceOf(i);
    const together = cluster.instances.filter((_, j) => deviceOf(j) === device).map(modelOf);
    return {
      name: nameOn(
        instance,
        device,
        cluster.instances.slice(0, i).filter((_, j) => deviceOf(j) === device).length,
      ),
      pool: instance.pool,
      ...(instance.model === undefined ? {} : { model: instance.model }),
      ...(instance.hourly_cost === undefined ? {} : { hourly_cost: instance.hourly_cost }),
      serves: 'gpu',
      device,
      tensor_parallel: 1,
      weights,
      ...(precision === undefined ? {} : { precision }),
      kv_blocks:
        kvBlocks ??
        blocksThatFit(shapeOf(modelOf(instance)), together, {
          memoryBytes: placement.memoryBytes ?? cardMemory(spec, instance),
          blockTokens: cluster.kv.block_tokens,
          bytesPerWeight: precision === 'fp8' ? 1 : 2,
        }),
    };
  });
}

/**
 * A target names its instances after the card of its cost model (`h100-sxm-3`); here another card serves, so the name says which:
 * the instance's place on GPU 0 is `gpu0.3`. Other names stay.
 */
function nameOn(instance: InstanceSpec, device: number, place: number): string {
  const { name } = instance;
  const namesCard =
    instance.serves === 'modelled' &&
    instance.cost.kind === 'roofline' &&
    name.startsWith(`${instance.cost.gpu}-`);
  return namesCard ? `gpu${device}.${place}` : name;
}

/** Memory of the card that a target is described for. */
function cardMemory({ parameters }: RunSpec, instance: InstanceSpec): Bytes {
  const id =
    instance.serves === 'modelled' && instance.cost.kind === 'roofline'
      ? instance.cost.gpu
      : parameters['gpu'];
  const bytes = typeof id === 'string' ? findGpu(id)?.memoryBytes : undefined;
  if (bytes === undefined) {
    throw new InputError(`${instance.name}: memory of its GPU is not known, expected --kv-blocks`);
  }
  return bytes;
}

function shapeOf(id: string): ModelShape {
  const shape = findModel(id);
  if (shape === undefined)
    throw new InputError(`cluster.model: no model "${id}", expected one of \`dyno models\``);
  return shape;
}

function blocksThatFit(
  shape: ModelShape,
  together: readonly string[],
  size: { readonly memoryBytes: Bytes; readonly blockTokens: number; readonly bytesPerWeight: number },
): number {
  const weights = [...new Set(together)].reduce(
    (sum, id) => sum + parameterCount(shapeOf(id)) * size.bytesPerWeight,
    0,
  );
  const room = size.memoryBytes * memoryShare - weights - together.length * workspaceBytes;
  // KV is held in BF16 whatever the model was published in.
  const blockBytes = (kvBytesPerToken(shape) / shape.bytesPerKvValue) * 2 * size.blockTokens;
  const blocks = Math.floor(room / together.length / blockBytes);
  if (blocks >= 1) return blocks;
  const gb = (bytes: number): string => (bytes / 1e9).toFixed(1);
  throw new InputError(
    `${shape.label}: weights of ${gb(weights)} GB and ${together.length} instances leave no room for KV on a GPU of ${gb(size.memoryBytes)} GB; choose a smaller --model or fewer instances`,
  );
}
