import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type DecisionLine, isAbout, parseDecisionLine } from '../../shim/log/decision-lines.ts';
import { createLog } from '../../shim/log/log.ts';
import { digestOf } from '../support/verdicts.ts';

const dir = mkdtempSync(join(tmpdir(), 'portcullis-why-'));
after(() => rmSync(dir, { recursive: true }));
const PROGRAM = fileURLToPath(new URL('../../infra/portcullis.ts', import.meta.url));
const [A, B] = [digestOf('aa'), digestOf('bb')];

function lineOf(changes: Readonly<Record<string, string>> = {}): string {
  let written = '';
  const log = createLog((line) => {
    written += line;
  });
  const fields = { name: 'docker.io/library/nginx:1.27', digest: A, decision: 'deny', decisionId: '0123456789abc' };
  log.warn('decision', { ...fields, reason: 'UNSIGNED: no signature', front: 'launcher', durationMs: 7, ...changes });
  return written.trimEnd();
}

function why(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, 'why', ...args], (error, stdout) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout });
    });
  });
}

describe('a line of the log', () => {
  it('is read back as the decision that it tells', () => {
    const { time, ...decision } = parseDecisionLine(lineOf()) ?? {};
    assert.match(String(time), /^20\d\d-/);
    assert.deepEqual(decision, {
      ...{ name: 'docker.io/library/nginx:1.27', digest: A, decision: 'deny' },
      ...{ reason: 'UNSIGNED: no signature', decisionId: '0123456789abc' },
    });
  });

  const others = [
    '',
    'garbage',
    '{"message":"decision"',
    '{"message":"decision"}',
    '[{"message":"decision"}]',
    lineOf({ decision: 'perhaps' }),
    lineOf({ decision: '__proto__' }),
    lineOf().replace('"message":"decision"', '"message":"ready","x":{"message":"decision"}'),
    lineOf({ reason: 'x'.repeat(70_000) }),
    lineOf().slice(0, -20),
  ];
  for (const line of others) {
    it(`is no decision when it is ${JSON.stringify(line.slice(0, 40))} (${line.length})`, () => {
      assert.equal(parseDecisionLine(line), undefined);
    });
  }
});

describe('what somebody types', () => {
  const decision = parseDecisionLine(lineOf()) as DecisionLine; // shown above to be one
  for (const [asked, expected] of [
    ['nginx', true],
    ['nginx:1.27', true],
    ['library/nginx:1.27', true],
    ['docker.io/library/nginx', true],
    [`nginx@${A}`, true],
    [`nginx@${B}`, false],
    [A, true],
    [A.slice(0, 20), true],
    ['aaaaaaaa', true],
    ['bbbbbbbb', false],
    ['0123456789abc', true],
    ['NGINX', false],
    ['INDEX.docker.io:443/nginx:1.27', true],
    ['registry-1.docker.io/library/nginx', true],
    ['quay.io/library/nginx', false],
    ['nginx:1.2', false],
    ['ngin', false],
    ['other/nginx', false],
    ['', false],
    ['.*', false],
  ] as const) {
    it(`${expected ? 'is' : 'is not'} about it: ${JSON.stringify(asked.slice(0, 30))}`, () => {
      assert.equal(isAbout(decision, asked), expected);
    });
  }
});

describe('a name with a tag and a digest', () => {
  it('is about a decision that lost the tag beside the digest, and about no other tag', () => {
    const named = (name: string) => parseDecisionLine(lineOf({ name })) ?? assert.fail();
    assert.equal(isAbout(named('docker.io/library/nginx'), `nginx:1.27@${A}`), true);
    assert.equal(isAbout(named('docker.io/library/nginx:1.27'), `nginx:1.27@${A}`), true);
    assert.equal(isAbout(named('docker.io/library/nginx:1.26'), `nginx:1.27@${A}`), false);
    assert.equal(isAbout(named('docker.io/library/nginx'), 'nginx:1.27'), false);
  });
});

describe('portcullis why', () => {
  const log = join(dir, 'shim.log');
  writeFileSync(
    log,
    [
      lineOf({ reason: 'UNSIGNED: the first' }),
      '\u0000garbage\u001b[2J',
      lineOf({ name: 'ghcr.io/a/app:v1', digest: B, decision: 'allow', reason: 'SIGNATURE_VERIFIED: by key' }),
      lineOf({ reason: 'UNSIGNED: \u001b[31mthe second' }),
      lineOf().slice(0, 50),
    ].join('\n'),
  );

  it('tells the newest first, in words that a terminal only shows, and what to ask next', async () => {
    const { code, stdout } = await why('nginx', '--log', log);
    assert.equal(code, 1);
    assert.match(
      stdout,
      /refused docker\.io\/library\/nginx:1\.27@sha256:a+\n {2}UNSIGNED: \\u\{1b\}\[31mthe second\n {2}more: portcullis explain 0123456789abc\n[^\n]+\n {2}UNSIGNED: the first\n/,
    );
    assert.ok(!stdout.includes('\u001b'));
  });

  it('answers by its exit code, and for machines', async () => {
    assert.equal((await why('ghcr.io/a/app', '--log', log)).code, 0);
    const none = await why('other', '--log', log);
    assert.deepEqual([none.code, /^no decision about other/.test(none.stdout)], [3, true]);
    const { code, stdout } = await why('nginx', '--log', log, '--limit', '1', '--output', 'json');
    assert.equal(code, 1);
    assert.partialDeepStrictEqual(JSON.parse(stdout), [{ decision: 'deny', digest: A }]);
    assert.equal((await why('nginx', '--log', join(dir, 'none'))).code, 3);
    assert.equal((await why('--log', log)).code, 2);
    assert.equal((await why('nginx', '--limit', '0', '--log', log)).code, 2);
  });
});
