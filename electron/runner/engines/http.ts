import { httpEngine } from '../../../workloads/engines/http/httpEngine.ts';
import type { Engine } from '../../../workloads/run/engine.ts';
import { httpHost } from '../http/httpHost.ts';

/** Servers with an OpenAI-compatible API. */
export const http = (): Promise<Engine> => Promise.resolve(httpEngine(httpHost(import.meta.url)));
