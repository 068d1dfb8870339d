import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../../workloads/run/inputError.ts';
import { whatFile } from './whatFile.ts';

const folder = mkdtempSync(join(tmpdir(), 'dyno-what-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const written = (name: string, contents: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, contents);
  return path;
};
const whatOf = (name: string, contents: string | Uint8Array): string => {
  try {
    return whatFile(written(name, contents)).kind;
  } catch (thrown) {
    if (thrown instanceof InputError) return thrown.message.replace(`${folder}/`, '');
    throw thrown;
  }
};

const trace = '{"timestamp": 0, "input_length": 600, "output_length": 1}\n';

describe('what a file is, whatever its name', () => {
  it.each([
    ['a.txt', trace, 'trace'],
    ['b.bin', gzipSync(trace), 'trace'],
    [
      'c.log',
      '==PROF== Connected\n"ID","Process ID","Kernel Name","a.sum"\n"","","","byte"\n"0","1","k","5"\n',
      'counters',
    ],
    ['d.json', '{"schemaVersion": 1, "traceEvents": []}', 'timeline'],
    ['e.json', '[{"name": "a", "ph": "X", "ts": 1, "dur": 1, "pid": 1, "tid": 1}]', 'timeline'],
    ['f', 'SQLite format 3\0 and more', 'timeline'],
    ['g', 'NVR\0 and more', 'counters'],
    ['h.json', '{\n "architectures": ["LlamaForCausalLM"],\n "model_type": "llama"\n}', 'model'],
    ['i.json', '{"schema": 2, "target": "a:b", "variant": "v", "engine": "sim"}', 'spec'],
    ['j.json', '{"duration": 1, "completed": 3, "total_input_tokens": 5, "request_throughput": 3}', 'result'],
  ])('%s', (name, contents, kind) => {
    expect(whatOf(name, contents)).toBe(kind);
  });

  it.each([
    [
      'p.pftrace',
      Buffer.from([0x0a, 0x05, 0x08, 0x01, 0x10, 0x02, 0x18]),
      'p.pftrace: a Perfetto trace (protocol buffers)',
    ],
    ['q.csv', 'Type,Time(%),Time,Calls,Avg,Min,Max,Name\n', 'q.csv: the summary of nvprof'],
    [
      'r.csv',
      '"Name","Calls","TotalDurationNs","AverageNs","Percentage"\n',
      'r.csv: a table of rocprof (AMD)',
    ],
    ['s.bin', Buffer.from([1, 2, 3, 4]), 's.bin: a binary file of a kind that is not known'],
    ['t.zip', 'PK\x03\x04', 't.zip: a zip archive, expected plain text, .gz or .zst; unpack it with unzip'],
    ['u.txt', 'hello there\n', 'u.txt:1: another kind of text, expected a trace of requests'],
    ['v.json', '{"a": 1}', 'v.json:1: the keys a, expected a trace of requests'],
    ['w.json', '', 'w.json: the file is empty'],
  ])('%s is named', (name, contents, message) => {
    expect(whatOf(name, contents)).toContain(message);
  });

  it('any bytes end in a kind or an InputError', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          whatOf('any', bytes);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe.skipIf(process.platform === 'win32')('what is no file', () => {
  it('a device is refused', () => {
    expect(() => whatFile('/dev/zero')).toThrow('/dev/zero: it is a device, expected a trace');
  });

  it('a pipe is refused before it is opened: it would wait for its writer, and cannot be read twice', () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    expect(() => whatFile(path)).toThrow(`${path}: it is a pipe or a socket, expected a trace`);
  });

  it('a file that unpacks into gigabytes is looked at no further than its head', () => {
    // 4 GiB of zeros in Zstandard: a block of 128 KiB that repeats one byte takes four bytes.
    const block = [0x02, 0x00, 0x10, 0x00];
    const bomb = Buffer.concat([
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]),
      Buffer.alloc(4 * 32_768, Buffer.from(block)),
    ]);
    const before = process.memoryUsage().rss;
    expect(whatOf('bomb.zst', bomb)).toContain('bomb.zst: a binary file');
    expect(whatOf('bomb.gz', gzipSync(gzipSync(Buffer.alloc(64 * 2 ** 20))))).toContain('bomb.gz');
    expect(process.memoryUsage().rss - before).toBeLessThan(512 * 2 ** 20);
  });
});

const data = process.env['DYNO_DATA'] ?? '';
const cases = join(data, 'cases');
describe.skipIf(data === '' || !existsSync(cases))('the files people have (needs DYNO_DATA)', () => {
  it.each([
    ['ncu/details-page.csv', 'counters'],
    ['ncu/powershell-utf16le.csv', 'counters'],
    ['ncu/ncu-print-summary.csv', 'counters'],
    ['nsys/wal.sqlite', 'timeline'],
    ['traces/multimodal.csv.gz', 'trace'],
    ['traces/vidur.csv', 'trace'],
    ['models/DeepSeek-V3/config.json', 'model'],
    ['results/vllm-bench-serve.json', 'result'],
    ['results/profile_export.jsonl', 'result'],
  ])('%s', (file, kind) => {
    expect(whatFile(join(cases, file)).kind).toBe(kind);
  });
});
