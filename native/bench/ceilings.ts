// Measures the card's roofs and prints them as one JSON document; progress goes to stderr.
import { native, openCuda } from './open.ts';

const addon = native();
const cuda = await openCuda(addon);
const answer = await addon.measureCeilings(cuda, {
  device: Number(process.argv[2] ?? 0),
  onProgress: ({ done, total, id }) => process.stderr.write(`${done}/${total} ${id}\n`),
});
if (!answer.ok) throw new Error(answer.error.message);
console.log(JSON.stringify({ ...answer.value, leaks: cuda.close() }, undefined, 1));
