import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { createAwsKeyManager } from '../../../activities/kms/aws/manager.ts';
import { parseKeyUri } from '../../../activities/kms/key-uri.ts';
import type { KeyManager, KeyReference } from '../../../activities/kms/managed-key.ts';
import { holds } from '../../../activities/sigstore/evidence/raw-signature.ts';
import { KmsOwner, kmsEnvironment, type OwnedKey } from '../../support/kms/owner.ts';

export const signal = new AbortController().signal;

export function reference(uri: string): KeyReference {
  const parsed = parseKeyUri(uri);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.problem);
  return parsed.reference;
}

/** The code with which it refuses. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof EvidenceError, `expected a refusal, found ${error}`);
  return error.code;
}

/** Specs with the word that is shown for each; `undefined` for those that are not judged. */
export const SPECS: Readonly<Record<string, string | undefined>> = {
  RSA_2048: 'RSA 2048',
  RSA_3072: 'RSA 3072',
  RSA_4096: 'RSA 4096',
  ECC_NIST_P256: 'ECDSA P-256',
  ECC_NIST_P384: 'ECDSA P-384',
  ECC_NIST_P521: 'ECDSA P-521',
  ECC_NIST_EDWARDS25519: 'Ed25519',
  ECC_SECG_P256K1: undefined,
  SM2: undefined,
  ML_DSA_44: 'ML-DSA-44',
  ML_DSA_65: 'ML-DSA-65',
  ML_DSA_87: 'ML-DSA-87',
};

/** What any KMS has to show. `lacks` are the specs that it does not offer, which is shown too. */
export function itKeepsKeys(
  start: () => Promise<{ url: string; stop(): Promise<void> }>,
  lacks: readonly string[],
): void {
  let kms: { url: string; stop(): Promise<void> };
  let owner: KmsOwner;
  let manager: KeyManager;
  let key: OwnedKey;

  before(async () => {
    kms = await start();
    Object.assign(process.env, kmsEnvironment(kms.url));
    owner = new KmsOwner(kms.url);
    manager = createAwsKeyManager();
    key = await owner.create('ECC_NIST_P256');
  });
  after(async () => {
    owner.close();
    await kms.stop();
  });

  for (const [spec, algorithm] of Object.entries(SPECS)) {
    if (lacks.includes(spec)) {
      it(`does not offer ${spec}`, async () => {
        await assert.rejects(owner.create(spec));
      });
    } else if (algorithm === undefined) {
      it(`has keys of ${spec}, which are not judged here`, async () => {
        const { state } = await manager.describe(reference(`awskms:///${(await owner.create(spec)).id}`), signal);
        assert.equal(state.kind === 'unusable' && state.code, 'KEY_UNSUITABLE');
      });
    } else {
      it(`signs with ${spec} by each algorithm that is judged here, and it holds here and there`, async () => {
        const made = await owner.create(spec);
        const ref = reference(`awskms:///${made.arn}`);
        const { keys, resource, state } = await manager.describe(ref, signal);
        assert.deepEqual([resource, state.kind, keys[0]?.algorithm], [made.arn, 'usable', algorithm]);
        const [key] = keys;
        assert.ok(key);
        const message = Buffer.from('a message');
        const used = made.algorithms.filter((name) => name !== 'ED25519_PH_SHA_512'); // it takes digests only
        for (const name of used) {
          const signature = await owner.sign(made, name, message);
          assert.equal(holds(signature, message, key), true, name);
          assert.equal(holds(signature, Buffer.from('another'), key), false, name);
          assert.equal(await manager.verify(ref, key, message, signature, signal), true, name);
        }
        assert.equal(key.schemes.length, used.length);
        const ours = await manager.sign(ref, message, signal);
        assert.equal(holds(ours.signature, message, key), true);
        assert.equal(ours.key.keyId, key.keyId);
      });
    }
  }

  it('is asked for a key by id, ARN, alias and ARN of an alias, and always names the key itself', async () => {
    await owner.name('alias/of/a-release_key', key);
    const account = key.arn.slice(0, key.arn.indexOf(':key/'));
    for (const name of [key.id, key.arn, 'alias/of/a-release_key', `${account}:alias/of/a-release_key`]) {
      const { resource, keys } = await manager.describe(reference(`awskms:///${name}`), signal);
      assert.deepEqual([resource, keys.length], [key.arn, 1], name);
    }
  });

  it('tells each state, and that it has ended', async () => {
    const ref = reference(`awskms:///${key.id}`);
    const codeNow = async () => {
      const { state, keys } = await manager.describe(ref, signal);
      return state.kind === 'usable' ? `usable ${keys.length}` : `${state.code} ${keys.length}`;
    };
    const seen = [await codeNow()];
    for (const step of ['disable', 'enable', 'scheduleDeletion', 'cancelDeletion', 'enable'] as const) {
      await owner[step](key);
      seen.push(`${step}: ${await codeNow()}`);
    }
    assert.deepEqual(seen, [
      'usable 1',
      'disable: KEY_DISABLED 0',
      'enable: usable 1',
      'scheduleDeletion: KEY_PENDING_DELETION 0',
      'cancelDeletion: KEY_DISABLED 0',
      'enable: usable 1',
    ]);
  });

  it('does not sign with, or verify by, a key that is disabled', async () => {
    const ref = reference(`awskms:///${key.id}`);
    const { signature, key: used } = await manager.sign(ref, Buffer.from('m'), signal);
    await owner.disable(key);
    assert.equal(await codeOf(manager.sign(ref, Buffer.from('m'), signal)), 'KEY_DISABLED');
    assert.equal(await codeOf(manager.verify(ref, used, Buffer.from('m'), signature, signal)), 'KEY_DISABLED');
    await owner.enable(key);
  });

  it('knows no other key', async () => {
    const { state } = await manager.describe(reference('awskms:///00000000-0000-4000-8000-000000000000'), signal);
    assert.equal(state.kind === 'unusable' && state.code, 'KEY_NOT_FOUND');
    const other = await manager.describe(reference('awskms:///alias/nobody'), signal);
    assert.equal(other.state.kind === 'unusable' && other.state.code, 'KEY_NOT_FOUND');
  });

  it('follows an alias to the key that it means now', async () => {
    const [one, other] = [await owner.create('ECC_NIST_P256'), await owner.create('ECC_NIST_P256')];
    await owner.name('alias/moves', one);
    const ref = reference('awskms:///alias/moves');
    assert.equal((await manager.describe(ref, signal)).resource, one.arn);
    await owner.rename('alias/moves', other);
    assert.equal((await manager.describe(ref, signal)).resource, other.arn);
  });
}
