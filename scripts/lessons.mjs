// Recreates every figure that a lesson claims: runs its command and compares. Exit status 1 where one does not hold.
//   npm run lessons              all of them
//   npm run lessons -- wide_ep   those of targets whose id has this in it
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { out, root } from './project.mjs';

const { build } = await import('rolldown');
mkdirSync(join(out, 'bench'), { recursive: true });
const file = join(out, 'bench', 'lessons.mjs');
await build({
  input: join(root, 'workloads/catalog/lessonClaims.ts'),
  output: { file, format: 'esm' },
  logLevel: 'warn',
});
const { lessonClaims, commandOf, recreate } = await import(pathToFileURL(file).href);
let broken = 0;
for (const claim of lessonClaims) {
  if (!claim.target.includes(process.argv[2] ?? '')) continue;
  const { value, holds } = recreate(claim);
  if (!holds) broken++;
  console.log(
    `${holds ? 'holds ' : 'BROKEN'}  ${claim.target}  ${claim.figure} = ${Number(value.toPrecision(5))}, said ${claim.value} ± ${100 * claim.within} %\n        ${commandOf(claim)}`,
  );
}
console.log(broken === 0 ? 'every claim holds' : `${broken} claims do not hold`);
process.exitCode = broken === 0 ? 0 : 1;
