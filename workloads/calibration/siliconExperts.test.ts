import { createReadStream, existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { expertError, predictExpertTpot, readExpertRows } from './siliconExperts.ts';

const path = `${process.env['DYNO_DATA'] ?? '../shared/data'}/silicon/h100-vllm-sglang.csv`;

test.skipIf(!existsSync(path))(
  'MiniMax-M2.5 on 4 × H100, experts divided: TPOT of 15 configurations, median error below 10 %, nothing fitted',
  async () => {
    const rows = await readExpertRows(path, createReadStream(path));
    expect(rows.length).toBe(15);
    expect(expertError(rows, 0.6)).toBeLessThan(0.1);
    expect(expertError(rows, 0)).toBeLessThan(0.1);
    // Few clients are predicted too fast: the worst row is four clients with long prompts.
    const worst = Math.max(...rows.map((row) => Math.abs(predictExpertTpot(row, 0.6) / row.tpot - 1)));
    expect(worst).toBeLessThan(0.4);
  },
);
