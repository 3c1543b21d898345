import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../../', import.meta.url);

/** A row of the table of claims: what is promised, and the test that holds it with words out of its title. */
interface Claim {
  readonly claim: string;
  readonly tests: readonly { readonly file: string; readonly words: string }[];
}

const REFERENCE = /\[`(?<words>[^`]+)`\]\((?<file>[^)\s]+)\)/g;

async function claims(): Promise<readonly Claim[]> {
  const text = await readFile(new URL('SECURITY.md', ROOT), 'utf8');
  const section = text.split('\n## Claims\n')[1]?.split('\n## ')[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| ') && !/^\| (?:claim|---)/.test(line));
  return rows.map((row) => {
    const [claim = '', tests = ''] = row.slice('| '.length).split(' | ');
    return {
      claim,
      tests: [...tests.matchAll(REFERENCE)].map(({ groups }) => ({
        file: groups?.['file'] ?? '',
        words: groups?.['words'] ?? '',
      })),
    };
  });
}

describe('SECURITY.md', () => {
  it('names for each claim a test that is there', async () => {
    const all = await claims();
    assert.ok(all.length >= 20, `expected the table of claims, found ${all.length} rows`);
    const missing: string[] = [];
    for (const { claim, tests } of all) {
      if (tests.length === 0) missing.push(`${claim}: no test`);
      for (const { file, words } of tests) {
        const source = await readFile(fileURLToPath(new URL(file, ROOT)), 'utf8').catch(() => '');
        if (!source.includes(words)) missing.push(`${claim}: ${file} has no "${words}"`);
      }
    }
    assert.deepEqual(missing, []);
  });
});
