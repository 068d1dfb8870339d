/**
 * The rules that viewers of Chrome's trace format hold a file to; ui.perfetto.dev drops what breaks them, in silence:
 * slices of one row nest and never cross, spans with one id are closed in the order in which they opened, arrows begin and end
 * inside slices, and no row is nested deeper than 512.
 */
export interface RuleEvent {
  readonly ph: string;
  readonly name?: string;
  readonly pid?: number;
  readonly tid?: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly id?: string | number;
  readonly cat?: string;
}

const mostDepth = 512;
/** µs with three decimals: a tenth of a ns is below what the writer prints. */
const tolerance = 0.0001;

/** Describes the faults of a trace in at most `most` lines; empty if it has none. */
export function brokenRules(events: readonly RuleEvent[], most = 20): string[] {
  const broken: string[] = [];
  const say = (line: string): void => {
    if (broken.length < most) broken.push(line);
  };
  const rows = new Map<string, RuleEvent[]>();
  const spans = new Map<string, RuleEvent[]>();
  const flows = new Map<string, { start?: RuleEvent; end?: RuleEvent }>();
  for (const event of events) {
    if (event.ph === 'M') continue;
    if (!Number.isFinite(event.ts)) say(`${event.ph} ${event.name}: time ${event.ts}`);
    if (event.ph === 'X') {
      if (!(Number.isFinite(event.dur) && (event.dur ?? -1) >= 0))
        say(`${event.name}: duration ${event.dur}`);
      const key = `${event.pid}/${event.tid}`;
      const list = rows.get(key) ?? [];
      rows.set(key, list);
      list.push(event);
    } else if (event.ph === 'b' || event.ph === 'e') {
      const key = `${event.pid}/${event.cat}/${event.id}`;
      const list = spans.get(key) ?? [];
      spans.set(key, list);
      list.push(event);
    } else if (event.ph === 's' || event.ph === 'f') {
      const flow = flows.get(String(event.id)) ?? {};
      flows.set(String(event.id), flow);
      if (event.ph === 's') flow.start = event;
      else flow.end = event;
    }
  }
  for (const [row, slices] of rows) {
    const order = slices.toSorted((a, b) => (a.ts ?? 0) - (b.ts ?? 0) || (b.dur ?? 0) - (a.dur ?? 0));
    const open: number[] = [];
    for (const { ts = 0, dur = 0, name } of order) {
      while (open.length > 0 && (open.at(-1) ?? 0) <= ts + tolerance) open.pop();
      const outer = open.at(-1);
      if (outer !== undefined && ts + dur > outer + tolerance)
        say(`row ${row}: ${name} at ${ts} ends at ${ts + dur}, behind the slice around it (${outer})`);
      open.push(ts + dur);
      if (open.length > mostDepth) say(`row ${row}: ${open.length} slices deep at ${ts}`);
    }
  }
  for (const [id, list] of spans) {
    const open: RuleEvent[] = [];
    for (const event of list.toSorted((a, b) => (a.ts ?? 0) - (b.ts ?? 0))) {
      if (event.ph === 'b') {
        open.push(event);
        continue;
      }
      const last = open.pop();
      if (last === undefined || last.name !== event.name)
        say(`span ${id}: ${event.name} ends at ${event.ts} while ${last?.name ?? 'nothing'} is open`);
    }
    if (open.length > 0) say(`span ${id}: ${open.at(-1)?.name} never ends`);
  }
  for (const [id, { start, end }] of flows) {
    if (start === undefined || end === undefined) {
      say(`arrow ${id}: ${start === undefined ? 'no start' : 'no end'}`);
      continue;
    }
    for (const event of [start, end]) {
      const row = rows.get(`${event.pid}/${event.tid}`) ?? [];
      const at = event.ts ?? 0;
      if (!row.some(({ ts = 0, dur = 0 }) => ts - tolerance <= at && at <= ts + dur + tolerance))
        say(`arrow ${id}: ${event.ph} at ${at} lies in no slice`);
    }
  }
  return broken;
}
