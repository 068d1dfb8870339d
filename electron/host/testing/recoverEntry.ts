import { recoverBundle } from '../store/recovery.ts';

// A process of its own that recovers the bundle it is given, and prints what came of it.
const outcome = await recoverBundle(process.argv[2] ?? '');
process.stdout.write(`${JSON.stringify(outcome)}\n`);
