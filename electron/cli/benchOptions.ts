import type { SpecOptions } from './specOptions.ts';

export interface BenchOptions extends SpecOptions {
  readonly json?: boolean;
  readonly out?: string;
  readonly keep: boolean;
  readonly report?: string;
  readonly printSpec?: boolean;
}
