import type { Engine } from '../../../workloads/run/engine.ts';
import { RunFailure } from '../../shared/runFailure.ts';

/** Servers with an OpenAI-compatible API. */
export const http = (): Promise<Engine> =>
  Promise.reject(
    new RunFailure({
      code: 'missing',
      message: 'engine http: this build of Dyno has no load generator for serving clusters',
      hint: 'It needs the URLs of an OpenAI-compatible server; use --engine sim.',
    }),
  );
