import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parseList } from '../../../shim/bootstrap/list-file.ts';
import { readLists, watchBootstrapList } from '../../../shim/bootstrap/list-watch.ts';
import { digestOf } from '../../support/verdicts.ts';

const root = mkdtempSync(join(tmpdir(), 'portcullis-list-'));
after(() => rmSync(root, { recursive: true }));
const [A, B] = [digestOf('aa'), digestOf('bb')];
const silent = { info() {}, warn() {}, error() {} };

function folder(name: string, files: Readonly<Record<string, string>>): string {
  const path = join(root, name);
  mkdirSync(path);
  for (const [file, content] of Object.entries(files)) writeFileSync(join(path, file), content);
  return path;
}

describe('a bootstrap list', () => {
  it('names digests, as sha256sum does, with comments', () => {
    const { listed, problems } = parseList(
      `# the node\n\n${A}  registry.k8s.io/pause:3.10  # sandbox\n${B}\n`,
      'a.list',
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(listed, [
      { digest: A, name: 'registry.k8s.io/pause:3.10', from: 'a.list:3' },
      { digest: B, name: '', from: 'a.list:4' },
    ]);
  });

  const unreadable = [
    'pause:3.10',
    A.slice(0, -1),
    `${A}0`,
    A.toUpperCase(),
    `sha512:${'a'.repeat(128)}`,
    `${A} two names`,
    `junk ${A} name`,
    `junk ${A}`,
    `${A} ${'n'.repeat(600)}`,
    '\u0000\u001b[2J',
    '*',
  ];
  for (const line of unreadable) {
    it(`lets nothing in by the line ${JSON.stringify(line.slice(0, 30))}, and counts the others`, () => {
      const { listed, problems } = parseList(`${line}\n${B} ok\n`, 'a.list');
      assert.deepEqual(
        listed.map(({ digest }) => digest),
        [B],
      );
      assert.match(String(problems[0]?.problem), /^expected "sha256:<64 hex digits> {2}NAME", found "/);
      assert.equal(problems[0]?.from, 'a.list:1');
    });
  }

  it('with more lines than a node has images is not used', () => {
    const { listed, problems } = parseList(`${A} x\n`.repeat(10_001), 'a.list');
    assert.deepEqual([listed.length, problems.length], [0, 1]);
  });
});

describe('the lists of a folder', () => {
  it('let nothing in when it holds more files than are listed', async () => {
    const path = folder('many', { 'a.list': A });
    for (let i = 0; i < 1_000; i++) writeFileSync(join(path, `${i}.txt`), '');
    const { listed, problems } = await readLists(path);
    assert.deepEqual(listed, []);
    assert.match(problems.map(({ problem }) => problem).join(), /at most 100 lists, found more than 1000 files/);
  });

  it('are its *.list files alone', async () => {
    const path = folder('several', { 'b.list': B, 'a.list': A, 'c.txt': digestOf('cc'), '.d.list': digestOf('dd') });
    const { listed } = await readLists(path);
    assert.deepEqual(
      listed.map(({ from }) => from),
      ['a.list:1', 'b.list:1'],
    );
  });

  it('are empty when there is no folder', async () => {
    assert.deepEqual(await readLists(join(root, 'none')), { listed: [], problems: [] });
  });

  it('are not used when others may write them, own them, or when they are links or too large', async () => {
    const path = folder('open', { 'a.list': A, 'b.list': B, 'c.list': A, 'large.list': '#'.repeat(3_000_000) });
    chmodSync(join(path, 'a.list'), 0o666);
    chownSync(join(path, 'b.list'), 1_000, 1_000);
    symlinkSync(join(path, 'c.list'), join(path, 'link.list'));
    const { listed, problems } = await readLists(path);
    assert.deepEqual(
      listed.map(({ from }) => from),
      ['c.list:1'],
    );
    assert.deepEqual(
      problems.map(({ problem }) => problem.split(',')[0]),
      [
        'expected to be writable by its owner only',
        'expected owner root',
        'expected a readable file of at most 2097152 bytes',
        'expected a file',
      ],
    );
    chmodSync(path, 0o777);
    assert.deepEqual((await readLists(path)).listed, []);
  });

  it('decide by the digest, and follow their files', async () => {
    const path = folder('watched', { 'a.list': `${A} registry.k8s.io/pause:3.10` });
    const list = await watchBootstrapList(path, silent);
    try {
      assert.deepEqual(list.rule({ name: 'anything:v1', digest: A }), {
        code: 'DIGEST_LISTED',
        sentence: `${A} is on the bootstrap list of this node as registry.k8s.io/pause:3.10 (a.list:1)`,
      });
      assert.equal(list.rule({ name: 'registry.k8s.io/pause:3.10', digest: B }), undefined);
      writeFileSync(join(path, 'a.list'), B);
      await list.reload();
      assert.equal(list.rule({ name: 'anything:v1', digest: A }), undefined);
      assert.equal(list.rule({ name: 'anything:v1', digest: B })?.code, 'DIGEST_LISTED');
      rmSync(path, { recursive: true });
      await list.reload();
      assert.deepEqual(list.entries(), []);
    } finally {
      list.stop();
    }
  });
});
