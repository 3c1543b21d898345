import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parseList } from '../../../shim/bootstrap/list-file.ts';
import { describeAmbiguity, parseChoice, propose, renderProposal } from '../../../shim/bootstrap/proposal.ts';
import { imagesOfManifest, readStaticPods } from '../../../shim/bootstrap/static-pods.ts';
import type { CriImage } from '../../../shim/containerd/cri.ts';
import { readEffective } from '../../../shim/containerd/effective.ts';
import { sandboxImageOf } from '../../../shim/containerd/sandbox-image.ts';
import { digestOf } from '../../support/verdicts.ts';

const dir = mkdtempSync(join(tmpdir(), 'portcullis-learn-'));
after(() => rmSync(dir, { recursive: true }));
const [A, B, C, EVIL] = [digestOf('aa'), digestOf('bb'), digestOf('cc'), digestOf('ee')];

function image(name: string, tag: string, digest: string): CriImage {
  return { id: digestOf('01'), repoTags: [`${name}:${tag}`], repoDigests: [`${name}@${digest}`], size: 1 };
}

const NODE = [
  image('registry.k8s.io/pause', '3.10', A),
  image('docker.io/library/etcd', 'latest', B),
  image('ghcr.io/a/app', 'v1', C),
];

/** The image of every sandbox, as containerd's configuration names it. */
const PAUSE = { name: 'registry.k8s.io/pause:3.10', from: 'the sandbox', mayBeAbsent: true } as const;
const SURE = { all: false, chosen: [] };

describe('what a node starts with', () => {
  it('is its sandbox image, and what static pods and people name, by the digests on the node', () => {
    const wanted = [
      { name: 'etcd', from: 'etcd.yaml' },
      { name: `ghcr.io/a/app:v1@${C}`, from: 'app.yaml' },
      { name: 'ghcr.io/a/app:v2', from: 'named' },
      { name: `ghcr.io/a/app@${B}`, from: 'named' },
      { name: 'not a name', from: 'garbage' },
      PAUSE,
    ];
    const { digests, missing, ambiguous } = propose(NODE, wanted, SURE);
    assert.deepEqual(
      digests.map(({ digest, name, why }) => [digest, name, why]),
      [
        [B, 'docker.io/library/etcd:latest', 'etcd.yaml'],
        [C, 'ghcr.io/a/app:v1', 'app.yaml'],
        [A, 'registry.k8s.io/pause:3.10', 'the sandbox'],
      ],
    );
    assert.deepEqual(missing, ['ghcr.io/a/app:v2 (named)', `ghcr.io/a/app@${B} (named)`, 'not a name (garbage)']);
    assert.deepEqual(ambiguous, []);
  });

  it('is nothing else, unless all of it is wanted', () => {
    assert.deepEqual(propose(NODE, [], SURE).digests, []);
    assert.equal(propose(NODE, [], { ...SURE, all: true }).digests.length, 3);
  });

  it('is told without the sandbox image where that is not pulled yet', () => {
    const { missing, absent } = propose([], [PAUSE], SURE);
    assert.deepEqual([missing, absent], [[], ['registry.k8s.io/pause:3.10 (the sandbox)']]);
  });

  it('is written as the list that the daemon reads, whatever names there are', () => {
    const hostile = [{ ...image('ghcr.io/a/b', 'v1', B), repoTags: ['evil\n*  # all', `\n${EVIL}  x`] }];
    const wanted = [{ name: 'etcd', from: `a # b.yaml\n${EVIL}  evil` }, PAUSE];
    const proposal = propose([...NODE, ...hostile], wanted, { ...SURE, all: true });
    const { listed, problems } = parseList(renderProposal(proposal), 'node.list');
    assert.deepEqual(listed.map(({ digest }) => digest).toSorted(), [A, B, C]);
    assert.deepEqual(problems, []);
  });
});

