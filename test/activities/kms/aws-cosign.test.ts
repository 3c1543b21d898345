import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { createAwsKeyManager } from '../../../activities/kms/aws/manager.ts';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import { findSignatures, readSignature } from '../../../activities/registry/evidence/signatures.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import { judge } from '../../../activities/sigstore/signature.ts';
import { type Kms, startKms } from '../../../infra/stack/kms.ts';
import { type Registry, startRegistry } from '../../../infra/stack/registry.ts';
import { obtain } from '../../../infra/tools/obtain.ts';
import type { Digest } from '../../../workflows/format/digest.ts';
import { KmsOwner, kmsEnvironment } from '../../support/kms/owner.ts';
import { allowInternal } from '../../support/loopback.ts';
import { pushImage } from '../../support/registry-push.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { byKey } from '../sigstore/verdict-of.ts';
import { reference, signal } from './aws-suite.ts';

allowInternal('127.0.0.0/8');

/** What cosign 3 and cosign 2 write without any service but registry and KMS. */
const SIGNERS = [
  ['cosign', ['--signing-config=signing-config.json']],
  ['cosign2', ['--tlog-upload=false']],
] as const;

/** What both of them and the server know. */
const SPECS = ['RSA_2048', 'RSA_3072', 'RSA_4096', 'ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521'] as const;

describe('images that real cosign signs by a key in a real KMS server', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let kms: Kms;
  let owner: KmsOwner;
  let registry: Registry;
  let programs: Readonly<Record<'cosign' | 'cosign2', string>>;
  before(async () => {
    folder = await temporaryFolder();
    kms = await startKms({ dir: folder.path });
    Object.assign(process.env, kmsEnvironment(kms.url));
    owner = new KmsOwner(kms.url);
    registry = await startRegistry({ dir: folder.path, kind: 'referrers' });
    programs = await obtain(['cosign', 'cosign2']);
    await cosign('cosign', 'signing-config', 'create', '--out', 'signing-config.json');
  });
  after(async () => {
    owner?.close();
    await registry?.stop();
    await kms?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  for (const spec of SPECS) {
    for (const [signer, options] of SIGNERS) {
      it(`hold when ${signer} made them by ${spec}, as long as the key is enabled`, async () => {
        const key = await owner.create(spec);
        const alias = `alias/${signer}/${spec}`;
        await owner.name(alias, key);
        const image = await pushSigned(signer, [...options, `--key=awskms:///${alias}`], `${signer}-${spec}`);
        const seen = [await judgementOf(image, alias)];
        await owner.disable(key);
        seen.push(await judgementOf(image, alias));
        await owner.enable(key);
        seen.push(await judgementOf(image, key.arn));
        await owner.scheduleDeletion(key);
        seen.push(await judgementOf(image, key.id));
        await owner.cancelDeletion(key);
        await owner.enable(key);
        seen.push(await judgementOf(image, alias));
        await owner.rename(alias, await owner.create(spec));
        const other = await judgementOf(image, alias);
        assert.deepEqual(seen, ['valid', 'KEY_DISABLED', 'valid', 'KEY_PENDING_DELETION', 'valid']);
        assert.ok(other === 'WRONG_KEY' || other === 'SIGNATURE_INVALID', other);
      });
    }
  }

  async function cosign(program: 'cosign' | 'cosign2', ...args: readonly string[]): Promise<void> {
    await promisify(execFile)(programs[program], args, { cwd: folder.path });
  }

  interface Image {
    readonly name: string;
    readonly digest: Digest;
    readonly repository: string;
  }

  async function pushSigned(signer: 'cosign' | 'cosign2', options: readonly string[], name: string): Promise<Image> {
    const path = `signed/${name.toLowerCase()}`;
    const digest = await pushImage({ address: registry.address, repository: path }, 'latest');
    const repository = `${registry.address}/${path}`;
    await cosign(signer, 'sign', '--yes', '--allow-http-registry', ...options, `${repository}@${digest}`);
    return { name: `${repository}:latest`, digest, repository };
  }

  /** Of the one signature of an image, or what the key's state comes to. */
  async function judgementOf({ name, digest, repository }: Image, key: string): Promise<string> {
    const { keys, state } = await createAwsKeyManager().describe(reference(`awskms:///${key}`), signal);
    if (state.kind === 'unusable') return state.code;
    const client = createRegistry({ credentials: anonymous });
    const { signatures } = await findSignatures(client, { name, digest, source: {} }, signal);
    const [found, ...more] = signatures;
    const [candidate] = keys;
    assert.ok(found !== undefined && more.length === 0 && candidate !== undefined);
    const content = await readSignature(client, name, found, signal);
    const judgement = judge(content, byKey(candidate), { digest, repository }, { now: new Date() });
    return judgement.valid ? 'valid' : judgement.code;
  }
});
