import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { copyFile, cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { build } from '../../infra/build.ts';
import { type Containerd, startContainerd } from '../../infra/stack/containerd.ts';
import { type Fulcio, startFulcio } from '../../infra/stack/sigstore/fulcio.ts';
import { type KeylessCosign, type KeylessFormat, useKeylessCosign } from '../../infra/stack/sigstore/keyless-cosign.ts';
import { startRekor } from '../../infra/stack/sigstore/rekor.ts';
import { trustRootYaml } from '../../infra/stack/sigstore/trust-root.ts';
import { type Sigstore, startSigstore } from '../../infra/stack/sigstore.ts';
import { connectCri } from '../../shim/containerd/cri.ts';
import { fillLog, replaceLog } from '../support/fill-log.ts';
import { pushImage } from '../support/image.ts';
import { startTestHouse, type TestHouse } from '../support/pull.ts';
import { keylessPolicies, RELEASE_EMAIL, RELEASE_REPOSITORY, TRUST_ROOT } from './keyless-policies.ts';

const MALLORY = 'mallory@example.com';
const PROVENANCE = 'slsaprovenance1';
const BUILDER = 'https://example.com/builder';
/** More than the honest log gets here. */
const FORK_SIZE = 60;
/** A changed trust root has reached every node after this, in ms (design: 15 s), on a machine that is busy. */
const PROPAGATION_MS = 15_000;

let sigstore: Sigstore;
let house: TestHouse;
let containerd: Containerd;
/** Signs by a Fulcio that the policies do not trust, and by the log and the timestamps that they do trust. */
let stranger: KeylessCosign;
let strangersFulcio: Fulcio;
const running = new AsyncDisposableStack();

before(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-keyless-'));
  running.defer(() => rm(dir, { recursive: true }));
  sigstore = await startSigstore({ dir: join(dir, 'sigstore'), rekorV1: true });
  running.defer(() => sigstore.stop());
  const otherDir = join(dir, 'stranger');
  await mkdir(otherDir);
  strangersFulcio = await startFulcio({ dir: otherDir, issuer: sigstore.issuer, ctLog: sigstore.ctLog });
  running.defer(() => strangersFulcio.stop());
  stranger = await useKeylessCosign(otherDir, { ...sigstore, fulcio: strangersFulcio });
  house = await startTestHouse({ policies: (registry) => keylessPolicies(sigstore, registry) });
  running.defer(() => house.stop());
  const binDir = join(dir, 'verifiers');
  await mkdir(binDir);
  await copyFile((await build()).launcher, join(binDir, 'portcullis-verifier'));
  containerd = await startContainerd({
    ...{ dir, binDir, plainHttpRegistry: house.registry.address },
    extraEnv: { PORTCULLIS_SOCKET: house.launcherSocket },
  });
  running.defer(() => containerd.stop());
});
after(() => running.disposeAsync());

/** An image like no other, by digest. */
async function push(repository: string): Promise<string> {
  const { address } = house.registry;
  const { digest } = await pushImage({
    ...{ registry: address, repository, tag: randomUUID() },
    files: { unique: randomUUID() },
  });
  return `${address}/${repository}@${digest}`;
}

/** Why containerd was refused the image; `undefined` when it was pulled. */
async function pull(image: string): Promise<string | undefined> {
  const { code, stderr } = await containerd.ctr(['image', 'pull', '--plain-http', image]);
  return code === 0 ? undefined : stderr;
}

async function assertPulled(image: string): Promise<void> {
  assert.equal(await pull(image), undefined);
}

async function assertRefused(image: string, code: string): Promise<void> {
  assert.match(String(await pull(image)), new RegExp(`rejected image \\(exit code 1\\): ${code}: [^\\n]+\\n`));
}

const release = () => sigstore.issuer.token(RELEASE_EMAIL);

describe('an image of which a policy wants a keyless signature', () => {
  for (const format of ['bundle', 'legacy'] as const satisfies readonly KeylessFormat[]) {
    it(`is pulled when the right person signed it by a ${format}`, async () => {
      const image = await push('keyless/app');
      await sigstore.cosign.sign(image, release(), format);
      await assertPulled(image);
    });

    it(`is refused when somebody else signed it by a ${format}`, async () => {
      const image = await push('keyless/app');
      await sigstore.cosign.sign(image, sigstore.issuer.token(MALLORY), format);
      await assertRefused(image, 'WRONG_IDENTITY');
    });

    it(`is refused when the certificate of a ${format} is by another Fulcio`, async () => {
      const image = await push('keyless/app');
      await stranger.sign(image, release(), format);
      await assertRefused(image, 'CERTIFICATE_UNTRUSTED');
    });
  }

  it('is pulled by the CRI too', async () => {
    const image = await push('keyless/app');
    await sigstore.cosign.sign(image, release());
    const cri = connectCri(containerd.address);
    try {
      assert.notEqual(await cri.pullImage(image), '');
    } finally {
      cri.close();
    }
  });

  it('is pulled when others signed it as well', async () => {
    const image = await push('keyless/app');
    await sigstore.cosign.sign(image, sigstore.issuer.token(MALLORY));
    await stranger.sign(image, release());
    await sigstore.cosign.sign(image, release());
    await assertPulled(image);
  });

  it('is refused when nobody signed it', async () => {
    await assertRefused(await push('keyless/app'), 'UNSIGNED');
  });

  it('is refused when it is signed by a key', async () => {
    const image = await push('keyless/app');
    await house.cosign.sign(image, 'release');
    await assertRefused(image, 'WRONG_IDENTITY');
  });

  it('is pulled unsigned where the policy only warns, and the log says why it would be refused', async () => {
    const image = await push('warned/app');
    await assertPulled(image);
    const log = await readFile(house.shim.log, 'utf8');
    const decision = log.split('\n').find((line) => line.includes(image) && line.includes('"decision"'));
    assert.match(decision ?? '', /POLICY_WARNS.*UNSIGNED/);
  });
});

