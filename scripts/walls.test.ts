// The walls between the rooms are lint errors. Each row is a room's import; the whole table is linted in one run, in a
// scratch folder under the project's own biome.json.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root } from './project.mjs';

const forbidden: readonly (readonly [file: string, imported: string])[] = [
  ['workloads/cost/clock.ts', 'node:fs'],
  ['workloads/cost/clock.ts', 'electron'],
  ['workloads/cost/clock.ts', 'react'],
  ['workloads/cost/clock.ts', '../../native/index.ts'],
  ['workloads/cost/clock.ts', '../../electron/contract/protocol.ts'],
  ['workloads/cost/clock.ts', '../../renderer/state/runs.ts'],
  ['workloads/cost/clock.test.ts', '../../electron/host/store.ts'],
  ['workloads/run/spec.ts', '../catalog/catalog.ts'],
  ['workloads/cost/costModel.ts', '../serving/instance.ts'],
  ['workloads/routing/router.ts', '../cluster/dispatch.ts'],
  ['workloads/serving/instance.ts', '../engines/sim/engine.ts'],
  ['workloads/record/totals.ts', '../cluster/replicate.ts'],
  ['workloads/cluster/replicate.ts', '../engines/sim/engine.ts'],
  ['electron/host/host.ts', '../runner/runSpec.ts'],
  ['electron/cli/main.ts', '../runner/runSpec.ts'],
  ['electron/runner/main.ts', '../host/host.ts'],
  ['electron/shared/openFile.ts', '../host/host.ts'],
  ['native/index.ts', '../workloads/units.ts'],
  ['native/index.ts', '../electron/contract/protocol.ts'],
  ['native/index.ts', 'electron'],
  ['electron/contract/protocol.ts', '../host/store.ts'],
  ['electron/contract/protocol.ts', '../../native/index.ts'],
  ['electron/contract/protocol.ts', 'node:fs'],
  ['electron/contract/protocol.ts', 'electron'],
  ['electron/preload/preload.ts', '../host/store.ts'],
  ['electron/preload/preload.ts', '../../workloads/units.ts'],
  ['electron/preload/preload.ts', 'node:fs'],
  ['electron/main/main.ts', '../../renderer/state/runs.ts'],
  ['electron/host/store.ts', '../../renderer/state/runs.ts'],
  ['electron/runner/main.ts', 'react'],
  ['electron/cli/main.ts', '../../scripts/project.mjs'],
  ['renderer/features/run/form.tsx', 'electron'],
  ['renderer/features/run/form.tsx', 'node:fs'],
  ['renderer/features/run/form.tsx', '@duckdb/node-api'],
  ['renderer/features/run/form.tsx', '../../../electron/host/store.ts'],
  ['renderer/features/run/form.tsx', '../../../native/index.ts'],
  ['renderer/features/run/form.tsx', '../../../workloads/cost/clock.ts'],
  ['renderer/features/run/form.tsx', '../../../workloads/serving/scheduler.ts'],
  ['renderer/state/runs.ts', '../charts/TimeChart.tsx'],
  ['renderer/state/runs.ts', '../ui/EngineBadge.tsx'],
  ['renderer/charts/TimeChart.tsx', '../ui/EngineBadge.tsx'],
  ['renderer/charts/TimeChart.tsx', '../features/live/Live.tsx'],
  ['renderer/ui/EngineBadge.tsx', '../features/live/Live.tsx'],
  ['renderer/ui/EngineBadge.tsx', '../frame/Frame.tsx'],
  ['renderer/features/live/Live.tsx', '../../frame/Frame.tsx'],
  ['renderer/state/runs.ts', '../../electron/host/store.ts'],
];

