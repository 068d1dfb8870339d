import { absentInt32 } from '../../run/tables.ts';
import type { ClientColumns } from '../../serving/clientColumns.ts';
import type { Ns } from '../../units.ts';
import type { RequestRecords } from './requestRecords.ts';

/** What the client's records say of each request; the last row of a request that was sent more than once counts. */
export class RecordColumns implements ClientColumns {
  private readonly records: RequestRecords;
  private readonly rowOf: Int32Array;
  private readonly originNs: Ns;

  constructor(records: RequestRecords, requests: number, originNs: Ns) {
    this.records = records;
    this.rowOf = new Int32Array(requests).fill(-1);
    this.originNs = originNs;
  }

  sent(r: number, row: number): void {
    this.rowOf[r] = row;
  }

  write(
    r: number,
    first: number,
    number: (column: number, value: number) => void,
    text: (column: number, value: string) => void,
  ): void {
    const { records, originNs } = this;
    const row = this.rowOf[r] ?? -1;
    let column = first;
    const times = [records.due, records.started, records.connected, records.sent, records.headers];
    for (const times_ of [
      ...times,
      records.firstEvent,
      records.firstContent,
      records.lastToken,
      records.ended,
    ])
      number(column++, (times_[row] ?? Number.NaN) - originNs);
    const whole = (value: number | undefined): number =>
      value === undefined || Number.isNaN(value) ? absentInt32 : value;
    number(column++, row < 0 ? absentInt32 : whole(records.status[row]) || absentInt32);
    number(column++, whole(records.promptTokens[row]));
    number(column++, whole(records.completionTokens[row]));
    number(column++, whole(records.events[row]));
    number(column++, whole(records.connectionRetries[row]));
    const notes = records.notes.get(row);
    number(column++, notes?.serverTimes?.queue ?? Number.NaN);
    number(column++, notes?.serverTimes?.ttft ?? Number.NaN);
    number(column++, notes?.serverTimes?.generation ?? Number.NaN);
    number(column++, notes?.retryAfter ?? Number.NaN);
    text(column++, notes?.requestId ?? '');
    text(column++, notes?.finishReason ?? '');
    text(column++, row < 0 ? '' : records.tokenRuleOf(row));
    text(column++, notes?.failure ?? '');
  }
}
