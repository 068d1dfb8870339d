import { createReadStream, existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { provideOperatorTables, readOperatorTables } from '../cost/operatorTables.ts';
import { readMeasuredRequests, replaySpec, trafficOf } from './measuredRun.ts';
import { deviations, replay } from './replay.ts';
import { vllmRuns } from './vllmRuns.ts';

const data = process.env['DYNO_DATA'] ?? '../shared/data';

for (const { folder, label, settings } of vllmRuns) {
  const path = `${data}/vllm-measured/${folder}`;
  describe.skipIf(!existsSync(path))(`vLLM 0.19 on ${label}`, () => {
    test('mean TPOT within 2 %, E2E 2.5 %, TTFT 5 % of 300 measured requests', async () => {
      const sha256 = folder.length.toString(16).padStart(64, '0');
      provideOperatorTables(
        sha256,
        await readOperatorTables(path, (file) => createReadStream(`${path}/${file}`)),
      );
      const name = `${path}/requests.jsonl`;
      const requests = await readMeasuredRequests(name, createReadStream(name));
      const simulated = replay(replaySpec(settings(path, sha256)), trafficOf(name, requests));
      const error = (metric: string) =>
        Math.abs(
          deviations(simulated, requests).rows.find((r) => r.metric === metric && r.statistic === 'mean')
            ?.error ?? 1,
        );
      expect(requests.length).toBe(300);
      expect(error('tpot')).toBeLessThanOrEqual(0.02);
      expect(error('e2e')).toBeLessThanOrEqual(0.025);
      expect(error('ttft')).toBeLessThanOrEqual(0.05);
    });
  });
}