const allowed: readonly (readonly [file: string, imported: string])[] = [
  ['workloads/cost/clock.ts', '../units.ts'],
  ['workloads/cost/clock.test.ts', 'node:fs'],
  ['workloads/cluster/replicate.ts', '../serving/instance.ts'],
  ['workloads/engines/sim/engine.ts', '../../cluster/replicate.ts'],
  ['electron/runner/main.ts', '../shared/openFile.ts'],
  ['native/index.ts', 'node:module'],
  ['electron/contract/protocol.ts', '../../workloads/metrics/registry.ts'],
  ['electron/preload/preload.ts', '../contract/bridge.ts'],
  ['electron/host/store.ts', '../../native/index.ts'],
  ['electron/host/store.ts', '../../workloads/cost/clock.ts'],
  ['electron/cli/main.ts', '../host/store.ts'],
  ['renderer/features/run/form.tsx', '../../../electron/contract/protocol.ts'],
  ['renderer/features/run/form.tsx', '../../../workloads/metrics/registry.ts'],
  ['renderer/features/run/form.tsx', '../../../workloads/units.ts'],
  ['renderer/features/run/form.tsx', 'react'],
  ['renderer/frame/Frame.tsx', '../features/live/Live.tsx'],
  ['renderer/features/live/Live.tsx', '../../ui/EngineBadge.tsx'],
  ['renderer/ui/EngineBadge.tsx', '../charts/TimeChart.tsx'],
  ['renderer/charts/TimeChart.tsx', '../state/runs.ts'],
];

/** What would make two runs of one spec differ, in `workloads`. */
const indeterminate = ['Math.random()', 'Date.now()', 'performance.now()', 'Math.pow(2, 0.5)', 'Math.sin(1)'];

let folder: string;
let reported: ReadonlySet<string>;

// Each row has a file of its own in the room: `workloads/cost/3/clock.ts` would change what `../` means, so the number
// goes into the name.
const nameOf = (kind: string, index: number, file: string) => file.replace(/([^/]+)$/, `${kind}${index}-$1`);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dyno-walls-'));
  copyFileSync(join(root, 'biome.json'), join(folder, 'biome.json'));
  copyFileSync(join(root, '.gitignore'), join(folder, '.gitignore'));
  for (const [kind, rows] of [['no', forbidden] as const, ['yes', allowed] as const]) {
    for (const [index, [file, imported]] of rows.entries()) {
      const target = join(folder, nameOf(kind, index, file));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, `import { x } from '${imported}';\nexport const y = x;\n`);
    }
  }
  for (const [index, expression] of indeterminate.entries()) {
    const text = `export const y = ${expression};\n`;
    writeFileSync(join(folder, nameOf('call', index, 'workloads/cost/clock.ts')), text);
    writeFileSync(join(folder, nameOf('call', index, 'workloads/cost/clock.test.ts')), text);
  }
  reported = lint();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The files in which a restricted import or call is reported. */
function lint(): ReadonlySet<string> {
  const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');
  const args = [biome, 'lint', '--max-diagnostics=none', '--reporter=json'];
  let json: string;
  try {
    json = execFileSync(process.execPath, args, {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch (error) {
    // Biome's exit status is 1 when it found something, as it must here.
    json = String((error as { stdout: string }).stdout);
  }
  const report = JSON.parse(json) as { diagnostics: { category: string; location: { path: string } }[] };
  const ours = report.diagnostics.filter(({ category }) =>
    /noRestrictedImports|noJsRestrictedProperties/.test(category),
  );
  return new Set(ours.map(({ location }) => location.path));
}

describe('an import through a wall is a lint error', () => {
  test.each(forbidden.map((row, index) => [...row, index] as const))('%s ✗ %s', (file, _imported, index) => {
    expect(reported).toContain(nameOf('no', index, file));
  });
});

describe('an import along an arrow is not', () => {
  test.each(allowed.map((row, index) => [...row, index] as const))('%s → %s', (file, _imported, index) => {
    expect(reported).not.toContain(nameOf('yes', index, file));
  });
});

describe('workloads depends on its spec alone', () => {
  test.each(indeterminate.map((expression, index) => [expression, index] as const))(
    '%s',
    (_expression, index) => {
      expect(reported).toContain(nameOf('call', index, 'workloads/cost/clock.ts'));
      expect(reported).not.toContain(nameOf('call', index, 'workloads/cost/clock.test.ts'));
    },
  );
});
