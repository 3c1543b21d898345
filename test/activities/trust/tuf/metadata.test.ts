import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ProvenTarget, verifyRoots, verifyTarget } from '../../../../activities/trust/tuf/metadata.ts';
import { createTufKey, type Publication, type RoleKeys, TufRepository } from '../tuf-repository.ts';

const NAME = 'trusted_root.json';
const CONTENT = Buffer.from('the trusted root');

/** What a worker kept of a repository, in the shape in which it is proven again at a restart. */
interface Kept {
  readonly initial: Uint8Array;
  readonly roots: readonly Uint8Array[];
  readonly proven: ProvenTarget;
}

function published(publication: Partial<Publication> = {}): TufRepository {
  return new TufRepository({ targets: { [NAME]: CONTENT }, hashes: false, ...publication });
}

/** The newest files of a repository, or those of the versions that are named. */
function kept(
  repository: TufRepository,
  { snapshot = repository.versions.snapshot, targets = repository.versions.targets } = {},
): Kept {
  const later = Array.from({ length: repository.versions.root - 1 }, (_, i) => `${i + 2}.root.json`);
  return {
    initial: repository.initialRoot,
    roots: later.map((path) => file(repository, path)),
    proven: {
      timestamp: file(repository, 'timestamp.json'),
      snapshot: file(repository, `${snapshot}.snapshot.json`),
      targets: file(repository, `${targets}.targets.json`),
      target: CONTENT,
    },
  };
}

function file({ files }: TufRepository, path: string): Uint8Array {
  return files.get(path) ?? assert.fail(`the repository has no ${path}`);
}

function verify({ initial, roots, proven }: Kept): Promise<{ readonly expires: number }> {
  return verifyTarget(initial, roots, proven, NAME);
}

function keysOfStrangers(): RoleKeys {
  return {
    root: [createTufKey(), createTufKey()],
    timestamp: [createTufKey()],
    snapshot: [createTufKey()],
    targets: [createTufKey()],
  };
}

/** The same metadata in other bytes: signatures are over its content, hashes over its bytes. */
const respaced = (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.from('\n')]);

describe('verifyTarget accepts', () => {
  for (const hashes of [true, false]) {
    it(`metadata ${hashes ? 'with hashes' : 'with versions alone'}`, async () => {
      assert.ok((await verify(kept(published({ hashes })))).expires > Date.now());
    });
  }

  it('a chain of roots, each signed by the keys before it and by its own', async () => {
    const repository = published();
    repository.publishRoot({ keys: { root: [createTufKey(), createTufKey(), createTufKey()] } });
    repository.publishRoot();
    assert.equal(kept(repository).roots.length, 2);
    await verify(kept(repository));
  });

  for (const role of ['root', 'timestamp', 'snapshot', 'targets'] as const) {
    it(`metadata until its ${role} expires, where that is first`, async () => {
      const first = Date.parse('2031-05-06T07:08:09Z');
      const later = Date.parse('2032-01-01T00:00:00Z');
      const expires = { root: later, timestamp: later, snapshot: later, targets: later, [role]: first };
      assert.equal((await verify(kept(published({ expires })))).expires, first);
    });
  }
});

describe('verifyTarget refuses, where nothing else is wrong,', () => {
  const ROWS: readonly (readonly [what: string, make: () => Kept, problem: RegExp])[] = [
    [
      'an initial root that too few of its own keys signed',
      () => {
        const one = createTufKey();
        return kept(published({ signers: { ...keysOfStrangers(), root: [one] } }));
      },
      /root was signed by 0\/2 keys/,
    ],
    [
      'a second root, and a whole set by its keys, that the first root did not sign',
      () => {
        const honest = published();
        const strangers = published();
        strangers.publishRoot({ keys: keysOfStrangers() });
        strangers.publish({ targets: { [NAME]: CONTENT }, hashes: false });
        return { ...kept(strangers), initial: honest.initialRoot };
      },
      /root was signed by 0\/2 keys/,
    ],
    [
      'a second root that its own keys did not sign',
      () => {
        const repository = published();
        const signers = repository.keys.root;
        repository.publishRoot({ keys: { root: [createTufKey(), createTufKey(), createTufKey()] }, signers });
        return kept(repository);
      },
      /root was signed by 0\/2 keys/,
    ],
    [
      'a chain of roots with a gap',
      () => {
        const repository = published();
        repository.publishRoot();
        repository.publishRoot();
        const { roots, ...rest } = kept(repository);
        return { ...rest, roots: roots.slice(1) };
      },
      /have a gap/,
    ],
    ...(['timestamp', 'snapshot', 'targets'] as const).map(
      (role) =>
        [
          `a ${role} that strangers signed`,
          () => kept(published({ signers: { [role]: [createTufKey()] } })),
          new RegExp(`${role} was signed by 0/1 keys`),
        ] as const,
    ),
    [
      'a snapshot of an older version',
      () => {
        const repository = published();
        repository.publish({ targets: { [NAME]: CONTENT }, hashes: false, versions: { targets: 1 } });
        return kept(repository, { snapshot: 1 });
      },
      /snapshot\.json is another one/,
    ],
    [
      'targets of an older version',
      () => {
        const repository = published();
        repository.publish({ targets: { [NAME]: CONTENT }, hashes: false });
        return kept(repository, { targets: 1 });
      },
      /targets\.json is another one/,
    ],
    [
      'a snapshot whose bytes have another hash',
      () => withProven(kept(published({ hashes: true })), (proven) => ({ snapshot: respaced(proven.snapshot) })),
      /expected length/i,
    ],
    [
      'targets whose bytes have another hash',
      () => withProven(kept(published({ hashes: true })), (proven) => ({ targets: respaced(proven.targets) })),
      /expected length/i,
    ],
    [
      'a target whose bytes have another hash',
      () => withProven(kept(published()), () => ({ target: Buffer.from('the Trusted root') })),
      /expected hash/i,
    ],
    [
      'a target that is not listed',
      () => kept(published({ targets: { 'other.json': CONTENT } })),
      /does not list the trusted root/,
    ],
  ];

  for (const [what, make, problem] of ROWS) {
    it(what, async () => {
      await assert.rejects(verify(make()), problem);
    });
  }
});

describe('verifyRoots', () => {
  it('answers the newest root', () => {
    const repository = published();
    repository.publishRoot();
    const { initial, roots } = kept(repository);
    assert.equal(verifyRoots(initial, roots).signed.version, 2);
  });
});

function withProven(one: Kept, bend: (proven: ProvenTarget) => Partial<ProvenTarget>): Kept {
  return { ...one, proven: { ...one.proven, ...bend(one.proven) } };
}

describe('the end of metadata', () => {
  for (const role of ['root', 'timestamp', 'snapshot', 'targets'] as const) {
    it(`of ${role}.json has a zone and a day that the calendar has`, async () => {
      for (const text of ['2031-05-06T07:08:09', '2031-05-06', '2031-06-31T00:00:00Z', '6 May 2031', '2031']) {
        await assert.rejects(verify(kept(published({ expires: { [role]: text } }))), /is not a time in RFC 3339/);
      }
      const { expires } = await verify(kept(published({ expires: { [role]: '2026-12-05T07:08:09Z' } })));
      assert.ok(Number.isSafeInteger(expires));
    });
  }
});
