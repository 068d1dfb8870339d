import type { ExpectationOptions } from './expectations.ts';
import type { RecordOptions } from './recordOptions.ts';
import type { SpecOptions } from './specOptions.ts';

export interface BenchOptions extends SpecOptions, RecordOptions, ExpectationOptions {
  readonly json?: boolean;
  readonly out?: string;
  readonly keep: boolean;
  readonly report?: string;
  readonly printSpec?: boolean;
  readonly checkInputs?: boolean;
}
