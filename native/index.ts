// The public face of native/: nothing else of this folder is imported from outside.
import { loadAddon, type RawAddon } from './addon.ts';
import type { Answer } from './answer.ts';
import { Telemetry } from './telemetry.ts';

export { nativeFolder } from './addon.ts';
export type { Answer, NativeError } from './answer.ts';
export {
  type Metric,
  type MetricId,
  type MetricKind,
  type MetricUnit,
  metricIds,
  metricNumber,
  metricOf,
  metrics,
  throttleReasonNames,
} from './metrics.ts';
export * from './telemetry.ts';

/** Where to look for driver libraries; the system's own when absent. Tests put the fakes here. */
export interface DriverLibraries {
  readonly nvml?: string;
  readonly cuda?: string;
  readonly cublasLt?: string;
}

export interface OpenOptions {
  readonly libraries?: DriverLibraries;
  /** Stands in for `/sys` in tests. */
  readonly sysfs?: string;
}

export interface NoNative {
  readonly available: false;
  /** One sentence. */
  readonly reason: string;
  readonly hint: string;
}

/** The loaded addon. Opening a driver is a second step, because it may be missing, slow or hung. */
export class Native {
  readonly available = true;
  readonly folder: string;
  private readonly addon: RawAddon;
  private readonly options: OpenOptions;

  constructor(addon: RawAddon, folder: string, options: OpenOptions) {
    this.addon = addon;
    this.folder = folder;
    this.options = options;
  }

  openTelemetry(): Promise<Answer<Telemetry>> {
    const { libraries, sysfs } = this.options;
    return Telemetry.open(this.addon, {
      ...(libraries?.nvml === undefined ? {} : { library: libraries.nvml }),
      ...(sysfs === undefined ? {} : { sysfs }),
    });
  }

  /** The addon's own metric list, for the test that holds it to `metrics`. */
  metricIds(): readonly string[] {
    return JSON.parse(this.addon.telemetryMetricIds()) as string[];
  }
}

/** Loads the addon from `folder` (`nativeFolder(import.meta.url)` finds it). Never throws: Dyno works without it. */
export function openNative(folder: string, options: OpenOptions = {}): Native | NoNative {
  const loaded = loadAddon(folder);
  return 'addon' in loaded ? new Native(loaded.addon, folder, options) : { available: false, ...loaded };
}
