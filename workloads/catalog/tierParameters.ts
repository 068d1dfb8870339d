import { findGpu } from '../hardware/gpus.ts';
import { findLink } from '../hardware/links.ts';
import { hostMemory, nvmeArray } from '../hardware/nodeMemory.ts';
import { findModel } from '../model/models.ts';
import { kvBytesPerToken } from '../model/shape.ts';
import { InputError } from '../run/inputError.ts';
import { type KvTiersSpec, kvTiersSpec, type TierKind, type TierSpec } from '../run/kvSpec.ts';
import type { Parameter, ParameterValues } from '../run/parameter.ts';
import type { RunSpec } from '../run/spec.ts';
import type { Bytes } from '../units.ts';
import { number, text } from './values.ts';

/** GPUs of one server: host memory and disks are theirs together. */
const nodeGpus = 8;
const gb = 1e9;
const nvlink = findLink('nvlink4');
const pcie = findLink('pcie5');

/** What a person chooses about the tiers below HBM; `tiersOf` makes their spec of it. Sizes and rates are per GPU. */
export const tierParameters: readonly Parameter[] = [
  {
    kind: 'number',
    id: 'host_gb',
    label: 'Host memory for KV',
    group: 'cluster',
    unit: 'GB/GPU',
    min: 0.1,
    max: 100_000,
    log: true,
    default: hostMemory.bytes / nodeGpus / 2 / gb,
    help: `Per GPU. Half of a DGX H100’s 2 TB by default. ${hostMemory.source}.`,
  },
  {
    kind: 'number',
    id: 'host_gb_per_s',
    label: 'Host link',
    group: 'cluster',
    unit: 'GB/s',
    min: 0.1,
    max: 10_000,
    log: true,
    default: (pcie?.bandwidth ?? 51 * gb) / gb,
    help: `Per GPU and direction. ${pcie?.label}: ${pcie?.source}. NVLink-C2C would be 360.`,
  },
  {
    kind: 'boolean',
    id: 'shared_tiers',
    label: 'Shared by the server',
    group: 'cluster',
    default: true,
    help: 'The instances of a server find each other’s blocks in host memory and on disk, as in Mooncake’s store; else each has its own part.',
  },
  {
    kind: 'choice',
    id: 'tier_load',
    label: 'Prefix in a lower tier',
    group: 'policy',
    default: 'cheaper',
    choices: [
      {
        id: 'cheaper',
        label: 'Whatever is sooner',
        help: 'Compares the link’s queue and transfer with computing it alone.',
      },
      { id: 'fetch', label: 'Always fetch' },
      { id: 'recompute', label: 'Always compute', help: 'What the tiers hold is never used.' },
    ],
    help: 'What a request does at admission when part of its prompt lies below HBM.',
  },
  {
    kind: 'choice',
    id: 'tier_write',
    label: 'Blocks go down',
    group: 'policy',
    default: 'back',
    choices: [
      { id: 'back', label: 'When evicted', help: 'Write-back: only what HBM gives up travels.' },
      {
        id: 'through',
        label: 'When computed',
        help: 'Write-through: every block travels once, evictions cost nothing.',
      },
    ],
    help: 'Write-back sends less; write-through has blocks below before they are evicted, and shared memories have them for everyone.',
  },
  {
    kind: 'number',
    id: 'staging_gb',
    label: 'Staging memory',
    group: 'policy',
    unit: 'GB',
    min: 0.001,
    max: 1000,
    log: true,
    default: 4,
    help: 'Blocks on their way down wait here; when the link is that far behind, further ones are dropped.',
  },
  {
    kind: 'number',
    id: 'interference',
    label: 'Decode interference',
    group: 'policy',
    unit: '×',
    min: 0,
    max: 100,
    step: 0.5,
    default: 1,
    help: 'A transfer up takes this times its share of the HBM bandwidth from decoding. 1: just the bytes it writes; copy kernels on SMs take far more.',
  },
  {
    kind: 'number',
    id: 'decode_latency_budget_ms',
    label: 'Decode budget',
    group: 'policy',
    unit: 'ms',
    min: 0,
    max: 10_000,
    default: 0,
    help: 'Fetches are slowed so that a decode pass beside them is expected to stay within this; 0: no budget.',
  },
];

/** How requests are placed; `tierPolicy` makes a router of it. */
export const routingParameter: Extract<Parameter, { kind: 'choice' }> = {
  kind: 'choice',
  id: 'tier_router',
  label: 'Router',
  group: 'policy',
  default: 'round_robin',
  choices: [
    { id: 'round_robin', label: 'Round robin' },
    {
      id: 'session_hash',
      label: 'Session hash',
      help: 'Sessions stay where their cache is; without sessions, least requests.',
    },
    {
      id: 'dynamo_kv',
      label: 'Dynamo KV cost',
      help: 'Sees what lies in HBM, in host memory and on disk, at 1, 0.75 and 0.25 of a block.',
    },
    {
      id: 'mooncake_conductor',
      label: 'Mooncake conductor',
      help: 'Fetches a prefix twice as long as the own one from the instance that has it.',
    },
  ],
  help: 'Where a request goes decides which cache it meets.',
};

export function tierPolicy(values: ParameterValues): RunSpec['policy'] {
  const router = text(values, 'tier_router');
  const parameters =
    router === 'mooncake_conductor' ? { fetch_prefix: true, kvcache_balancing_threshold: 2 } : {};
  return { router, router_parameters: parameters };
}

