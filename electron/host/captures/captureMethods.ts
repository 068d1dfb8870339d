import type { HostMethod } from '../../contract/protocol.ts';
import { type Methods, requireGranted } from '../client.ts';
import type { RunShelf } from '../runs/runShelf.ts';
import type { CaptureQueue } from './captureQueue.ts';

type CaptureMethod = Extract<HostMethod, `captures.${string}`>;

/** The methods that the window and the command line call for captures. */
export const captureMethods = (captures: CaptureQueue, shelf: RunShelf): Pick<Methods, CaptureMethod> => ({
  'captures.tools': async () => ({ tools: await captures.tools() }),
  'captures.list': async () => ({ captures: await captures.list() }),
  'captures.start': async (order, client) => {
    await requireGranted(client, order.spec);
    return { capture: captures.start(order) };
  },
  'captures.preview': (order) => captures.preview(order),
  'captures.startPart': async (part) => {
    const { folder } = await shelf.find(part.run);
    return captures.startPart(folder, part);
  },
  'captures.openRun': async ({ run }) => {
    const { folder, manifest } = await shelf.find(run);
    return { capture: captures.openRun(folder, `${manifest.title} · recorded in the run`) };
  },
  'captures.showInNsight': async ({ capture }) => {
    await captures.showInNsight(capture);
    return {};
  },
  'captures.cancel': ({ capture }) => {
    captures.cancel(capture);
    return {};
  },
  'captures.retry': ({ capture }) => ({ capture: captures.retry(capture) }),
  'captures.remove': async ({ capture }) => {
    await captures.remove(capture);
    return {};
  },
  'captures.open': async ({ path }, client) => ({
    capture: captures.open(await client.grants.read(path)),
  }),
  'captures.read': ({ capture }) => captures.read(capture),
  'captures.timeline': ({ capture, from_ns, to_ns, width }) =>
    captures.ask(capture, 'timeline', (file) => ({ ...file, fromNs: from_ns, toNs: to_ns, width })),
  'captures.tables': ({ capture, from_ns, to_ns }) =>
    captures.ask(capture, 'tables', (file) => ({ ...file, fromNs: from_ns, toNs: to_ns })),
  'captures.links': ({ capture, lane, start_ns, end_ns }) =>
    captures.ask(capture, 'links', (file) => ({ ...file, lane, startNs: start_ns, endNs: end_ns })),
  'captures.find': ({ capture, text, from_ns, direction }) =>
    captures.ask(capture, 'find', (file) => ({ ...file, text, fromNs: from_ns, direction })),
  'captures.compare': async ({ baseline, optimized }) => ({
    kernels: await captures.compare(baseline, optimized),
  }),
  'captures.export': async ({ capture, path }, client) =>
    captures.export(capture, await client.grants.write(path)),
});
