import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { judgeInThread } from '../../activities/judging/judge-pool.ts';
import { DEFAULT_EVIDENCE_BYTES } from '../../activities/limits.ts';
import { anonymous } from '../../activities/registry/credentials/credential.ts';
import { findSignatures, readSignature } from '../../activities/registry/evidence/signatures.ts';
import { createRegistry } from '../../activities/registry/registry.ts';
import { startRegistry } from '../../infra/stack/registry.ts';
import { obtain } from '../../infra/tools/obtain.ts';
import type { Digest } from '../../workflows/format/digest.ts';
import { allowInternal } from '../support/loopback.ts';
import { pushImage } from '../support/registry-push.ts';
import { byKey, goodKey } from './sigstore/verdict-of.ts';

allowInternal('127.0.0.0/8');

const MIB = 1024 * 1024;
const SPDX = 'https://spdx.dev/Document';
const execute = promisify(execFile);

/** An SBOM of so many MiB, as syft writes one. */
function sbom(mib: number): string {
  const packages = (index: number) => {
    const i = String(index).padStart(6, '0');
    return {
      SPDXID: `SPDXRef-Package-npm-${i}`,
      name: `package-${i}`,
      versionInfo: `1.${i}.0`,
      downloadLocation: 'https://packages.example/x/-/x.tgz',
      filesAnalyzed: false,
      licenseDeclared: 'MIT',
      externalRefs: [
        { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: `pkg:npm/p@${i}` },
      ],
    };
  };
  const each = JSON.stringify(packages(100_000)).length + 1;
  const list = Array.from({ length: Math.round((mib * MIB) / each) }, (_, i) => packages(i));
  return JSON.stringify({ spdxVersion: 'SPDX-2.3', SPDXID: 'SPDXRef-DOCUMENT', name: 'sbom', packages: list });
}

let dir = '';
let binaries: { readonly cosign: string; readonly cosign2: string };
let server: Awaited<ReturnType<typeof startRegistry>>;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-large-'));
  binaries = await obtain(['cosign', 'cosign2']);
  server = await startRegistry({ dir, kind: 'referrers' });
  await cosign('cosign', 'generate-key-pair');
  await cosign('cosign', 'signing-config', 'create', '--out', 'signing-config.json');
});
after(async () => {
  await server.stop();
  await rm(dir, { recursive: true });
});

function cosign(which: 'cosign' | 'cosign2', ...args: readonly string[]) {
  const env = { ...process.env, COSIGN_PASSWORD: '', HTTPS_PROXY: 'http://127.0.0.1:9' };
  return execute(binaries[which], args, { cwd: dir, env, maxBuffer: 512 * MIB });
}

async function attest(mib: number, which: 'cosign' | 'cosign2') {
  const repository = `sbom/app${mib}-${which}`;
  const digest = await pushImage({ address: server.address, repository }, 'v1');
  await writeFile(join(dir, 'sbom.json'), sbom(mib));
  const how = which === 'cosign' ? ['--signing-config=signing-config.json'] : ['--tlog-upload=false'];
  const image = `${server.address}/${repository}@${digest}`;
  const what = ['--key=cosign.key', '--type=spdxjson', '--predicate=sbom.json', '--allow-http-registry'];
  await cosign(which, 'attest', '--yes', ...how, ...what, image);
  const verify = ['verify-attestation', '--key=cosign.pub', '--type=spdxjson', '--insecure-ignore-tlog=true'];
  await cosign(which, ...verify, '--allow-http-registry', image);
  return { name: `${server.address}/${repository}:v1`, digest, repository: `${server.address}/${repository}` };
}

const images = new Map<string, ReturnType<typeof attest>>();

/** Each once. */
function attested(mib: number, which: 'cosign' | 'cosign2') {
  const known = images.get(`${mib} ${which}`) ?? attest(mib, which);
  images.set(`${mib} ${which}`, known);
  return known;
}

const never = new AbortController().signal;

async function verdictOn(
  { name, digest, repository }: { readonly name: string; readonly digest: Digest; readonly repository: string },
  wantsStatement: boolean,
) {
  const registry = createRegistry({ credentials: anonymous });
  const { signatures, unreadable } = await findSignatures(registry, { name, digest, source: {} }, never);
  assert.deepEqual(unreadable, []);
  const [reference] = signatures;
  assert.ok(reference !== undefined && signatures.length === 1);
  const content = await readSignature(registry, name, reference, never);
  const key = goodKey(await readFile(join(dir, 'cosign.pub'), 'utf8'));
  const requirement = { ...byKey(key), wanted: { kind: 'attestation', predicateTypes: [SPDX] } } as const;
  const asked = { content, requirement, expected: { digest, repository }, context: { now: new Date() } };
  return await judgeInThread({ repository, image: digest }, { ...asked, statement: wantsStatement }, never);
}

describe('an SBOM that real cosign attests and verifies', () => {
  for (const [mib, which] of [
    [9, 'cosign'],
    [17, 'cosign2'],
    [40, 'cosign'],
  ] as const) {
    it(`is verified with ${mib} MiB, by ${which}`, async () => {
      const image = await attested(mib, which);
      const begun = performance.now();
      const judgement = await verdictOn(image, false);
      const ms = Math.round(performance.now() - begun);
      assert.ok(judgement.valid, JSON.stringify(judgement));
      assert.equal(judgement.statement?.predicateType, SPDX);
      const rss = Math.round(process.resourceUsage().maxRSS / 1024);
      console.log(`${mib} MiB by ${which}: found, read and judged in ${ms} ms; at most ${rss} MiB resident so far`);
      const read = await verdictOn(image, true);
      assert.ok(read.valid);
      assert.ok((read.statement?.json?.length ?? 0) > mib * MIB * 0.99, 'all of it, where a condition wants it');
    });
  }

  it('is refused by its size where the worker is told less, with the setting', async () => {
    const { name, digest } = await attested(9, 'cosign');
    const registry = createRegistry({ credentials: anonymous, maxEvidenceBytes: 8 * MIB });
    const { signatures, unreadable } = await findSignatures(registry, { name, digest, source: {} }, never);
    assert.deepEqual(signatures, []);
    assert.equal(unreadable[0]?.code, 'EVIDENCE_TOO_LARGE');
    const words =
      /^layer 0 has 1\d{7} bytes, more than the 8388608 that are read; raise --max-evidence-mib of the workers$/;
    assert.match(unreadable[0]?.sentence ?? '', words);
    assert.ok(DEFAULT_EVIDENCE_BYTES > 40 * MIB * (4 / 3), 'by default 40 MiB are read');
  });
});
