import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { explainedCodes, findInLine, parsePage, similar } from '../../shim/cli/reason-pages.ts';
import { REASON_OUTCOME } from '../../workflows/verdict/reason.ts';

const PROGRAM = new URL('../../infra/portcullis.ts', import.meta.url).pathname;
const LAUNCHER = readFileSync(new URL('../../shim/launcher/portcullis-verifier.c', import.meta.url), 'utf8');

const codes = explainedCodes();

/** Without a Temporal: nobody listens at port 1. */
function explain(...args: readonly string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, TEMPORAL_ADDRESS: '127.0.0.1:1' };
    execFile(process.execPath, [PROGRAM, 'explain', ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
}

describe('the pages that explain codes', () => {
  it('have every reason, and every word of the launcher, each with cause and cure, and no others', () => {
    const launcher = [...LAUNCHER.matchAll(/refuse\("([A-Z_]+): /g)].map(([, code = '']) => code);
    assert.ok(launcher.length > 5);
    const wanted = new Set([...Object.keys(REASON_OUTCOME), ...launcher]);
    assert.deepEqual([...codes.keys()].toSorted(), [...wanted].toSorted());
    for (const { code, outcome, cause, cure } of codes.values()) {
      assert.ok(cause.length > 10 && cure.length >= 7, `${code}: ${cause} | ${cure}`);
      assert.equal(
        outcome,
        Object.hasOwn(REASON_OUTCOME, code) ? REASON_OUTCOME[code as keyof typeof REASON_OUTCOME] : 'launcher',
      );
    }
  });

  it('are read strictly: what is no row of a code is none', () => {
    const row = '| `A_CODE` | deny | its `cause` | a cure |';
    assert.deepEqual(parsePage(`| code | x |\n| --- | --- |\n${row}`), [
      { code: 'A_CODE', outcome: 'launcher', cause: 'its cause', cure: 'a cure' },
    ]);
    for (const other of [
      '',
      row,
      '| code | x | y |',
      `text ${row}`,
      '| code |\n\n| `A` | x | y |',
      '| code |\n| `a` | x |',
      '||||',
    ]) {
      assert.deepEqual(parsePage(other), []);
    }
    assert.throws(() => parsePage('x'.repeat(300_000)), /at most/);
  });

  it('are found by a pasted line, and by what is nearly a code', () => {
    const line =
      'rejected image (exit code 1): WRONG_KEY: by other keys; UNSIGNED: none (portcullis explain 4xk2m9q7w1b3c)';
    const found = findInLine(line, codes);
    assert.deepEqual(
      [found.codes.map(({ code }) => code), found.decisionId],
      [['WRONG_KEY', 'UNSIGNED'], '4xk2m9q7w1b3c'],
    );
    assert.deepEqual(findInLine(`ERROR ${'\u001b[2J'.repeat(9)}`, codes), { codes: [], decisionId: undefined });
    assert.deepEqual(similar('wrong-key', codes.keys()), ['WRONG_KEY']);
    assert.deepEqual(similar('x', codes.keys()), []);
  });
});

describe('portcullis explain', () => {
  it('tells of a code without any Temporal, as text and as JSON', async () => {
    const text = await explain('unsigned');
    assert.deepEqual([text.code, text.stderr], [0, '']);
    assert.match(text.stdout, /^UNSIGNED\n {2}means {4}.*\n {2}outcome {2}denied: .*\n {2}to do {4}sign the digest/);
    const json = await explain('SHIM_ABSENT', '--output', 'json');
    assert.partialDeepStrictEqual(JSON.parse(json.stdout), { codes: [{ code: 'SHIM_ABSENT', outcome: 'launcher' }] });
    const list = await explain('--list');
    assert.equal(list.stdout.trimEnd().split('\n').length, codes.size);
  });

  it('tells what a pasted line says by itself when nobody knows its decision', async () => {
    const { code, stdout, stderr } = await explain(
      'blocked: KMS_TIMEOUT: no answer (portcullis explain 0123456789abc)',
    );
    assert.equal(code, 0);
    assert.match(stdout, /^KMS_TIMEOUT\n/);
    assert.match(stderr, /its decision can't be told: /);
  });

  it('says what may have been meant, and shows no control characters', async () => {
    const { code, stderr } = await explain('un\u001bsigned');
    assert.equal(code, 1);
    assert.match(stderr, /did you mean UNSIGNED, /);
    assert.ok(!stderr.includes('\u001b'));
    assert.equal((await explain()).code, 2);
    assert.equal((await explain('UNSIGNED', '--list')).code, 2);
  });
});