describe('what a tenant put on the node', () => {
  const KUBE_PROXY = 'registry.k8s.io/kube-proxy';
  const wanted = [{ name: `${KUBE_PROXY}:v1.34`, from: 'static pod' }];
  const proxy = image(KUBE_PROXY, 'v1.34', A);

  it('is no pause image, whatever it is called', () => {
    const theirs = ['evil.example/pause', 'registry.k8s.io/evil/pause', 'evil.example/registry.k8s.io/pause'];
    const { digests } = propose(
      [...theirs.map((name) => image(name, '3.10', EVIL)), image('registry.k8s.io/pause', '3.9', C)],
      [PAUSE],
      SURE,
    );
    assert.deepEqual(digests, []);
  });

  it('is not proposed under the name of an image with which it shares its configuration, and so its id', () => {
    const shared = {
      ...proxy,
      repoTags: ['evil.example/app:v1', ...proxy.repoTags],
      repoDigests: [`evil.example/app@${EVIL}`, ...proxy.repoDigests, `evil.example/kube-proxy@${B}`],
    };
    const { digests, ambiguous } = propose([shared], wanted, SURE);
    assert.deepEqual([digests.map(({ digest }) => digest), ambiguous], [[A], []]);
  });

  it('is not proposed for a tag that was moved to it on the node, where its digest has another repository', () => {
    const moved = { ...image('evil.example/app', 'v1', EVIL), repoTags: [`${KUBE_PROXY}:v1.34`] };
    const { digests, missing } = propose([moved], wanted, SURE);
    assert.deepEqual([digests, missing], [[], [`${KUBE_PROXY}:v1.34 (static pod)`]]);
  });

  it('is not proposed by its own tag when all is wanted, but by its own name', () => {
    const shared = { ...proxy, repoDigests: [...proxy.repoDigests, `evil.example/app@${EVIL}`] };
    const names = propose([shared], wanted, { ...SURE, all: true }).digests.map(({ digest, name }) => [digest, name]);
    assert.deepEqual(names, [
      [A, `${KUBE_PROXY}:v1.34`],
      [EVIL, 'evil.example/app'],
    ]);
  });

  it('makes a name with several digests one for a person to decide, by whatever order they come', () => {
    const both = { ...proxy, repoDigests: [`${KUBE_PROXY}@${B}`, ...proxy.repoDigests] };
    for (const repoDigests of [both.repoDigests, both.repoDigests.toReversed()]) {
      const { digests, ambiguous } = propose([{ ...both, repoDigests }], wanted, SURE);
      assert.deepEqual(digests, []);
      assert.deepEqual(
        ambiguous.map(({ name, digests: found }) => [name, found.toSorted()]),
        [[`${KUBE_PROXY}:v1.34`, [A, B]]],
      );
    }
    const [one] = propose([both], wanted, SURE).ambiguous;
    assert.ok(one);
    assert.match(
      describeAmbiguity(one),
      /has 2 digests on this node: .*--digest registry\.k8s\.io\/kube-proxy@sha256:/,
    );
  });

  it('stays out when a person says which digest is meant, and cannot be chosen from elsewhere', () => {
    const both = { ...proxy, repoDigests: [`${KUBE_PROXY}@${B}`, ...proxy.repoDigests] };
    const choose = (text: string) =>
      propose([both], wanted, { all: false, chosen: [parseChoice(text)].flatMap((c) => c ?? []) });
    assert.deepEqual(
      choose(`${KUBE_PROXY}@${A}`).digests.map(({ digest }) => digest),
      [A],
    );
    for (const other of [`${KUBE_PROXY}@${EVIL}`, `evil.example/kube-proxy@${A}`]) {
      assert.deepEqual([choose(other).digests, choose(other).ambiguous.length], [[], 1]);
    }
    assert.equal(parseChoice(`${KUBE_PROXY}:v1.34`), undefined);
  });

  it('is one of several also where the same tag is spelt in two ways', () => {
    const spelt = [image('docker.io/library/etcd', '1', A), image('index.docker.io/library/etcd', '1', B)];
    assert.equal(propose(spelt, [{ name: 'etcd:1', from: 'x' }], SURE).ambiguous.length, 1);
  });
});

describe('the sandbox image', () => {
  const IMAGES = "[plugins.'io.containerd.cri.v1.images']\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\n";
  for (const [what, toml, expected] of [
    [
      'is the one that containerd pins',
      `${IMAGES}sandbox = 'a.example/pause:1'\nother = 'b.example/pause:2'\n`,
      'a.example/pause:1',
    ],
    ['is not known where containerd pins another one only', `${IMAGES}other = 'b.example/pause:2'\n`, undefined],
    ['is not known where its name is empty', `${IMAGES}sandbox = ''\n`, undefined],
    ['is not known in a configuration without images', '', undefined],
  ] as const) {
    it(what, () => {
      assert.equal(sandboxImageOf(readEffective({ toml, warnings: '' })), expected);
    });
  }
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
