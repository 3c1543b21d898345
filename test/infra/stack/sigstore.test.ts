import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Registry, startRegistry } from '../../../infra/stack/registry.ts';
import type { Signer } from '../../../infra/stack/sigstore/keyless-cosign.ts';
import { type Sigstore, startSigstore } from '../../../infra/stack/sigstore.ts';
import { pushImage } from '../../support/image.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const EMAIL = 'release@example.com';

describe("a Sigstore of one's own", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let registry: Registry;
  let sigstore: Sigstore;
  before(async () => {
    folder = await temporaryFolder();
    registry = await startRegistry({ dir: folder.path, kind: 'referrers' });
    sigstore = await startSigstore({ dir: join(folder.path, 'sigstore'), rekorV1: true });
  });
  after(async () => {
    await sigstore?.stop();
    await registry.stop();
    await folder[Symbol.asyncDispose]();
  });

  async function push(): Promise<string> {
    const where = { registry: registry.address, repository: 'app', tag: randomUUID() };
    const { digest } = await pushImage({ ...where, files: { unique: randomUUID() } });
    return `${registry.address}/app@${digest}`;
  }

  const person = (): Signer => ({ identity: EMAIL, issuer: sigstore.issuer.url });

  for (const format of ['bundle', 'legacy'] as const) {
    it(`signs and verifies as cosign does by a ${format}, certificate timestamp and log included`, async () => {
      const image = await push();
      await assert.rejects(sigstore.cosign.verify(image, person(), format), /no signatures found/);
      await sigstore.cosign.sign(image, sigstore.issuer.token(EMAIL), format);
      await sigstore.cosign.verify(image, person(), format);
      const other = { ...person(), identity: 'mallory@example.com' };
      await assert.rejects(sigstore.cosign.verify(image, other, format), /release@example\.com/);
    });

    it(`attests as a workflow by a ${format}`, async () => {
      const image = await push();
      const token = sigstore.issuer.workflowToken({ repository: 'example/app', ref: 'refs/heads/main' });
      const predicate = { answer: 42 };
      await sigstore.cosign.attest(image, token, { type: 'https://example.com/answer', predicate }, format);
      const tag = `${registry.address}/v2/app/manifests/${image.replace(/.*@sha256:/, 'sha256-')}.att`;
      const referrers = await fetch(`http://${image.replace('/app@', '/v2/app/referrers/')}`);
      // the OCI distribution specification: an index
      const { manifests } = (await referrers.json()) as { manifests: readonly unknown[] };
      const written = format === 'bundle' ? manifests.length : (await fetch(`http://${tag}`)).status;
      assert.equal(written, format === 'bundle' ? 1 : 200);
    });
  }

  it('logs every signature once, where readers find it', async () => {
    const sizeOf = async () => Number((await (await fetch(`${sigstore.rekor.url}/checkpoint`)).text()).split('\n')[1]);
    const before = await sizeOf().catch(() => 0);
    await sigstore.cosign.sign(await push(), sigstore.issuer.token(EMAIL));
    assert.equal(await sizeOf(), before + 1);
    const tile = await fetch(`${sigstore.rekor.url}/tile/entries/000.p/${before + 1}`);
    assert.equal(tile.status, 200);
    assert.equal((await fetch(`${sigstore.rekor.url}/../rekor.key`)).status, 404);
    assert.equal((await fetch(`${sigstore.rekor.url}/tile/0/..%2f..%2frekor.key`)).status, 404);
  });

  it('refuses a token of another issuer', async () => {
    await using other = await temporaryFolder();
    const stranger = await startSigstore({ dir: other.path });
    try {
      const signing = sigstore.cosign.sign(await push(), stranger.issuer.token(EMAIL));
      await assert.rejects(signing, /error processing the identity token/);
    } finally {
      await stranger.stop();
    }
  });

  it('describes itself as a TrustRoot with each service', async () => {
    const yaml = await sigstore.trustRootYaml('own');
    assert.match(yaml, /^kind: TrustRoot$/m);
    assert.match(yaml, /^ {2}name: own$/m);
    const { fulcio, rekor, rekorV1, ctLog, timestampAuthority } = sigstore;
    for (const url of [fulcio.url, rekor.url, rekorV1?.url, ctLog.url, timestampAuthority.url]) {
      assert.ok(yaml.includes(`: ${url}\n`), `${url} is in it`);
    }
    const certificate = (await readFile(fulcio.chain)).toString('base64');
    assert.ok(yaml.includes(certificate));
  });

  it('is gone without a trace when it is stopped', async () => {
    const { dir, issuer, rekor, fulcio } = sigstore;
    assert.ok((await processesIn(dir)).length >= 6, 'six servers run there');
    await sigstore.stop();
    assert.deepEqual(await processesIn(dir), []);
    for (const url of [`${issuer.url}/keys`, `${rekor.url}/checkpoint`, `${fulcio.url}/api/v2/trustBundle`]) {
      await assert.rejects(fetch(url), /fetch failed/);
    }
  });
});

describe('a Sigstore of which a part does not come up', () => {
  it('leaves no other part behind', async () => {
    await using folder = await temporaryFolder();
    await mkdir(join(folder.path, 'tiles'));
    await assert.rejects(startSigstore({ dir: folder.path }), /EEXIST.*tiles/);
    assert.deepEqual(await processesIn(folder.path), []);
  });
});

/** Ids of the processes that work in a folder. */
async function processesIn(dir: string): Promise<readonly string[]> {
  const all = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const folders = await Promise.all(all.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')));
  return all.filter((_, i) => folders[i] === dir);
}
