import type { IterationShape, IterationWork } from '../../cost/costModel.ts';
import type { Ns } from '../../units.ts';
import type { DecodeBatch } from '../decodeBatch.ts';
import type { PromptBatch } from '../promptBatch.ts';
import type { RequestTable } from '../requestTable.ts';
import type { RunningList } from '../runningList.ts';
import type { TechniqueCounts } from './techniqueCounts.ts';

/** What decoding does beyond one token per sequence and pass. One per instance; passes are then looked at one by one. */
export interface DecodeTechnique {
  /** The instance's decoding sequences, moved on as the technique has it. */
  readonly batch: DecodeBatch;
  readonly counts: TechniqueCounts;
  /** A pass is about to be put together: what it will do per sequence is settled here, before blocks and budget are shared out. */
  plan(): void;
  /** Time of the pass that was planned; `shape` is complete but for what the technique adds. */
  passNs(shape: IterationShape): Ns;
  work(shape: IterationShape, work: IterationWork): void;
}

/** What a technique sees of its instance. */
export interface TechniqueView {
  readonly requests: RequestTable;
  readonly running: RunningList;
  readonly prompts: PromptBatch;
  readonly blockTokens: number;
  readonly capacity: number;
}

export type TechniqueFactory = (view: TechniqueView) => DecodeTechnique;
