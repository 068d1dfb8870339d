import type { Parameter } from '../run/parameter.ts';

/** Parameters that several policies share. */

export const telemetryRefresh = (defaultMs: number): Parameter => ({
  kind: 'number',
  id: 'telemetry_refresh_ms',
  label: 'Telemetry refresh',
  group: 'policy',
  unit: 'ms',
  min: 0,
  max: 60000,
  default: defaultMs,
  help: 'How often the router sees the instances’ state; between two refreshes it decides on old news. 0: always fresh.',
});
