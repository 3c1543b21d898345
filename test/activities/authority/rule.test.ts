import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import type { TrustMaterial } from '@sigstore/verify';
import { evidenceRules, logsOf } from '../../../activities/authority/rule.ts';
import type { Authority, LogRule, SignerRule } from '../../../activities/policy/policy-set.ts';
import { parsePublicKey, type VerificationKey } from '../../../activities/sigstore/key/key.ts';
import type { TransparencyLog, TrustRoot, TrustStore } from '../../../activities/trust/trust-root.ts';
import { createSigningKey, type SigningKey } from '../../support/signer.ts';
import { createKeyPair } from '../../support/virtual-sigstore/key-pair.ts';
import { createVirtualSigstore } from '../../support/virtual-sigstore/sigstore.ts';
import { trustMaterial } from '../../support/virtual-sigstore/trusted-root.ts';

const NOW = new Date('2026-06-01T12:00:00Z');
const ROOTS = ['signer', 'log', 'time'] as const;

/** A trust root that differs from the others in all that it names. */
function rootOf(name: string): TrustRoot {
  const material = trustMaterial(createVirtualSigstore(NOW).trustPlan());
  const [first] = material.tlogs;
  assert.ok(first !== undefined);
  const log: TransparencyLog = {
    ...{
      id: first.logID.toString('hex'),
      baseUrl: new URL(`https://${name}.test`),
      publicKey: createKeyPair().publicKey,
    },
    ...{ version: 'v1', origin: undefined, validFrom: 0, validUntil: undefined },
  };
  return { name, revision: name, material, logs: [log] };
}

const roots = new Map<string, TrustRoot>(ROOTS.map((name) => [name, rootOf(name)]));

const trust: TrustStore = {
  find: (name) => roots.get(name) ?? assert.fail(`nothing names the trust root ${name}`),
  revision: () => 'all',
};

function materialOf(name: (typeof ROOTS)[number]): TrustMaterial {
  return trust.find(name).material;
}

const keyless: SignerRule = {
  ...{ kind: 'keyless', identities: [], claims: [], trustRoot: 'signer' },
  ...{ certificateAuthority: undefined, insecureIgnoreSct: false },
};

const log: LogRule = {
  ...{ mode: 'offline', entries: 1, trustRoot: 'log', url: undefined, publicKey: undefined },
  ...{ cosignatures: 0, witnesses: [] },
};

function authorityOf(fields: Partial<Authority>): Authority {
  return {
    ...{ name: 'release', signer: keyless, log: undefined, timestamps: undefined, observers: 0 },
    ...{
      attestations: [],
      sources: [],
      formats: ['bundle', 'legacy'],
      coversIndexChildren: false,
      newestAttestation: false,
      signedAs: [],
      signedReference: 'repository',
    },
    ...fields,
  };
}

/** What the first piece of evidence is judged by. */
function requirementOf(fields: Partial<Authority>, keys: readonly VerificationKey[] = []) {
  const [rule] = evidenceRules(authorityOf(fields), trust, keys);
  const [requirement] = rule?.requirements ?? [];
  assert.ok(requirement !== undefined);
  return requirement;
}

function keyOf(key: SigningKey): VerificationKey {
  const parsed = parsePublicKey(key.publicPem);
  assert.ok(parsed.ok);
  return parsed.key;
}

describe('evidenceRules takes each role from the trust root that the policy names for it', () => {
  it('three roots for three roles', () => {
    const { trust: found } = requirementOf({ log, timestamps: { count: 1, trustRoot: 'time' } });
    assert.deepEqual(found.certificateAuthorities, materialOf('signer').certificateAuthorities);
    assert.deepEqual(found.ctlogs, materialOf('signer').ctlogs);
    assert.deepEqual(found.tlogs, materialOf('log').tlogs);
    assert.deepEqual(found.timestampAuthorities, materialOf('time').timestampAuthorities);
  });

  it("a certificate's own root for the time where the policy names none", () => {
    const { trust: found } = requirementOf({});
    assert.deepEqual(found.tlogs, materialOf('signer').tlogs);
    assert.deepEqual(found.timestampAuthorities, materialOf('signer').timestampAuthorities);
  });

  it('nothing for a key beyond what the policy names', () => {
    const key = keyOf(createSigningKey('ECDSA P-256'));
    const signer: SignerRule = { kind: 'key', key };
    const bare = requirementOf({ signer }, [key]).trust;
    for (const role of ['certificateAuthorities', 'ctlogs', 'tlogs', 'timestampAuthorities'] as const) {
      assert.deepEqual(bare[role], [], role);
    }
    const { trust: found } = requirementOf({ signer, log, timestamps: { count: 1, trustRoot: 'time' } }, [key]);
    assert.deepEqual(found.certificateAuthorities, []);
    assert.deepEqual(found.tlogs, materialOf('log').tlogs);
    assert.deepEqual(found.timestampAuthorities, materialOf('time').timestampAuthorities);
  });
});

