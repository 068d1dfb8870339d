import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomFor } from './mutate.ts';
import { mutationTargets } from './mutationTargets.ts';
import { TestHost } from './testHost.ts';
import { testSpec } from './testSpec.ts';

// Attacks from inside one process; prints one JSON document. `scripts/attack.mjs` starts it.
//
//   attack mutate COUNT SEED     mutated inputs over every parser and message
//   attack soak RUNS RUNNER      many runs by one host: descriptors and memory stay flat

type Outcome = 'accepted' | 'refused' | 'internal' | 'unclear' | 'slow';

/** Describes an error message that is not one clear line; undefined if it is. */
function fault(thrown: unknown): Outcome {
  if (!(thrown instanceof Error)) return 'unclear';
  const isOurs = ['InputError', 'RunFailure', 'ManifestError', 'StreamError', 'CaptureError'].includes(
    thrown.name,
  );
  if (!isOurs) return 'internal';
  const code = 'error' in thrown ? (thrown.error as { readonly code?: string }).code : undefined;
  if (code === 'internal') return 'internal';
  return thrown.message.includes('\n') || thrown.message.trim() === '' ? 'unclear' : 'refused';
}

const slowMs = 5000;

async function mutate(count: number, seed: number): Promise<object> {
  const home = mkdtempSync(join(tmpdir(), 'dyno-attack-'));
  const counts: Record<string, Record<Outcome, number>> = {};
  const examples: string[] = [];
  try {
    const targets = await mutationTargets(home);
    const random = randomFor(seed);
    for (let i = 0; i < count; i++) {
      const target = targets[i % targets.length];
      if (target === undefined) break;
      counts[target.name] ??= { accepted: 0, refused: 0, internal: 0, unclear: 0, slow: 0 };
      const found = counts[target.name];
      const input = target.mutated(random);
      const begin = performance.now();
      let outcome: Outcome = 'accepted';
      let words = '';
      try {
        await target.take(input);
      } catch (thrown) {
        outcome = fault(thrown);
        words = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
      }
      if (performance.now() - begin > slowMs) outcome = 'slow';
      if (found !== undefined) found[outcome]++;
      if (outcome !== 'accepted' && outcome !== 'refused' && examples.length < 20)
        examples.push(`${target.name}: ${words.slice(0, 300)}`);
    }
    for (const target of targets) await target.close?.();
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  return { counts, examples };
}

const descriptors = (): number => readdirSync('/proc/self/fd').length;

async function soak(runs: number, runner: string): Promise<object> {
  const home = mkdtempSync(join(tmpdir(), 'dyno-soak-'));
  const host = new TestHost(home, runner);
  const samples: { runs: number; descriptors: number; rss: number; heap: number }[] = [];
  try {
    for (let i = 1; i <= runs; i++) {
      const { job, runs: ids } = await host.request('runs.start', {
        title: 'soak',
        specs: [testSpec({ requests: 200, seed: i })],
        pace: 'max',
      });
      await host.request('live.watch', { run: ids[0] ?? null });
      await host.untilOver(job);
      await host.request('runs.sources', { run: ids[0] ?? '' });
      await host.request('runs.list', {});
      await host.request('runs.delete', { runs: [...ids] });
      host.events.length = 0;
      globalThis.gc?.();
      if (i % Math.max(1, Math.floor(runs / 10)) === 0) {
        const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
        samples.push({ runs: i, descriptors: descriptors(), rss, heap: heapUsed + arrayBuffers });
      }
    }
  } finally {
    await host.close();
    rmSync(home, { recursive: true, force: true });
  }
  return { samples };
}

const [what = '', first = '0', second = ''] = process.argv.slice(2);
const result =
  what === 'mutate' ? await mutate(Number(first), Number(second)) : await soak(Number(first), second);
writeFileSync(1, `${JSON.stringify(result)}\n`);
process.exit(0);
