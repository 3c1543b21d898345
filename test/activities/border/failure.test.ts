import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApplicationFailure, DefaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { toFailure } from '../../../activities/border/failure.ts';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { inabilityOf } from '../../../workflows/verdict/inability.ts';
import { REASON_OUTCOME, type ReasonCode } from '../../../workflows/verdict/reason.ts';

/** What the worker's log is told. */
interface Told {
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Makes a failure inside an activity, with the log of that activity. */
async function failureOf(error: unknown): Promise<{ readonly failure: ApplicationFailure; readonly log: Told[] }> {
  const log: Told[] = [];
  const write = (_level: string, message: string, fields: object = {}) => {
    log.push({ message, fields: { ...fields } });
  };
  const level = (name: string) => (message: string, fields?: object) => write(name, message, fields);
  const logger = {
    log: write,
    ...{ trace: level('TRACE'), debug: level('DEBUG'), info: level('INFO') },
    ...{ warn: level('WARN'), error: level('ERROR') },
  };
  const environment = new MockActivityEnvironment({}, { logger });
  const failure: ApplicationFailure = await environment.run(async () => toFailure(error));
  return { failure, log: log.filter(({ message }) => message === 'a bug') };
}

describe('toFailure', () => {
  const table: readonly [string, EvidenceError, { nonRetryable: boolean; nextRetryDelay: number | undefined }][] = [
    [
      'may pass',
      new EvidenceError('REGISTRY_ERROR', 'got 503', { retryable: true }),
      { nonRetryable: false, nextRetryDelay: undefined },
    ],
    [
      'passes at a known time',
      new EvidenceError('REGISTRY_THROTTLED', 'got 429', { retryable: true, retryAfterMs: 7_000 }),
      { nonRetryable: false, nextRetryDelay: 7_000 },
    ],
    [
      'passes right now',
      new EvidenceError('REGISTRY_THROTTLED', 'got 429', { retryable: true, retryAfterMs: 0 }),
      { nonRetryable: false, nextRetryDelay: 0 },
    ],
    [
      'stays',
      new EvidenceError('POLICY_CHANGED', 'pull again', { retryable: false }),
      { nonRetryable: true, nextRetryDelay: undefined },
    ],
  ];
  for (const [what, error, { nonRetryable, nextRetryDelay }] of table) {
    it(`tells Temporal of an inability that ${what}`, async () => {
      const { failure, log } = await failureOf(error);
      assert.equal(failure.type, error.code);
      assert.equal(failure.message, error.message);
      assert.equal(failure.nonRetryable, nonRetryable);
      assert.equal(failure.nextRetryDelay, nextRetryDelay);
      assert.deepEqual(log, []);
    });
  }

  it('keeps every code on its way to the workflow', async () => {
    const codes = Object.keys(REASON_OUTCOME) as ReasonCode[]; // Object.keys forgets the type of its argument
    for (const code of codes) {
      const { failure } = await failureOf(new EvidenceError(code, 'why', { retryable: code.length % 2 === 0 }));
      const read = inabilityOf(failure, 'INTERNAL');
      assert.deepEqual(read, { code, sentence: 'why', retryable: code.length % 2 === 0 });
    }
  });

  it('carries neither cause nor stack to the server', async () => {
    const cause = new Error('connect to https://robot:hunter2@registry.example failed');
    const { failure } = await failureOf(
      new EvidenceError('REGISTRY_UNREACHABLE', 'no route', { retryable: true, cause }),
    );
    const proto = new DefaultFailureConverter().errorToFailure(failure, defaultPayloadConverter);
    assert.equal(proto.message, 'no route');
    assert.doesNotMatch(JSON.stringify(proto), /hunter2|\.ts|\.js|at /);
  });

  const bugs: readonly [string, unknown, RegExp][] = [
    ['an error', new TypeError('/etc/portcullis/secret is not iterable'), /\(TypeError\)/],
    [
      'a failure made elsewhere',
      ApplicationFailure.nonRetryable('hunter2', 'REGISTRY_ERROR'),
      /\(ApplicationFailure\)/,
    ],
    ['a text', 'secret hunter2', /\(string\)/],
    ['nothing', undefined, /\(undefined\)/],
  ];
  for (const [what, bug, kind] of bugs) {
    it(`calls ${what} a bug, and tells its text to the worker's log alone`, async () => {
      const { failure, log } = await failureOf(bug);
      assert.equal(failure.type, 'INTERNAL');
      assert.equal(failure.nonRetryable, true);
      assert.match(failure.message, kind);
      const proto = new DefaultFailureConverter().errorToFailure(failure, defaultPayloadConverter);
      assert.doesNotMatch(JSON.stringify(proto), /secret|hunter2|\/etc|\.ts/);
      assert.equal(log.length, 1);
      const text = bug instanceof Error ? bug.message : String(bug);
      assert.ok(String(log[0]?.fields['bug']).includes(text));
    });
  }
});
