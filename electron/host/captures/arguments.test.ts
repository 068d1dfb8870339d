import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { printable } from './commandLine.ts';
import { captureEnvironment } from './environment.ts';
import { ncuCommand, ncuCsvCommand } from './ncuArguments.ts';
import { nsysCommand } from './nsysArguments.ts';
import { findTool, isAtLeast, parseVersion, type ToolVersion } from './tools.ts';

const version = (text: string): ToolVersion => {
  const parsed = parseVersion(`version ${text}`);
  if (parsed === undefined) throw new Error(text);
  return parsed;
};
const nsys = (over: Partial<Parameters<typeof nsysCommand>[0]> = {}) =>
  nsysCommand({
    nsys: '/usr/bin/nsys',
    version: version('2026.4.1'),
    profile: 'minimal',
    output: '/runs/1/capture',
    command: ['node', 'runner.mjs', 'spec.json'],
    ...over,
  });
const ncu = (over: Partial<Parameters<typeof ncuCommand>[0]> = {}) =>
  ncuCommand({
    ncu: 'ncu',
    profile: 'roofline',
    output: '/runs/1/roof',
    command: ['node', 'runner.mjs'],
    ...over,
  });

describe('nsys', () => {
  it('minimal, as a whole', () => {
    expect(nsys().argv).toEqual([
      '/usr/bin/nsys',
      'profile',
      '--trace=cuda,nvtx',
      '--sample=none',
      '--cpuctxsw=none',
      '--force-overwrite=true',
      '--output=/runs/1/capture',
      '--cuda-graph-trace=graph',
      '--cuda-flush-interval=10000',
      '--kill=none',
      '--wait=primary',
      'node',
      'runner.mjs',
      'spec.json',
    ]);
    expect(nsys().report).toBe('/runs/1/capture.nsys-rep');
  });

  it('GPU metrics by the name that the version knows, and only where a GPU is named', () => {
    expect(nsys({ profile: 'deep_dive', gpus: [0, 1] }).argv).toContain('--gpu-metrics-devices=0,1');
    expect(nsys({ profile: 'deep_dive', gpus: [0], version: version('2022.4.2') }).argv).toContain(
      '--gpu-metrics-device=0',
    );
    expect(nsys({ profile: 'deep_dive' }).leftOut).toEqual(['GPU metrics: no GPU was named']);
    expect(nsys({ profile: 'minimal', gpus: [0] }).argv.join(' ')).not.toContain('gpu-metrics');
  });

  it('without a GPU: system calls and NVTX; a range needs unregistered names allowed', () => {
    const plain = nsys({ withoutCuda: true, range: 'decode@dyno' });
    expect(plain.argv).toContain('--trace=osrt,nvtx');
    expect(plain.argv.join(' ')).not.toContain('cuda');
    expect(plain.argv).toContain('--nvtx-capture=decode@dyno');
    expect(plain.environment).toEqual({ TMPDIR: '/runs/1', NSYS_NVTX_PROFILER_REGISTER_ONLY: '0' });
  });
});

describe('ncu', () => {
  it('roofline: the hierarchical set, bounded launches, clocks and caches stated', () => {
    const { argv, report } = ncu({ range: 'decode', kernels: 'gemm|attn', skip: 5 });
    const line = argv.join(' ');
    expect(line).toContain('--nvtx-include=decode/');
    expect(line).toContain('--kernel-name=regex:gemm|attn');
    expect(line).toContain('--launch-skip=5 --launch-count=40');
    expect(line).toContain('--clock-control=none --cache-control=all');
    expect(line).toMatch(/hgmma_src_bf16.*src_fp8.*tma_ld|tma_ld.*hgmma_src_bf16.*src_fp8/);
    expect(report).toBe('/runs/1/roof.ncu-rep');
  });

  it('each profile asks for more', () => {
    expect(ncu({ profile: 'minimal' }).argv.join(' ')).not.toContain('ffma');
    expect(ncu({ profile: 'deep_dive' }).argv).toContain('--set=detailed');
    expect(ncu({ profile: 'full' }).argv).toContain('--set=full');
    expect(ncuCsvCommand('ncu', 'a.ncu-rep')).toEqual([
      'ncu',
      '--import',
      'a.ncu-rep',
      '--csv',
      '--page',
      'raw',
      '--print-units',
      'base',
    ]);
  });
});

