import type { PromptTokens } from '../../traffic/promptTokens.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import type { Tokens } from '../../units.ts';

/** Token ids of every request: prompts from the traffic, answers as the device gave them. */
export class Sequences {
  private readonly traffic: Traffic;
  private readonly prompts: PromptTokens;
  private readonly answers: (Int32Array | undefined)[] = [];

  constructor(traffic: Traffic, prompts: PromptTokens) {
    this.traffic = traffic;
    this.prompts = prompts;
  }

  /** Tokens from .. from + count − 1 of prompt and answer together, into `into` at `at`. */
  write(r: number, from: Tokens, count: Tokens, into: Int32Array, at: number): void {
    const prompt = this.traffic.promptTokens[r] ?? 0;
    const ofPrompt = Math.max(0, Math.min(count, prompt - from));
    if (ofPrompt > 0) this.prompts.write(r, from, ofPrompt, into, at);
    const answer = this.answers[r];
    for (let i = ofPrompt; i < count; i++) into[at + i] = answer?.[from + i - prompt] ?? 0;
  }

  /** The token after `length` tokens of prompt and answer. One that was given before stays: it was handed out. */
  give(r: number, length: Tokens, token: number): void {
    const n = this.traffic.outputTokens[r] ?? 0;
    const answer = this.answers[r] ?? new Int32Array(n).fill(-1);
    this.answers[r] = answer;
    const at = length - (this.traffic.promptTokens[r] ?? 0);
    if (at >= 0 && at < n && answer[at] === -1) answer[at] = token;
  }

  /** The answer so far; −1 where no token was given yet. */
  answer(r: number): Int32Array | undefined {
    return this.answers[r];
  }
}

/** 31 bits over an answer's tokens (FNV-1a): equal answers have equal hashes. */
export function answerHash(tokens: ArrayLike<number>): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < tokens.length; i++) hash = Math.imul(hash ^ (tokens[i] ?? 0), 0x01000193);
  return (hash >>> 0) & 0x7fffffff;
}
