import { findTarget } from '../../../workloads/catalog/catalog.ts';
import { findKernelTarget } from '../../../workloads/catalog/kernelTargets.ts';
import { pairNames, runNames } from '../../../workloads/catalog/runNames.ts';
import type { ReportInput, ReportRun } from './reportInput.ts';

/** How one run is drawn everywhere: its colour, and a mark and a word for readers who cannot tell colours apart. */
export interface VariantInk {
  readonly run: ReportRun;
  /** What tells it from the other run: `baseline`, `SGLang cache-aware`; `A · baseline` where both were set alike. */
  readonly label: string;
  readonly colour: string;
  readonly symbol: 'circle' | 'diamond';
  /** Modelled figures are drawn dashed. */
  readonly dashed: boolean;
  /** 0 for the baseline or the only run. */
  readonly index: number;
}

const colours: Readonly<Record<string, string>> = {
  baseline: 'var(--baseline)',
  optimized: 'var(--optimized)',
  as_published: 'var(--as-published)',
};
const otherColour = 'var(--other-variant)';

export function variantInks(input: ReportInput): readonly VariantInk[] {
  const [first, second] = input.runs;
  const colour = colours[first.info.variant] ?? otherColour;
  const ink = (run: ReportRun, index: number, label: string, itsColour: string): VariantInk => ({
    run,
    label,
    colour: itsColour,
    symbol: index === 0 ? 'circle' : 'diamond',
    dashed: run.summary.simulated,
    index,
  });
  const targetOf = (id: string) => findTarget(id) ?? findKernelTarget(id);
  if (second === undefined) {
    const [name = first.info.variant] = runNames([first.info], targetOf);
    return [ink(first, 0, name, colour)];
  }
  const [left, right] = pairNames(first.info, second.info, targetOf);
  const own = colours[second.info.variant] ?? otherColour;
  const free = [colours['optimized'], otherColour].find((c) => c !== colour) ?? otherColour;
  return [ink(first, 0, left, colour), ink(second, 1, right, own === colour ? free : own)];
}

/** Lines of modelled figures: long dashes, so that two of them still read as lines. */
export const dash = (ink: { readonly dashed: boolean }): 'solid' | number[] =>
  ink.dashed ? [6, 2.5] : 'solid';
