import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CaptureError } from '../captureError.ts';
import { type CaptureOptions, runCapture } from './captureJob.ts';
import { LineSplitter, parseProgress, type ToolProgress } from './progress.ts';
import { countersRestricted, recogniseRefusal } from './refusals.ts';
import { runTool } from './runTool.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dyno-job-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('progress', () => {
  it.each<[string, ToolProgress | undefined]>([
    [
      '==PROF== Profiling "saxpy" - 1: 0%....50%',
      { phase: 'profiling', kernel: 'saxpy', launch: 1, done: 0.5 },
    ],
    [
      '==PROF== Profiling "saxpy" - 0 (3/40): 0%....50%....100% - 17 passes',
      { phase: 'profiling', kernel: 'saxpy', launch: 3, done: 1, passes: 17 },
    ],
    [
      '==PROF== Profiling "a "quoted" name": 0%....100% - 1 pass',
      { phase: 'profiling', kernel: 'a "quoted" name', launch: 0, done: 1, passes: 1 },
    ],
    ['==PROF== Connected to process 589 (/tmp/node)', { phase: 'recording' }],
    ['==PROF== Report: /tmp/roof.ncu-rep', { phase: 'report', path: '/tmp/roof.ncu-rep' }],
    ["Generating '/tmp/nsys-report-51b5.qdstrm'", { phase: 'processing' }],
    ['[1/1] [=======37%                  ] r.nsys-rep', { phase: 'processing', done: 0.37 }],
    ['Exporting 278 events: [==8%    ', { phase: 'processing', done: 0.08 }],
    ['    /tmp/cap/r.nsys-rep', { phase: 'report', path: '/tmp/cap/r.nsys-rep' }],
    ['tokens/s 37%', undefined],
    ['', undefined],
  ])('%s', (line, expected) => {
    expect(parseProgress(line)).toEqual(expected);
  });

  it('splits lines at carriage returns, and shows an unfinished one as it grows', () => {
    const seen: string[] = [];
    const splitter = new LineSplitter();
    const line = (text: string, whole: boolean) => seen.push(`${text}${whole ? '|' : '…'}`);
    splitter.push('a\rb', line);
    splitter.push('c\r\nd', line);
    splitter.end(line);
    expect(seen).toEqual(['a|', 'b…', 'bc|', 'd…', 'd|']);
  });
});

describe('refusals', () => {
  it('knows a refused counter and says how to allow it', () => {
    const refusal = recogniseRefusal(
      'hello\n==ERROR== ERR_NVGPUCTRPERM - The user does not have permission to access NVIDIA GPU Performance Counters on the target device 0.\n',
    );
    expect(refusal?.code).toBe('missing');
    expect(refusal?.hint).toContain('NVreg_RestrictProfilingToAdminUsers=0');
    expect(refusal?.detail).toContain('==ERROR==');
  });

  it.each([
    ['==ERROR== Profiling failed because a driver resource was unavailable.', 'another program holds'],
    ['==WARNING== No kernels were profiled.', 'no kernel was profiled'],
    ['unrecognised option --gpu-metrics-devices', 'does not know one of the options'],
    ['==ERROR== Failed to find metric sm__ops_path_tensor_src_fp8.sum', 'a metric does not exist'],
  ])('%s', (line, message) => {
    expect(recogniseRefusal(line)?.message).toContain(message);
  });

  it('reads the driver parameters', () => {
    expect(countersRestricted('Foo: 1\nRmProfilingAdminOnly: 1\n')).toBe(true);
    expect(countersRestricted('RmProfilingAdminOnly: 0')).toBe(false);
    expect(countersRestricted('')).toBeUndefined();
  });
});

/** A made-up tool: a node script that plays a profiler. */
function tool(name: string, script: string, over: Partial<CaptureOptions> = {}): CaptureOptions {
  const own = join(folder, name);
  const path = join(folder, `${name}.cjs`);
  const report = join(own, 'out.ncu-rep');
  writeFileSync(path, `const fs = require('node:fs'); const report = ${JSON.stringify(report)};\n${script}`);
  return {
    command: { argv: [process.execPath, path], environment: {}, leftOut: [], report },
    environment: { PATH: process.env['PATH'] ?? '' },
    folder: own,
    limitMs: 10_000,
    ladder: [
      { signal: 'SIGINT', patienceMs: 400 },
      { signal: 'SIGTERM', patienceMs: 400 },
      { signal: 'SIGKILL', patienceMs: 2_000 },
    ],
    ...over,
  };
}