it('a printed command can be pasted: words that a shell would read are quoted', () => {
  expect(printable(['ncu', '--kernel-name=regex:a|b', "it's", 'plain-1.0'], { X: 'a b' })).toBe(
    `X='a b' ncu '--kernel-name=regex:a|b' 'it'\\''s' plain-1.0`,
  );
});

it('the environment lets through what a run needs and no secrets', () => {
  const from = {
    PATH: '/bin',
    HOME: '/root',
    AWS_SECRET_ACCESS_KEY: 'x',
    HF_TOKEN: 'y',
    CUDA_VISIBLE_DEVICES: '0',
  };
  expect(captureEnvironment(from, { DYNO_SPEC: 's' })).toEqual({
    PATH: '/bin',
    HOME: '/root',
    CUDA_VISIBLE_DEVICES: '0',
    DYNO_SPEC: 's',
  });
});

describe('finding tools', () => {
  let folder = '';
  const install = (path: string, text: string) => {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), `#!/bin/sh\necho '${text}'\n`);
    chmodSync(join(folder, path), 0o755);
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'dyno-tools-'));
    install('opt/2024.6.2/bin/nsys', 'NVIDIA Nsight Systems version 2024.6.2.225-246235244400v0');
    install('opt/2026.10.1/bin/nsys', 'NVIDIA Nsight Systems version 2026.10.1.1-1');
    install(
      'bin/ncu',
      'NVIDIA (R) Nsight Compute Command Line Profiler\nVersion 2025.3.1.0 (build 36398880) (public-release)',
    );
    install('odd/nsys', 'hello');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('on PATH, or the newest in the usual folders', async () => {
    expect(await findTool('ncu', { pathVariable: `/nowhere:${folder}/bin`, folders: [] })).toMatchObject({
      version: { major: 2025, minor: 3, patch: 1 },
    });
    const newest = await findTool('nsys', { pathVariable: '', folders: [`${folder}/opt/*/bin`] });
    expect(newest.path).toBe(`${folder}/opt/2026.10.1/bin/nsys`);
    expect(isAtLeast(newest.version, 2026, 4)).toBe(true);
  });

  it('a setting is used alone; what is not the tool is refused; nothing found says how to get it', async () => {
    await expect(findTool('nsys', { setting: `${folder}/no/nsys` })).rejects.toThrow('the settings name');
    await expect(findTool('nsys', { setting: `${folder}/odd/nsys` })).rejects.toThrow(
      'does not print a version',
    );
    await expect(findTool('ncu', { pathVariable: '', folders: [] })).rejects.toMatchObject({
      code: 'missing',
      hint: expect.stringContaining('install'),
    });
  });

  it('one that hangs is killed in its time', async () => {
    const path = join(folder, 'hangs');
    writeFileSync(path, '#!/bin/sh\nexec sleep 60\n');
    chmodSync(path, 0o755);
    const started = performance.now();
    await expect(findTool('nsys', { setting: path, timeoutMs: 300 })).rejects.toMatchObject({
      code: 'missing',
      message: expect.stringContaining('did not answer within 0.3 s'),
    });
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it.each([
    ['NVIDIA Nsight Systems version 2022.4.2.1-df9881f', '2022.4.2.1-df9881f'],
    ['Version 2025.3.1.0 (build 36398880)', '2025.3.1.0'],
    ['no version here', undefined],
  ])('%s', (text, expected) => {
    expect(parseVersion(text)?.text).toBe(expected);
  });
});