describe('an image of which a policy wants the source repository', () => {
  it('is pulled when a workflow of that repository signed it', async () => {
    const image = await push('workflow/app');
    const token = sigstore.issuer.workflowToken({ repository: RELEASE_REPOSITORY });
    await sigstore.cosign.sign(image, token);
    await assertPulled(image);
  });

  it('is refused when the same workflow of another repository signed it', async () => {
    const image = await push('workflow/app');
    await sigstore.cosign.sign(image, sigstore.issuer.workflowToken({ repository: 'mallory/app' }));
    await assertRefused(image, 'WRONG_CLAIM');
  });

  it('is refused when a person signed it', async () => {
    const image = await push('workflow/app');
    await sigstore.cosign.sign(image, release());
    await assertRefused(image, 'WRONG_IDENTITY');
  });
});

describe('an image of which a policy wants an attestation', () => {
  const provenance = (id: string) => ({
    type: PROVENANCE,
    predicate: {
      buildDefinition: { buildType: 'https://example.com/build', externalParameters: {}, resolvedDependencies: [] },
      runDetails: { builder: { id } },
    },
  });

  for (const format of ['bundle', 'legacy'] as const satisfies readonly KeylessFormat[]) {
    it(`is pulled when a ${format} attests what the condition wants`, async () => {
      const image = await push('attested/app');
      await sigstore.cosign.attest(image, release(), provenance(BUILDER), format);
      await assertPulled(image);
    });
  }

  it('is refused when the attestation says something else', async () => {
    const image = await push('attested/app');
    await sigstore.cosign.attest(image, release(), provenance('https://mallory.example.com/'));
    await assertRefused(image, 'CONDITION_FAILED');
  });

  it('is refused when it is signed, and attested in another way', async () => {
    const image = await push('attested/app');
    await sigstore.cosign.sign(image, release());
    await sigstore.cosign.attest(image, release(), { type: 'https://example.com/other', predicate: { id: BUILDER } });
    await assertRefused(image, 'ATTESTATION_MISSING');
  });

  it('is refused when somebody else attests it', async () => {
    const image = await push('attested/app');
    await sigstore.cosign.attest(image, sigstore.issuer.token(MALLORY), provenance(BUILDER));
    await assertRefused(image, 'WRONG_IDENTITY');
  });

  it('is refused when there is nothing at all', async () => {
    await assertRefused(await push('attested/app'), 'UNSIGNED');
  });
});

describe('an image of which a policy wants the log to be asked', () => {
  it('is pulled when the log, of either generation, knows the entry', async () => {
    const [first, second] = [await push('asked/app'), await push('asked/app')];
    await sigstore.cosign.sign(first, release());
    await sigstore.cosign.sign(second, release(), 'legacy');
    await assertPulled(first);
    await assertPulled(second);
  });

  it('is refused while the log can not be asked, where no other policy cares', async () => {
    const [asked, other] = [await push('asked/app'), await push('keyless/app')];
    for (const image of [asked, other]) await sigstore.cosign.sign(image, release(), 'legacy');
    await sigstore.rekorV1?.stop();
    await assertRefused(asked, 'LOG_UNREACHABLE');
    await assertPulled(other);
  });

  it('is refused when the log shows another history than before', async () => {
    const image = await push('asked/app');
    await sigstore.cosign.sign(image, release());
    const fork = join(sigstore.dir, 'fork');
    await mkdir(fork);
    const other = await startRekor(fork, sigstore.rekor.privateKey);
    running.defer(() => other.stop());
    await fillLog(other.url, FORK_SIZE);
    const honest = join(fork, 'honest');
    sigstore.rekor.suspend();
    await cp(sigstore.rekor.tiles, honest, { recursive: true });
    await replaceLog(sigstore.rekor, other.tiles);
    await assertRefused(image, 'LOG_INCONSISTENT');
    await replaceLog(sigstore.rekor, honest);
    sigstore.rekor.resume();
  });
});

describe('an image that was pulled', () => {
  it('is refused once the trust root no longer names who certified its signer', async () => {
    const image = await push('keyless/app');
    await sigstore.cosign.sign(image, release());
    await assertPulled(image);
    const other = await trustRootYaml(TRUST_ROOT, { ...sigstore, fulcio: strangersFulcio });
    await writeFile(join(house.policyDirectory, 'trust-root.yaml.new'), other);
    await rename(join(house.policyDirectory, 'trust-root.yaml.new'), join(house.policyDirectory, 'trust-root.yaml'));
    await delay(PROPAGATION_MS);
    await assertRefused(image, 'CERTIFICATE_UNTRUSTED');
  });
});
