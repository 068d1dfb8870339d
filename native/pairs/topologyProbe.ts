// labs/dynamic_router:topology_probe — every link of the machine once: from the host to each GPU, back, and between each ordered pair.
//   baseline   as a program does it that knows nothing of the wiring: ordinary memory, and pairs by way of the host
//   optimized  page-locked memory, and peer access between pairs where the driver allows it
// Links are timed one after the other by the host's clock around copy and wait; what arrived is compared byte by byte.
import {
  type Cuda,
  type CudaContext,
  type CudaStream,
  type DeviceBuffer,
  isCudaError,
  type PinnedBuffer,
} from '../cuda.ts';
import { seededUniform } from './seededNumbers.ts';
import type { WorkloadSession } from './session.ts';

export interface ProbeParameters {
  /** Copied over each link in each iteration. */
  readonly mebibytes: number;
  readonly seed: number;
}

export const probeDefaults: ProbeParameters = { mebibytes: 64, seed: 3 };
export const probeVariants = ['baseline', 'optimized'] as const;

export interface ProbedLink {
  /** `host`, `gpu 0` */
  readonly from: string;
  readonly to: string;
  readonly variant: string;
  /** How the bytes go. */
  readonly how: string;
  /** Seconds of each iteration so far. */
  readonly seconds: readonly number[];
  readonly bytes: number;
}

export interface TopologyProbe extends WorkloadSession {
  links(): readonly ProbedLink[];
}

interface Link {
  readonly from: string;
  readonly to: string;
  readonly how: string;
  /** Copies once, and is done when it returns. */
  copy(): void;
  /** Number of bytes that arrived wrong. */
  wrongBytes(): number;
  readonly seconds: number[];
}

interface Gpu {
  readonly index: number;
  readonly context: CudaContext;
  readonly stream: CudaStream;
  readonly source: DeviceBuffer;
  /** What `source` holds. */
  readonly bytes: Uint8Array;
}

export function openTopologyProbe(
  cuda: Cuda,
  variants: readonly string[],
  given: Partial<ProbeParameters> = {},
): TopologyProbe {
  const { mebibytes, seed } = { ...probeDefaults, ...given };
  const size = mebibytes * 2 ** 20;
  const owned: { free(): void }[] = [];
  const own = <T extends { free(): void }>(object: T): T => {
    owned.push(object);
    return object;
  };
  const free = () => {
    for (const each of owned.reverse()) each.free();
  };
  try {
    const hostBytes = patternOf(seed, 'host', size);
    const gpus = cuda.devices().map(({ index }): Gpu => {
      const context = own(cuda.context(index));
      const bytes = patternOf(seed, `gpu ${index}`, size);
      const source = own(context.allocate(size));
      source.write(bytes);
      return { index, context, stream: own(context.stream()), source, bytes };
    });
    const reach = (from: Gpu, to: Gpu) => peerAccess(from.context, to.context);
    const byVariant = new Map(
      variants.map((variant) => {
        const make = { gpus, own, size, hostBytes, reach };
        return [variant, variant === 'baseline' ? blindLinks(make) : informedLinks(make)] as const;
      }),
    );
    const linksOf = (variant: string): readonly Link[] => {
      const found = byVariant.get(variant);
      if (found === undefined) throw new RangeError(`topology probe: variant ${variant} was not prepared`);
      return found;
    };
    return {
      iterate(variant) {
        let total = 0;
        for (const link of linksOf(variant)) {
          const begin = process.hrtime.bigint();
          link.copy();
          const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
          link.seconds.push(seconds);
          total += seconds;
        }
        return total * 1000;
      },
      work: (variant) => ({
        flops: 0,
        hostBytes: linksOf(variant).length * size,
        launches: linksOf(variant).length,
        items: linksOf(variant).length,
        itemName: 'links',
      }),
      verify: (variant) =>
        linksOf(variant).map((link) => {
          const wrong = link.wrongBytes();
          return {
            output: `${link.from} to ${link.to}`,
            ok: wrong === 0,
            elements: size,
            worst: wrong,
            limit: 0,
          };
        }),
      links: () =>
        [...byVariant].flatMap(([variant, links]) =>
          links.map(({ from, to, how, seconds }) => ({ from, to, variant, how, seconds, bytes: size })),
        ),
      free,
    };
  } catch (error) {
    free();
    throw error;
  }
}

