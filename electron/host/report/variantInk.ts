import type { ReportInput, ReportRun } from './reportInput.ts';

/** How one run is drawn everywhere: its colour, and a mark and a word for readers who cannot tell colours apart. */
export interface VariantInk {
  readonly run: ReportRun;
  /** `baseline`; `A · baseline` where both runs are of one variant. */
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
  if (second === undefined) return [ink(first, 0, first.info.variant, colour)];
  const same = first.info.variant === second.info.variant;
  const own = colours[second.info.variant] ?? otherColour;
  const free = [colours['optimized'], otherColour].find((c) => c !== colour) ?? otherColour;
  return [
    ink(first, 0, same ? `A · ${first.info.variant}` : first.info.variant, colour),
    ink(second, 1, same ? `B · ${second.info.variant}` : second.info.variant, own === colour ? free : own),
  ];
}

/** Lines of modelled figures: long dashes, so that two of them still read as lines. */
export const dash = (ink: { readonly dashed: boolean }): 'solid' | number[] =>
  ink.dashed ? [6, 2.5] : 'solid';
