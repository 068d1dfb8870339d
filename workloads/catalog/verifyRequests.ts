import type { Verification } from './target.ts';

/** The columns of a `requests` table that tie two variants together; all replicates, rows in any order. */
export interface RequestColumns {
  readonly rows: number;
  readonly iteration: ArrayLike<number>;
  readonly request: ArrayLike<number>;
  readonly status: ArrayLike<string>;
  readonly prompt_tokens: ArrayLike<number>;
  readonly output_tokens: ArrayLike<number>;
  /** Hash of each answer's tokens, NaN where there is none; absent where answers have lengths only. */
  readonly answer_hash?: ArrayLike<number>;
}

const known = new Set(['completed', 'rejected', 'unfinished']);

/**
 * Two variants served the same requests: each (replicate, request) has exactly one row in both tables, with equal prompt and
 * output lengths, and ended in one of the known ways, so that completed + rejected + unfinished = arrived. Exact, over all rows. Where a
 * device computed the answers, their tokens are compared too.
 */
export function verifyRequests(a: RequestColumns, b: RequestColumns): Verification {
  const method = (n: number): string =>
    `every request of both variants compared by replicate and index: one row each, equal prompt and output tokens, admitted + rejected = arrived; ${n} requests, exact`;
  const failed = (n: number, detail: string): Verification => ({
    status: 'failed',
    method: method(n),
    detail,
  });
  const compared = Math.max(a.rows, b.rows);
  if (a.rows === 0 && b.rows === 0) {
    return { status: 'not_applicable', method: 'neither variant wrote request rows' };
  }
  const rowOf = new Map<number, number>();
  const key = (table: RequestColumns, row: number): number =>
    (table.iteration[row] ?? 0) * 4294967296 + (table.request[row] ?? 0);
  const where = (table: RequestColumns, row: number): string =>
    `request ${table.request[row]} of replicate ${table.iteration[row]}`;
  for (let row = 0; row < a.rows; row++) {
    const k = key(a, row);
    if (rowOf.has(k)) return failed(compared, `${where(a, row)} has two rows in the first variant`);
    if (!known.has(a.status[row] ?? '')) {
      return failed(compared, `${where(a, row)} ended as "${a.status[row]}"`);
    }
    rowOf.set(k, row);
  }
  let unfinished = 0;
  let answered = 0;
  let unlike = 0;
  for (let row = 0; row < b.rows; row++) {
    const k = key(b, row);
    const other = rowOf.get(k);
    if (other === undefined) {
      return failed(compared, `${where(b, row)} is missing, or appears twice, in one of the variants`);
    }
    rowOf.delete(k);
    if (!known.has(b.status[row] ?? '')) {
      return failed(compared, `${where(b, row)} ended as "${b.status[row]}"`);
    }
    for (const column of ['prompt_tokens', 'output_tokens'] as const) {
      if (a[column][other] !== b[column][row]) {
        return failed(
          compared,
          `${where(b, row)}: ${column} ${a[column][other]} in the first variant, ${b[column][row]} in the second`,
        );
      }
    }
    const [first, second] = [a.answer_hash?.[other], b.answer_hash?.[row]];
    if (first !== undefined && second !== undefined && first >= 0 && second >= 0) {
      answered++;
      if (first !== second) unlike++;
    }
    if (a.status[other] === 'unfinished' || b.status[row] === 'unfinished') unfinished++;
  }
  if (rowOf.size > 0) {
    return failed(compared, `${rowOf.size} requests of the first variant are missing in the second`);
  }
  const details = [
    ...(unfinished > 0 ? [`${unfinished} requests were unfinished in a variant when its run ended`] : []),
    ...(answered > 0 ? [answersDetail(answered, unlike)] : []),
  ];
  const compares =
    answered > 0 ? `${method(compared)}; tokens of ${answered} answers by their hash` : method(compared);
  // Equal prompts through equal weights: where every answer differs, something is wrong.
  if (answered > 1 && unlike === answered)
    return { status: 'failed', method: compares, detail: details.join('; ') };
  return {
    status: 'passed',
    method: compares,
    ...(details.length > 0 ? { detail: details.join('; ') } : {}),
  };
}

/** Greedy answers may part where two tokens are nearly as likely: a batch of another size sums in another order. */
function answersDetail(answered: number, unlike: number): string {
  if (unlike === 0) return `all ${answered} answers are the same, token by token`;
  const share = ((100 * unlike) / answered).toFixed(1);
  return `${unlike} of ${answered} answers (${share} %) differ in some token: passes of another size round BF16 sums in another order, and the most likely token changes where two are close`;
}