/** Bytes that say where they came from: a copy of the wrong ones is seen. */
function patternOf(seed: number, name: string, size: number): Uint8Array {
  const uniform = seededUniform(`probe ${name}`, seed);
  const words = new Uint32Array(1024);
  for (let i = 0; i < words.length; i++) words[i] = Math.floor(uniform() * 2 ** 32);
  const bytes = new Uint8Array(size);
  const all = new Uint32Array(bytes.buffer);
  for (let i = 0; i < all.length; i++) all[i] = ((words[i & 1023] ?? 0) + i) >>> 0;
  return bytes;
}

function differing(found: Uint8Array, expected: Uint8Array): number {
  let wrong = 0;
  for (let i = 0; i < expected.length; i++) if (found[i] !== expected[i]) wrong++;
  return wrong;
}

interface Making {
  readonly gpus: readonly Gpu[];
  readonly own: <T extends { free(): void }>(object: T) => T;
  readonly size: number;
  readonly hostBytes: Uint8Array;
  readonly reach: (from: Gpu, to: Gpu) => boolean;
}

const nameOf = ({ index }: Gpu): string => `gpu ${index}`;
const pairsOf = (gpus: readonly Gpu[]) =>
  gpus.flatMap((from) => gpus.filter((to) => to !== from).map((to) => ({ from, to })));

const arrived = (buffer: DeviceBuffer | PinnedBuffer, size: number): Uint8Array =>
  buffer.read(new Uint8Array(size));

function blindLinks({ gpus, own, size, hostBytes }: Making): Link[] {
  const links = gpus.flatMap((gpu): Link[] => {
    const target = own(gpu.context.allocate(size));
    const back = new Uint8Array(size);
    return [
      {
        from: 'host',
        to: nameOf(gpu),
        how: 'ordinary memory, through the driver’s own buffer',
        seconds: [],
        copy: () => target.write(hostBytes),
        wrongBytes: () => differing(arrived(target, size), hostBytes),
      },
      {
        from: nameOf(gpu),
        to: 'host',
        how: 'ordinary memory, through the driver’s own buffer',
        seconds: [],
        copy: () => void gpu.source.read(back),
        wrongBytes: () => differing(back, gpu.bytes),
      },
    ];
  });
  const stage = new Uint8Array(size);
  for (const { from, to } of pairsOf(gpus)) {
    const target = own(to.context.allocate(size));
    links.push({
      from: nameOf(from),
      to: nameOf(to),
      how: 'down to ordinary host memory and up again',
      seconds: [],
      copy: () => {
        from.source.read(stage);
        target.write(stage);
      },
      wrongBytes: () => differing(arrived(target, size), from.bytes),
    });
  }
  return links;
}

function informedLinks({ gpus, own, size, hostBytes, reach }: Making): Link[] {
  const links = gpus.flatMap((gpu): Link[] => {
    const host = own(gpu.context.allocatePinned(size));
    host.write(hostBytes);
    const target = own(gpu.context.allocate(size));
    const back = own(gpu.context.allocatePinned(size));
    return [
      {
        from: 'host',
        to: nameOf(gpu),
        how: 'page-locked memory',
        seconds: [],
        copy: () => {
          gpu.stream.copy(target, host, size);
          gpu.stream.synchronizeNow();
        },
        wrongBytes: () => differing(arrived(target, size), hostBytes),
      },
      {
        from: nameOf(gpu),
        to: 'host',
        how: 'page-locked memory',
        seconds: [],
        copy: () => {
          gpu.stream.copy(back, gpu.source, size);
          gpu.stream.synchronizeNow();
        },
        wrongBytes: () => differing(arrived(back, size), gpu.bytes),
      },
    ];
  });
  for (const { from, to } of pairsOf(gpus)) {
    const isDirect = reach(from, to);
    const target = own(to.context.allocate(size));
    links.push({
      from: nameOf(from),
      to: nameOf(to),
      how: isDirect ? 'peer access, directly' : 'no peer access: staged by the driver',
      seconds: [],
      copy: () => {
        from.stream.copy(target, from.source, size);
        from.stream.synchronizeNow();
      },
      wrongBytes: () => differing(arrived(target, size), from.bytes),
    });
  }
  return links;
}

/** Enables it where the driver allows; false where it refuses. A fault of the device is still thrown. */
function peerAccess(from: CudaContext, to: CudaContext): boolean {
  try {
    from.enablePeer(to);
    return true;
  } catch (error) {
    if (isCudaError(error) && error.number === peerUnsupported) return false;
    if (isCudaError(error) && error.number === peerAlreadyEnabled) return true;
    throw error;
  }
}
const peerUnsupported = 217;
const peerAlreadyEnabled = 704;