/** Resolves with the error that a capture ended in. */
const failure = (options: CaptureOptions): Promise<CaptureError> =>
  runCapture(options).then(
    () => Promise.reject(new Error('expected a failure')),
    (error: unknown) => (error instanceof CaptureError ? error : Promise.reject(error)),
  );

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('the capture job', () => {
  it('runs, tells progress, keeps the log, finds the report', async () => {
    const progress: ToolProgress[] = [];
    const result = await runCapture(
      tool(
        'good',
        `console.log('==PROF== Connected to process 1 (x)');
         process.stdout.write('==PROF== Profiling "k" - 0 (1/2): 0%..'); 
         setTimeout(() => { process.stdout.write('100% - 4 passes\\n'); fs.writeFileSync(report, 'r'); console.log('==PROF== Report: ' + report); }, 30);`,
        { onProgress: (one) => progress.push(one) },
      ),
    );
    expect(result.state).toBe('done');
    expect(readFileSync(result.report, 'utf8')).toBe('r');
    expect(progress[0]).toEqual({ phase: 'recording' });
    expect(progress.at(-2)).toEqual({ phase: 'profiling', kernel: 'k', launch: 1, done: 1, passes: 4 });
    const log = readFileSync(result.log, 'utf8');
    expect(log.startsWith(`$ ${process.execPath}`)).toBe(true);
    expect(log).toContain('4 passes');
  });

  it('a cancel stops politely and keeps what was recorded', async () => {
    const controller = new AbortController();
    const options = tool(
      'cancel',
      `fs.writeFileSync(report, 'partial'); process.on('SIGINT', () => process.exit(0)); console.log('ready'); setInterval(() => {}, 1000);`,
      { signal: controller.signal, onLine: () => controller.abort() },
    );
    const error = await failure(options);
    expect(error.code).toBe('cancelled');
    expect(error.message).toContain('what was recorded is in');
    expect(readFileSync(options.command.report, 'utf8')).toBe('partial');
  });

  it('a tool that ignores SIGINT and SIGTERM is killed, with everything it started', async () => {
    const controller = new AbortController();
    let grandchild = 0;
    const error = await failure(
      tool(
        'stubborn',
        `for (const s of ['SIGINT', 'SIGTERM']) process.on(s, () => {});
         const child = require('node:child_process').spawn(process.execPath, ['-e', "for (const s of ['SIGINT','SIGTERM']) process.on(s,()=>{}); setInterval(()=>{},1000)"], { stdio: 'inherit' });
         console.log('child ' + child.pid); setInterval(() => {}, 1000);`,
        {
          signal: controller.signal,
          onLine: (line) => {
            grandchild = Number(/child (\d+)/.exec(line)?.[1]);
            controller.abort();
          },
        },
      ),
    );
    expect(error.code).toBe('cancelled');
    expect(grandchild).toBeGreaterThan(0);
    // The kernel may still be reaping it.
    for (let i = 0; i < 100 && isAlive(grandchild); i += 1)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isAlive(grandchild)).toBe(false);
  });

  it('what a tool puts into a session of its own goes too, as nsys does with its agent', async () => {
    let agent = 0;
    const error = await failure(
      tool(
        'daemon',
        `const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(()=>{},1000)'], { detached: true, stdio: 'ignore' });
         child.unref(); console.log('agent ' + child.pid);`,
        {
          onLine: (line) => {
            agent = Number(/agent (\d+)/.exec(line)?.[1]);
          },
        },
      ),
    );
    expect(error.message).toContain('left no report');
    expect(agent).toBeGreaterThan(0);
    for (let i = 0; i < 100 && isAlive(agent); i += 1)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isAlive(agent)).toBe(false);
  });

  it('the limit stops a capture, and its report counts', async () => {
    const result = await runCapture(
      tool(
        'limit',
        `process.on('SIGINT', () => { fs.writeFileSync(report, 'r'); process.exit(0); }); setInterval(() => {}, 1000);`,
        {
          limitMs: 300,
        },
      ),
    );
    expect(result.state).toBe('stopped_at_limit');
  });

  it('a refusal, a crash, a missing program: each in one line', async () => {
    const refused = await failure(
      tool(
        'refused',
        `console.error('==ERROR== ERR_NVGPUCTRPERM - The user does not have permission'); process.exit(1);`,
      ),
    );
    expect(refused.code).toBe('missing');
    expect(refused.message).toContain('ERR_NVGPUCTRPERM');
    const crashed = await failure(tool('crashed', `console.error('boom'); process.exit(3);`));
    expect(crashed.message).toContain('exit status 3 and left no report');
    expect(crashed.detail).toContain('boom');
    const nowhere = tool('nowhere', '');
    const absent = await failure({
      ...nowhere,
      command: { ...nowhere.command, argv: ['/no/such/ncu', '--version'] },
    });
    expect(absent.code).toBe('missing');
    expect(absent.message).toContain('could not be started');
  });

  it('no shell reads the arguments, and no variable is inherited unasked', async () => {
    const options = tool(
      'plain',
      `fs.writeFileSync(report, JSON.stringify([process.argv.slice(2), Object.keys(process.env).sort()]));`,
    );
    const tricky = ['; rm -rf /', '$(id)', '"quoted" \'x\''];
    const result = await runCapture({
      ...options,
      environment: { A: '1' },
      command: { ...options.command, argv: [...options.command.argv, ...tricky] },
    });
    expect(JSON.parse(readFileSync(result.report, 'utf8'))).toEqual([tricky, ['A', 'DYNO_CAPTURE_MARK']]);
    expect(result.commandLine).toContain(`'; rm -rf /' '$(id)' '"quoted" '\\''x'\\'''`);
  });
});

describe('a converter', () => {
  const run = (script: string, over: { readonly limitMs?: number; readonly signal?: AbortSignal } = {}) => {
    let output = '';
    return runTool([process.execPath, '-e', script], {
      environment: {},
      limitMs: 10_000,
      onOutput: (chunk) => {
        output += chunk;
      },
      ...over,
    }).then(() => output);
  };

  it('hands out its output, its failure, its hanging', async () => {
    expect(await run(`process.stdout.write('a'.repeat(300000))`)).toHaveLength(300_000);
    await expect(run(`console.error('bad file'); process.exit(2)`)).rejects.toMatchObject({
      message: expect.stringContaining('exit status 2'),
      detail: 'bad file',
    });
    await expect(run('setInterval(()=>{},1000)', { limitMs: 200 })).rejects.toThrow('took longer than 0.2 s');
    await expect(run('setInterval(()=>{},1000)', { signal: AbortSignal.timeout(100) })).rejects.toMatchObject(
      { code: 'cancelled' },
    );
  });
});
