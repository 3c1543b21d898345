import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parseList } from '../../../shim/bootstrap/list-file.ts';
import { propose, renderProposal } from '../../../shim/bootstrap/proposal.ts';
import { imagesOfManifest, readStaticPods } from '../../../shim/bootstrap/static-pods.ts';
import type { CriImage } from '../../../shim/containerd/cri.ts';
import { digestOf } from '../../support/verdicts.ts';

const dir = mkdtempSync(join(tmpdir(), 'portcullis-learn-'));
after(() => rmSync(dir, { recursive: true }));
const [A, B, C] = [digestOf('aa'), digestOf('bb'), digestOf('cc')];

function image(name: string, tag: string, digest: string): CriImage {
  return { id: digestOf('01'), repoTags: [`${name}:${tag}`], repoDigests: [`${name}@${digest}`], size: 1 };
}

const NODE = [
  image('registry.k8s.io/pause', '3.10', A),
  image('docker.io/library/etcd', 'latest', B),
  image('ghcr.io/a/app', 'v1', C),
];

describe('what a node starts with', () => {
  it('is its pause image, and what static pods and people name, by the digests on the node', () => {
    const wanted = [
      { name: 'etcd', from: 'etcd.yaml' },
      { name: `ghcr.io/a/app:v1@${C}`, from: 'app.yaml' },
      { name: 'ghcr.io/a/app:v2', from: 'named' },
      { name: 'not a name', from: 'garbage' },
    ];
    const { digests, missing } = propose(NODE, wanted, false);
    assert.deepEqual(
      digests.map(({ digest, why }) => [digest, why]),
      [
        [B, 'etcd.yaml'],
        [C, 'app.yaml'],
        [A, 'the sandbox of every pod'],
      ],
    );
    assert.deepEqual(missing, ['ghcr.io/a/app:v2 (named)', 'not a name (garbage)']);
  });

  it('is nothing else, unless all of it is wanted', () => {
    assert.deepEqual(
      propose(NODE, [], false).digests.map(({ digest }) => digest),
      [A],
    );
    assert.equal(propose(NODE, [], true).digests.length, 3);
  });

  it('is written as the list that the daemon reads, whatever names there are', () => {
    const hostile = [{ ...image('ghcr.io/a/b', 'v1', B), repoTags: ['evil\n*  # all'] }];
    const proposal = propose([...NODE, ...hostile], [{ name: 'etcd', from: 'a # b.yaml' }], true);
    const { listed, problems } = parseList(renderProposal(proposal), 'node.list');
    assert.ok(listed.length >= 3);
    assert.ok(listed.every(({ digest }) => [A, B, C].includes(digest)));
    assert.ok(problems.length <= 1);
  });
});

describe('a manifest', () => {
  it('names the images of its containers', () => {
    const text =
      'kind: Pod\nspec:\n  initContainers: [{image: a}]\n  containers:\n    - image: b:1\n    - {name: x}\n---\nspec: {containers: [{image: c}]}\n';
    assert.deepEqual(
      imagesOfManifest(text, 'p.yaml').images.map(({ name }) => name),
      ['b:1', 'a', 'c'],
    );
  });

  const billion = `a: &a [x,x]\n${Array.from({ length: 20 }, (_, i) => `b${i}: &b${i} [${i === 0 ? '*a,*a' : `*b${i - 1},*b${i - 1}`}]`).join('\n')}\nspec: {containers: *b19}`;
  for (const [what, text] of [
    ['nothing', ''],
    ['a list', '- 1'],
    ['numbers for images', 'spec: {containers: [{image: 7}, 8, null]}'],
    ['a number for containers', 'spec: {containers: 9}'],
    ['text that breaks off', 'spec: {containers: ['],
    ['aliases without end', billion],
    ['bytes', '\u0000\u0001\uFFFD'],
  ] as const) {
    it(`of ${what} names none`, () => {
      assert.deepEqual(imagesOfManifest(text, 'p.yaml').images, []);
    });
  }

  it('that can not be read is told, and the others count', async () => {
    writeFileSync(join(dir, 'a.yaml'), 'spec: {containers: [{image: a}]}');
    writeFileSync(join(dir, 'b.yaml'), 'spec: {');
    writeFileSync(join(dir, 'large.json'), ' '.repeat(2_000_000));
    writeFileSync(join(dir, '.hidden.yaml'), 'spec: {containers: [{image: h}]}');
    const { images, problems } = await readStaticPods(dir);
    assert.deepEqual([images.map(({ name }) => name), problems.length], [['a'], 2]);
    assert.deepEqual(await readStaticPods(join(dir, 'none')), { images: [], problems: [] });
  });
});
