import type { RecordOptions } from './recordOptions.ts';
import type { SpecOptions } from './specOptions.ts';

export interface BenchOptions extends SpecOptions, RecordOptions {
  readonly json?: boolean;
  readonly out?: string;
  readonly keep: boolean;
  readonly report?: string;
  readonly printSpec?: boolean;
}
