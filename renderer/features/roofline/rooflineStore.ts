import { createStore } from 'zustand/vanilla';
import type { CaptureInfo } from '../../../electron/contract/protocol.ts';
import { gpuNamed } from '../../../workloads/hardware/gpuNamed.ts';
import { type Gpu, gpus } from '../../../workloads/hardware/gpus.ts';
import {
  type Ceilings,
  dataSheetCeilings,
  type MeasuredCeilings,
  measuredCeilings,
  preferring,
} from '../../../workloads/roofline/ceilings.ts';
import type { RooflinePoint } from '../../../workloads/roofline/point.ts';
import { errorOf } from '../../state/hostClient.ts';
import { notify, notifyError } from '../../state/notices.ts';
import type { Workbench } from '../../state/workbench.ts';
import { type Assessed, assessed } from './plot.ts';
import { firstWhatIf, type WhatIf, withGpu } from './whatIf.ts';

/** Points of something that ran, beside the analytic ones. */
export interface Loaded {
  /** A run or a capture. */
  readonly id: string;
  readonly title: string;
  readonly points: readonly Assessed[];
  readonly notes: readonly string[];
}

export interface RooflineState {
  readonly whatIf: WhatIf;
  readonly selected: string | undefined;
  readonly run: Loaded | undefined;
  readonly capture: Loaded | undefined;
  /** Measured ceilings by the id of their card. */
  readonly measured: Readonly<Record<string, MeasuredCeilings>>;
}

export const rooflineStore = createStore<RooflineState>(() => ({
  whatIf: firstWhatIf,
  selected: undefined,
  run: undefined,
  capture: undefined,
  measured: {},
}));

export const changeWhatIf = (change: Partial<WhatIf>): void =>
  rooflineStore.setState(({ whatIf }) => ({ whatIf: { ...whatIf, ...change } }));

/** Measured over the data sheet. */
export const ceilingsWith =
  (measured: RooflineState['measured']) =>
  (gpu: Gpu): Ceilings => {
    const own = measured[gpu.id];
    const sheet = dataSheetCeilings(gpu);
    return own === undefined ? sheet : { ...preferring(measuredCeilings(own), sheet), card: gpu.label };
  };

export async function loadCeilings(workbench: Workbench, path?: string): Promise<void> {
  try {
    const { cards } = await workbench.client.request('roofline.ceilings', path === undefined ? {} : { path });
    const known = cards.flatMap((card) => {
      const gpu = gpuNamed(card.name);
      return gpu === undefined ? [] : [[gpu.id, card] as const];
    });
    rooflineStore.setState({ measured: Object.fromEntries(known) });
    if (path !== undefined)
      notify('Ceilings measured', `${known.length} of ${cards.length} cards have a data sheet here.`);
  } catch (thrown) {
    notifyError('The ceilings were not read', errorOf(thrown));
  }
}

export async function loadRun(workbench: Workbench, run: string | null): Promise<void> {
  if (run === null) {
    rooflineStore.setState({ run: undefined, selected: undefined });
    return;
  }
  try {
    const { title, model, points } = await workbench.client.request('runs.roofline', { run });
    const label = points[0]?.ceilings.card;
    const card = gpus.find((gpu) => gpu.label === label);
    rooflineStore.setState(({ whatIf }) => ({
      // The analytic points beside them are of the same model on the same card.
      whatIf: {
        ...(card === undefined ? whatIf : withGpu(whatIf, card.id)),
        ...(model === undefined ? {} : { model }),
      },
      run: {
        id: run,
        title,
        points: points.map(({ point, ceilings }) => assessed(point, ceilings)),
        notes: [],
      },
      // Measured points come first: they are what the view is opened for.
      selected: points.find(({ point }) => point.source === 'measured')?.point.id,
    }));
  } catch (thrown) {
    rooflineStore.setState({ run: undefined });
    notifyError('This run has no roofline points', errorOf(thrown));
  }
}

const noCeilings: Ceilings = { card: 'unknown', memory: {}, compute: {}, absent: [] };

export async function loadCapture(workbench: Workbench, capture: CaptureInfo | undefined): Promise<void> {
  if (capture === undefined) {
    rooflineStore.setState({ capture: undefined, selected: undefined });
    return;
  }
  try {
    const contents = await workbench.client.request('captures.read', { capture: capture.capture });
    if (contents.kind === 'ncu')
      showCounters(capture, contents.points, contents.ceilings ?? noCeilings, contents.missing);
  } catch (thrown) {
    notifyError('The capture was not read', errorOf(thrown));
  }
}

export function showCounters(
  { capture, title }: Pick<CaptureInfo, 'capture' | 'title'>,
  points: readonly RooflinePoint[],
  ceilings: Ceilings,
  missing: readonly string[],
): void {
  const card = gpuNamed(ceilings.card);
  rooflineStore.setState(({ whatIf }) => ({
    // The analytic points and roofs of the same card stand beside what was captured on it.
    ...(card === undefined ? {} : { whatIf: withGpu(whatIf, card.id) }),
    capture: { id: capture, title, points: points.map((point) => assessed(point, ceilings)), notes: missing },
    selected: points[0]?.id,
  }));
}
