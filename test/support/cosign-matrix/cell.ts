import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import { findSignatures, readSignature } from '../../../activities/registry/evidence/signatures.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import type { LayerAnnotations, SignatureContent } from '../../../activities/sigstore/evidence/content.ts';
import { judge } from '../../../activities/sigstore/signature.ts';
import type { Digest } from '../../../workflows/format/digest.ts';
import { asBundle } from '../independent-judge/as-bundle.ts';
import { independentJudge } from '../independent-judge/judge.ts';
import { DSSE_ENVELOPE, pushBundle, pushCosignTag, SIMPLE_SIGNING, type Target } from '../registry-push.ts';
import { cosignQuestion, type Demand, requirementOf } from './demand.ts';
import type { Generation, Scenario } from './scenario.ts';
import { PREDICATE_TYPE } from './signing.ts';
import type { Workbench } from './workbench.ts';

/** Evidence that lies in a repository of its own, and what is asked of it. */
export interface Published {
  readonly repository: string;
  readonly digest: Digest;
  /** The repository that the image was signed in; legacy signatures name it. */
  readonly signedAt: string;
  readonly format: Scenario['format'];
  readonly demand: Demand;
}

/** One answer: a program's yes or no, and why not. */
export interface Answer {
  readonly yes: boolean;
  readonly why: string;
  /** `accepted`, or why the package `sigstore` refuses what we accept; `undefined` where it was not asked. */
  readonly sigstore?: string;
}

/** Puts evidence under an image of any repository, in the form that it has. */
export async function publish(bench: Workbench, image: Image, content: SignatureContent): Promise<void> {
  const target = { address: bench.registry.address, repository: image.repository };
  await copyManifest(target, image);
  const tag = image.digest.replace(':', '-');
  switch (content.format) {
    case 'bundle':
      await pushBundle(target, image.digest, content.bundle);
      return;
    case 'simple-signing': {
      const layer = { mediaType: SIMPLE_SIGNING, content: content.payload, annotations: namesOf(content.annotations) };
      await pushCosignTag(target, `${tag}.sig`, [layer]);
      return;
    }
    case 'envelope': {
      const annotations = { predicateType: PREDICATE_TYPE, ...namesOf(content.annotations) };
      await pushCosignTag(target, `${tag}.att`, [{ mediaType: DSSE_ENVELOPE, content: content.envelope, annotations }]);
      return;
    }
  }
}

/** An image that is copied from another repository, its digest unchanged. */
export interface Image {
  readonly repository: string;
  readonly digest: Digest;
  readonly from: string;
}

async function copyManifest({ address, repository }: Target, { digest, from }: Image): Promise<void> {
  const read = await fetch(`http://${address}/v2/${from}/manifests/${digest}`);
  assert.equal(read.status, 200);
  const headers = { 'content-type': read.headers.get('content-type') ?? '' };
  const body = await read.arrayBuffer();
  const written = await fetch(`http://${address}/v2/${repository}/manifests/${digest}`, {
    method: 'PUT',
    headers,
    body,
  });
  assert.equal(written.status, 201);
}

function namesOf({ signature = '', certificate, chain, bundle, timestamp }: LayerAnnotations) {
  return {
    'dev.cosignproject.cosign/signature': signature,
    ...(certificate !== undefined && { 'dev.sigstore.cosign/certificate': certificate }),
    ...(chain !== undefined && { 'dev.sigstore.cosign/chain': chain }),
    ...(bundle !== undefined && { 'dev.sigstore.cosign/bundle': bundle }),
    ...(timestamp !== undefined && { 'dev.sigstore.cosign/rfc3161timestamp': timestamp }),
  };
}

/** What a cosign says; `undefined` where it can't be asked that. */
export async function cosignSays(
  bench: Workbench,
  generation: Generation,
  { repository, digest, format, demand }: Published,
): Promise<Answer | undefined> {
  const question = cosignQuestion(bench, generation, format, demand);
  if (question === undefined) return undefined;
  const image = `${bench.registry.address}/${repository}@${digest}`;
  const { ok, said } = await bench.cosign(generation, [...question.args, image], question.environment);
  return { yes: ok, why: said };
}

/** What we say: from the registry to the judgement, as the worker does it. */
export async function weSay(bench: Workbench, published: Published): Promise<Answer> {
  const { repository, digest, signedAt, demand } = published;
  const registry = createRegistry({ credentials: anonymous });
  const name = `${bench.registry.address}/${repository}:v1`;
  const signal = AbortSignal.timeout(60_000);
  const { signatures, unreadable } = await findSignatures(registry, { name, digest, source: {} }, signal);
  const requirement = requirementOf(bench, demand);
  const expected = { digest, repository: `${bench.registry.address}/${signedAt}` };
  const reasons = unreadable.map(({ code, sentence }) => `${code} ${sentence}`);
  for (const reference of signatures) {
    const content = await readSignature(registry, name, reference, signal);
    const judgement = judge(content, requirement, expected, { now: new Date() });
    if (judgement.valid) {
      const sigstore = await sigstoreSays(bench, demand, content);
      return { yes: true, why: judgement.identity, ...(sigstore === undefined ? {} : { sigstore }) };
    }
    reasons.push(`${judgement.code} ${judgement.sentence}`);
  }
  return { yes: false, why: reasons.join('; ') || 'NO_SIGNATURE' };
}

/** What the package `sigstore` says of evidence that we accept, where it can be asked: of an identity that is an exact text. */
async function sigstoreSays(bench: Workbench, demand: Demand, content: SignatureContent): Promise<string | undefined> {
  const { signer, log, trust } = demand;
  const files = bench.trusts.get(trust);
  if (typeof signer === 'string' || signer.isPattern === true || files === undefined) return undefined;
  const question = { issuer: signer.issuer, subject: signer.subject, entries: log ? 1 : 0, certificateTimestamps: 1 };
  const judge = await independentJudge({ ...question, trustedRoot: await readFile(files.file, 'utf8') });
  const { bundle, artifact } = asBundle(content);
  return judge(bundle, artifact);
}