describe('evidenceRules asks for', () => {
  it('what the authority says of log, timestamps and observers', () => {
    const rule: LogRule = { ...log, entries: 2, cosignatures: 3 };
    const {
      log: wantedLog,
      timestamps,
      observers,
    } = requirementOf({
      ...{ log: rule, timestamps: { count: 4, trustRoot: 'time' }, observers: 5 },
    });
    assert.deepEqual(wantedLog, { entries: 2, cosignatures: 3, witnesses: [] });
    assert.deepEqual([timestamps, observers], [4, 5]);
    const none = requirementOf({});
    assert.deepEqual([none.log, none.timestamps, none.observers], [undefined, 0, 0]);
  });

  it('a certificate timestamp unless the policy leaves it out', () => {
    const count = (insecureIgnoreSct: boolean) => {
      const { signer } = requirementOf({ signer: { ...keyless, insecureIgnoreSct } });
      return signer.kind === 'keyless' ? signer.certificateTimestamps : assert.fail('expected a certificate');
    };
    assert.deepEqual([count(false), count(true)], [1, 0]);
  });

  it('each attestation with its own condition, and one requirement for each key', () => {
    const keys = [keyOf(createSigningKey('ECDSA P-256')), keyOf(createSigningKey('Ed25519'))];
    const attestations = ['https://slsa.dev/provenance/v1', 'https://cyclonedx.org/bom'].map((type) => ({
      ...{ name: type, predicateTypes: [type], condition: undefined },
    }));
    const [key] = keys;
    assert.ok(key !== undefined);
    const rules = evidenceRules(authorityOf({ signer: { kind: 'key', key }, attestations }), trust, keys);
    assert.deepEqual(
      rules.map(({ wanted }) => wanted),
      attestations.map(({ predicateTypes }) => ({ kind: 'attestation', predicateTypes })),
    );
    for (const { requirements } of rules) {
      assert.deepEqual(
        requirements.map(({ signer }) => (signer.kind === 'key' ? signer.key : undefined)),
        keys,
      );
    }
  });

  it('nothing for a static authority', () => {
    const signer: SignerRule = { kind: 'static', action: 'pass', message: undefined };
    assert.deepEqual(evidenceRules(authorityOf({ signer }), trust, []), []);
  });
});

describe('a log that the policy names by key', () => {
  const URL_TEXT = 'https://log.acme.test/api';
  const spkiOf = (key: SigningKey) => Buffer.from(key.publicPem.split('\n').slice(1, -2).join(''), 'base64');
  const sha256 = (...parts: readonly (string | Uint8Array)[]) =>
    parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');

  function named(key: SigningKey, url: string | undefined): LogRule {
    return { ...log, url, publicKey: keyOf(key).publicKey };
  }

  const KINDS = [
    ['ECDSA P-256', 'v1', undefined, (key: SigningKey) => sha256(spkiOf(key))],
    [
      'Ed25519',
      'v2',
      'log.acme.test',
      (key: SigningKey) => sha256('log.acme.test\n', Buffer.of(1), spkiOf(key).subarray(-32)),
    ],
  ] as const;

  for (const [kind, version, origin, idOf] of KINDS) {
    it(`${kind} is a ${version} log with the id of its kind`, () => {
      const key = createSigningKey(kind);
      const rule = named(key, URL_TEXT);
      const { tlogs } = requirementOf({ log: rule }).trust;
      assert.deepEqual(
        tlogs.map(({ logID, baseURL }) => [logID.toString('hex'), baseURL]),
        [[idOf(key), URL_TEXT]],
      );
      assert.ok(tlogs[0]?.publicKey.equals(keyOf(key).publicKey));
      const [asked, ...others] = logsOf(authorityOf({ log: rule }), trust);
      assert.deepEqual(others, []);
      assert.deepEqual([asked?.id, asked?.version, asked?.origin], [idOf(key), version, origin]);
      assert.equal(asked?.baseUrl.href, URL_TEXT);
    });
  }

  it('without a URL is judged by and not asked', () => {
    const key = createSigningKey('Ed25519');
    const rule = named(key, undefined);
    assert.deepEqual(
      requirementOf({ log: rule }).trust.tlogs.map(({ logID }) => logID.toString('hex')),
      [sha256(spkiOf(key))],
    );
    assert.deepEqual(logsOf(authorityOf({ log: rule }), trust), []);
  });

  it('is the only one: those of the trust root do not count beside it', () => {
    const rule = named(createSigningKey('ECDSA P-256'), URL_TEXT);
    assert.equal(requirementOf({ log: rule }).trust.tlogs.length, 1);
  });
});

describe('logsOf', () => {
  it('asks the logs of the root that the policy names for the log, and none where it wants no log', () => {
    assert.deepEqual(logsOf(authorityOf({ log }), trust), trust.find('log').logs);
    assert.deepEqual(logsOf(authorityOf({}), trust), []);
  });
});