export const diskParameters: readonly Parameter[] = [
  {
    kind: 'number',
    id: 'disk_gb',
    label: 'Disk for KV',
    group: 'cluster',
    unit: 'GB/GPU',
    min: 0.1,
    max: 1_000_000,
    log: true,
    default: Math.round(nvmeArray.bytes / nodeGpus / gb / 2),
    variants: ['host_disk'],
    help: `Per GPU. Half of a DGX H100’s drives by default. ${nvmeArray.source}.`,
  },
  {
    kind: 'number',
    id: 'disk_read_gb_per_s',
    label: 'Disk, read',
    group: 'cluster',
    unit: 'GB/s',
    min: 0.01,
    max: 10_000,
    log: true,
    default: (nvmeArray.read ?? 0) / gb,
    variants: ['host_disk'],
    help: `All drives of the server together, shared by its instances. ${nvmeArray.source}.`,
  },
  {
    kind: 'number',
    id: 'disk_write_gb_per_s',
    label: 'Disk, write',
    group: 'cluster',
    unit: 'GB/s',
    min: 0.01,
    max: 10_000,
    log: true,
    default: (nvmeArray.write ?? 0) / gb,
    variants: ['host_disk'],
    help: 'All drives of the server together.',
  },
];

export const peerParameters: readonly Parameter[] = [
  {
    kind: 'number',
    id: 'peer_gb',
    label: 'Peer memory for KV',
    group: 'cluster',
    unit: 'GB/GPU',
    min: 0.1,
    max: 10_000,
    log: true,
    default: 40,
    variants: ['optimized', 'lent', 'peer_only'],
    help: 'HBM that other GPUs of the server give to each serving one: spare GPUs, or (variant *lent*) the serving ones out of their own.',
  },
  {
    kind: 'number',
    id: 'peer_gb_per_s',
    label: 'Peer link',
    group: 'cluster',
    unit: 'GB/s',
    min: 0.1,
    max: 10_000,
    log: true,
    default: (nvlink?.bandwidth ?? 360 * gb) / gb,
    variants: ['optimized', 'lent', 'peer_only'],
    help: `Per GPU and direction. ${nvlink?.label}: ${nvlink?.source}.`,
  },
];

interface Machine {
  readonly tensorParallel: number;
  readonly blockBytes: Bytes;
  readonly hbmBandwidth: number;
}

function machineOf(values: ParameterValues): Machine {
  const model = findModel(text(values, 'model'));
  const gpu = findGpu(text(values, 'gpu'));
  if (model === undefined || gpu === undefined)
    throw new InputError('parameter model or gpu: not in the lists');
  return {
    tensorParallel: number(values, 'tensor_parallel'),
    blockBytes: kvBytesPerToken(model) * number(values, 'block_tokens'),
    hbmBandwidth: gpu.memoryBandwidth,
  };
}

/** Blocks of one instance in `gigabytes` per GPU; at least one. */
export function blocksIn(values: ParameterValues, gigabytes: number): number {
  const { tensorParallel, blockBytes } = machineOf(values);
  return Math.max(1, Math.floor((gigabytes * gb * tensorParallel) / blockBytes));
}

function levelOf(kind: TierKind, values: ParameterValues): TierSpec {
  const { tensorParallel, hbmBandwidth } = machineOf(values);
  const interference = number(values, 'interference');
  // What a GPU's own link brings is written into its HBM; a link of the server brings each GPU its share.
  const share = (perGpu: number) => Math.min(0.95, (interference * perGpu * gb) / hbmBandwidth);
  switch (kind) {
    case 'peer': {
      const rate = number(values, 'peer_gb_per_s');
      return {
        kind,
        blocks: blocksIn(values, number(values, 'peer_gb')),
        shared: true,
        link: 'instance',
        donors: 'spare',
        read_gb_per_s: rate * tensorParallel,
        write_gb_per_s: rate * tensorParallel,
        latency_us: (nvlink?.latency ?? 5e-6) * 1e6,
        decode_share: share(rate),
      };
    }
    case 'host': {
      const rate = number(values, 'host_gb_per_s');
      return {
        kind,
        blocks: blocksIn(values, number(values, 'host_gb')),
        shared: values['shared_tiers'] === true,
        link: 'instance',
        read_gb_per_s: rate * tensorParallel,
        write_gb_per_s: rate * tensorParallel,
        latency_us: hostMemory.latency * 1e6,
        decode_share: share(rate),
      };
    }
    case 'disk':
      return {
        kind,
        blocks: blocksIn(values, number(values, 'disk_gb')),
        shared: values['shared_tiers'] === true,
        link: 'node',
        read_gb_per_s: number(values, 'disk_read_gb_per_s'),
        write_gb_per_s: number(values, 'disk_write_gb_per_s'),
        latency_us: nvmeArray.latency * 1e6,
        decode_share: share(number(values, 'disk_read_gb_per_s') / tensorParallel),
      };
    default: {
      const never: never = kind;
      return never;
    }
  }
}

/** The tiers of a spec from the values of `tierParameters` and those of each kind. */
export function tiersOf(values: ParameterValues, kinds: readonly TierKind[]): KvTiersSpec {
  const budget = number(values, 'decode_latency_budget_ms');
  return kvTiersSpec.parse({
    node_instances: Math.max(1, Math.floor(nodeGpus / number(values, 'tensor_parallel'))),
    levels: kinds.map((kind) => levelOf(kind, values)),
    write: text(values, 'tier_write'),
    overflow: 'demote',
    load: text(values, 'tier_load'),
    staging_gb: number(values, 'staging_gb'),
    ...(budget > 0 ? { decode_latency_budget_ms: budget } : {}),
  });
}
