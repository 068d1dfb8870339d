import { describe, expect, it } from 'vitest';
import type { Target } from '../../workloads/catalog/target.ts';
import type { Parameter } from '../../workloads/run/parameter.ts';
import {
  commandLineOf,
  defaultsOf,
  type FormValues,
  isActive,
  problemOf,
  problemsOf,
  traceFormatOf,
} from './runForm.ts';

const rate: Parameter = {
  id: 'rate',
  label: 'Rate',
  group: 'traffic',
  help: '',
  kind: 'number',
  unit: 'req/s',
  min: 0.1,
  max: 50,
  default: 4,
};
const count: Parameter = {
  id: 'count',
  label: 'Count',
  group: 'cluster',
  help: '',
  kind: 'integer',
  unit: '',
  min: 1,
  max: 8,
  default: 2,
};
const shape: Parameter = {
  id: 'shape',
  label: 'Shape',
  group: 'traffic',
  help: '',
  kind: 'choice',
  choices: [
    { id: 'poisson', label: 'Poisson' },
    { id: 'bursty', label: 'Bursty' },
  ],
  default: 'poisson',
};
const burst: Parameter = { ...rate, id: 'burst', when: { parameter: 'shape', is: ['bursty'] } };
const target: Target = {
  id: 'ch0:toy',
  chapter: 'ch0',
  title: 'Toy',
  summary: '',
  lesson: '',
  variants: [],
  parameters: [rate, count, shape, burst],
  spec: () => {
    throw new Error('not needed here');
  },
};
const values = defaultsOf(target);

it('the defaults of a target are one object: a store selector that returns them must not change at every call', () => {
  expect(defaultsOf(target)).toBe(values);
});

describe('validation', () => {
  it.each([
    [rate, 4, null],
    [rate, 51, '0.1 to 50 req/s was expected'],
    [rate, 'x', 'a number was expected, 0.1 to 50 req/s'],
    [count, 2.5, 'a whole number was expected, 1 to 8'],
    [shape, 'square', 'one of poisson, bursty was expected'],
  ] as const)('%o of %s: %s', (parameter, value, problem) => {
    expect(problemOf(parameter, value)).toBe(problem);
  });

  it('asks nothing of a parameter whose condition does not hold', () => {
    const wrong = { ...values, parameters: { ...values.parameters, burst: 999 } };
    expect(isActive(burst, wrong.parameters)).toBe(false);
    expect(problemsOf(target, wrong)).toEqual({});
    expect(
      problemsOf(target, { ...wrong, parameters: { ...wrong.parameters, shape: 'bursty' } }),
    ).toHaveProperty('burst');
  });
});

describe('commandLineOf', () => {
  it('says only what differs from the defaults', () => {
    expect(commandLineOf(target, undefined, values)).toBe('npm run -s dyno -- bench ch0:toy --engine sim');
  });

  it('says the seed where it is not the command line’s own', () => {
    expect(commandLineOf(target, undefined, { ...values, seed: 1 })).toContain('--seed 1');
  });

  it('quotes what a shell would split', () => {
    const changed = {
      ...values,
      parameters: { ...values.parameters, count: 3 },
      trace: { path: "/data/it's here.jsonl", format: 'mooncake' as const, speedup: 1 },
      seed: 7,
    };
    expect(commandLineOf(target, 'baseline', changed)).toBe(
      "npm run -s dyno -- run ch0:toy --variant baseline --engine sim --trace '/data/it'\\''s here.jsonl' --set count=3 --seed 7",
    );
  });
});

it('knows a trace by its ending', () => {
  expect(traceFormatOf('/a/B.CSV')).toBe('azure');
  expect(traceFormatOf('/a/b.jsonl')).toBe('mooncake');
});

describe('servers of engine http', () => {
  const server = {
    url: 'http://a:8000',
    role: 'mixed',
    name: '',
    model: '',
    kvEvents: '',
    keyEnv: '',
  } as const;
  const on = (...servers: object[]): FormValues => ({
    ...values,
    engine: 'http',
    servers: servers.map((more) => ({ ...server, ...more })),
  });

  it('are expected, well named and each with a name of its own', () => {
    expect(problemsOf(target, values)).toEqual({});
    expect(problemsOf(target, on())['servers']).toBe('at least one server was expected');
    expect(problemsOf(target, on({ url: 'nowhere' }))['servers']).toContain('"nowhere" is no URL');
    expect(problemsOf(target, on({ name: 'a' }, { name: 'a' }))['servers']).toContain(
      'two servers are named a',
    );
    expect(problemsOf(target, on({ kvEvents: 'x' }))['servers']).toContain('kv-events=x');
    expect(problemsOf(target, on({}, { role: 'decode' }))).toEqual({});
  });

  it('are words of the command line', () => {
    const line = commandLineOf(
      target,
      'baseline',
      on({ name: 'b', model: 'm m', keyEnv: 'KEY' }, { role: 'prefill' }),
    );
    expect(line).toContain("--engine http --server 'http://a:8000,name=b,model=m m,key-env=KEY'");
    expect(line).toContain('--server http://a:8000,role=prefill');
  });
});
