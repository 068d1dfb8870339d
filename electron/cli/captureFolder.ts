import { join } from 'node:path';
import { runsFolder } from '../host/store/runsFolder.ts';

/** The folder of a capture, beside the runs folder. */
export const captureFolder = (name: string): string => join(runsFolder(), '..', 'captures', name);
