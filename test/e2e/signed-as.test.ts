import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { obtain } from '../../infra/tools/obtain.ts';
import { pushImage } from '../support/image.ts';
import { assertAllowed, assertRefused, startTestHouse, type TestHouse } from '../support/pull.ts';

type Version = 'cosign' | 'cosign2';

const OLDER_FORMAT: Readonly<Record<Version, readonly string[]>> = {
  cosign: ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false'],
  cosign2: ['--tlog-upload=false'],
};

let house: TestHouse;
let folder: string;
let binaries: Readonly<Record<Version, string>>;

async function cosign(version: Version, ...args: readonly string[]): Promise<void> {
  const env = { ...process.env, COSIGN_PASSWORD: '' };
  await promisify(execFile)(binaries[version], args, { cwd: folder, env });
}

/** A policy for the images below `path`, and what it demands of the names that were signed. */
function policy(registry: string, path: string, pem: string, demand: object | undefined): string {
  const key = { data: pem };
  const spec = { images: [{ glob: `${registry}/${path}/**` }], authorities: [{ name: 'release', key }] };
  const metadata = { name: path };
  const documents: object[] = [
    { apiVersion: 'policy.sigstore.dev/v1beta1', kind: 'ClusterImagePolicy', metadata, spec },
  ];
  const requirement = { apiVersion: 'portcullis.dev/v1alpha1', kind: 'AuthorityRequirement', metadata };
  if (demand !== undefined) documents.push({ ...requirement, spec: { policy: path, ...demand } });
  return documents.map((one) => JSON.stringify(one)).join('\n---\n');
}

before(async () => {
  binaries = await obtain(['cosign', 'cosign2']);
  folder = await mkdtemp(join(tmpdir(), 'portcullis-signed-as-'));
  await cosign('cosign', 'generate-key-pair', '--output-key-prefix=origin');
  const pem = await readFile(join(folder, 'origin.pub'), 'utf8');
  house = await startTestHouse({
    policies: async (registry) => ({
      'copies.yaml': policy(registry, 'copies', pem, undefined),
      'mirror.yaml': policy(registry, 'mirror', pem, {
        signedAs: [{ prefix: `${registry}/mirror`, signedPrefix: `${registry}/origin` }],
      }),
      'exact.yaml': policy(registry, 'exact', pem, {
        ...{ signedReference: 'exact', signedAs: [{ glob: `${registry}/origin/**` }] },
      }),
    }),
  });
});
after(async () => {
  await house.stop();
  await rm(folder, { recursive: true });
});

async function pushSigned(version: Version, repository: string, ...options: readonly string[]) {
  const { address } = house.registry;
  const image = await pushImage({ registry: address, repository, tag: 'v1', files: { unique: randomUUID() } });
  const signed = `${address}/${repository}@${image.digest}`;
  await cosign(version, 'sign', '--yes', '--allow-http-registry', '--key=origin.key', ...options, signed);
  return image;
}

async function copy(version: Version, from: string, to: string): Promise<string> {
  const { address } = house.registry;
  await cosign(version, 'copy', '--allow-http-registry', `${address}/${from}`, `${address}/${to}`);
  return `${address}/${to}`;
}

for (const version of ['cosign', 'cosign2'] as const) {
  describe(`an image that ${version} copies with its signature`, () => {
    it('is allowed where signedAs lists the first repository, and denied where it does not', async () => {
      const { digest } = await pushSigned(version, `origin/${version}`, ...OLDER_FORMAT[version]);
      const mirror = await copy(version, `origin/${version}:v1`, `mirror/${version}:v1`);
      assertAllowed(await house.pull(mirror, digest));
      assertAllowed(await house.pull(`${mirror.replace(/:v1$/, '')}@${digest}`, digest));
      const elsewhere = await copy(version, `origin/${version}:v1`, `copies/${version}:v1`);
      const run = await house.pull(elsewhere, digest);
      assertRefused(run, 'REPOSITORY_MISMATCH');
      assert.match(run.stdout, new RegExp(`expected [^ ]+/copies/${version}, it names "[^"]+/origin/${version}"`));
    });

    it('is denied below a mirror under the name of another image', async () => {
      const { digest } = await pushSigned(version, `origin/${version}-debug`, ...OLDER_FORMAT[version]);
      const mirror = await copy(version, `origin/${version}-debug:v1`, `mirror/${version}-release:v1`);
      assertRefused(await house.pull(mirror, digest), 'REPOSITORY_MISMATCH');
    });
  });
}

describe('an image that is signed under a reference with a tag', () => {
  it('is allowed under this tag alone where the policy requires the exact reference', async () => {
    const { address } = house.registry;
    const container = `--sign-container-identity=${address}/origin/tagged:v1`;
    const { digest } = await pushSigned('cosign2', 'origin/tagged', ...OLDER_FORMAT.cosign2, container);
    const image = await copy('cosign2', 'origin/tagged:v1', 'exact/tagged:v1');
    assertAllowed(await house.pull(image, digest));
    const retagged = await house.pull(image.replace(/:v1$/, ':v2'), digest);
    assertRefused(retagged, 'REFERENCE_MISMATCH');
    assert.match(retagged.stdout, /expected the tag "v2", it names "[^"]+\/origin\/tagged:v1"/);
    const untagged = await house.pull(`${image.replace(/:v1$/, '')}@${digest}`, digest);
    assertRefused(untagged, 'REFERENCE_MISMATCH');
    assert.match(untagged.stdout, /the image is pulled without a tag, .*; pull it by its tag/);
  });

  it('is denied without a tag in the signature, and with a bundle, which names none', async () => {
    const { digest } = await pushSigned('cosign2', 'exact/untagged', ...OLDER_FORMAT.cosign2);
    const run = await house.pull(`${house.registry.address}/exact/untagged:v1`, digest);
    assertRefused(run, 'REFERENCE_MISMATCH');
    assert.match(run.stdout, /it names "[^"]+\/exact\/untagged", which has no tag/);
    await cosign('cosign', 'signing-config', 'create', '--out', 'signing-config.json');
    const bundle = await pushSigned('cosign', 'exact/bundle', '--signing-config=signing-config.json');
    const unnamed = await house.pull(bundle.name, bundle.digest);
    assertRefused(unnamed, 'REFERENCE_MISMATCH');
    assert.match(unnamed.stdout, /the signature is a bundle, which names no reference/);
  });
});
