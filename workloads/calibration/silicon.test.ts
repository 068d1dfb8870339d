import { createReadStream, existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readSilicon } from './silicon.ts';
import { errors, familyOf } from './siliconFit.ts';
import { fittedTerms, termsWithout } from './siliconTerms.ts';

const path = `${process.env['DYNO_DATA'] ?? '../shared/data'}/silicon/h100-vllm-sglang.csv`;

test.skipIf(!existsSync(path))(
  'measured H100 configurations, each with terms fitted without its model: TTFT within 15 %, TPOT within 10 % in the median',
  { timeout: 120_000 },
  async () => {
    const { rows, leftOut } = await readSilicon(path, createReadStream(path));
    expect(rows.length).toBe(293);
    expect(leftOut).toEqual({ disaggregated: 40, 'listed twice': 26, 'attention data parallel': 15 });
    expect([...new Set(rows.map(familyOf))].sort()).toEqual(Object.keys(termsWithout).sort());
    // 8,192 output tokens take most of the time and say little more.
    const short = rows.filter(({ outputTokens }) => outputTokens < 8000);
    const unseen = errors(short, (row) => termsWithout[familyOf(row)] ?? fittedTerms);
    expect(unseen.ttft).toBeLessThan(0.15);
    expect(unseen.tpot).toBeLessThan(0.1);
  },
);
