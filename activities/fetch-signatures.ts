import type { SignatureSet, SignaturesRequest } from '../workflows/activities.ts';
import { policySet } from './authority/applied-policy.ts';
import { imageName } from './authority/image-name.ts';
import { registryOf } from './authority/judge-evidence.ts';
import { orLasting } from './border/attempt.ts';
import type { Dependencies } from './dependencies.ts';
import { listingTime, rememberListed } from './proof/listed-evidence.ts';
import { joinFailures, placesOf } from './registry/evidence/failed-places.ts';
import { searchEverySignature, searchSignatures } from './registry/evidence/signature-search.ts';

/**
 * Every place in one source where signatures and attestations of this digest can live. The bytes stay in the worker's
 * cache. A place that can't answer is named beside the evidence of the others; it fails the whole where there is no
 * evidence, or where the request wants every place and another try may help. `placeMs` bounds each list and artefact.
 * Throws the REGISTRY_ codes, POLICY_CHANGED.
 */
export async function fetchSignatures(
  dependencies: Dependencies,
  request: SignaturesRequest,
  signal: AbortSignal,
  placeMs: number,
): Promise<SignatureSet> {
  const set = policySet(dependencies, request.policyRevision);
  prefetchManifest(dependencies, request, signal);
  const registry = registryOf(dependencies, set, request.source);
  const subject = { name: request.name, digest: request.digest };
  const at = listingTime();
  if (request.source.everyPart === true) {
    const every = await searchEverySignature(registry, { ...request, placeMs }, signal, dependencies.registry);
    rememberListed(subject, every.signatures, at);
    return { signatures: every.signatures, unreadable: every.unreadable };
  }
  const found = await searchSignatures(registry, { ...request, placeMs }, signal, dependencies.registry);
  const { signatures, unreadable, more } = found;
  const failures = found.failures.map(orLasting);
  rememberListed(subject, signatures, at);
  const isFirst = (request.part ?? 0) === 0;
  const isUseless = isFirst && signatures.length === 0;
  // Another part goes before what is listed and gone, which anyone who may push can bring about.
  const mayCome = failures.filter(({ code, retryable }) => retryable && !(more && code === 'EVIDENCE_NOT_SERVED'));
  const isUnsettled = request.allPlaces === true && mayCome.length > 0;
  const failure = joinFailures(failures);
  if (failure !== undefined && (isUseless || isUnsettled)) throw failure;
  return {
    ...{ signatures, unreadable },
    ...(failure === undefined ? {} : { unavailable: placesOf(failures) }),
    ...(more ? { more: true } : {}),
  };
}

/** What an image contains is asked for when it is allowed: by then it is in the cache. */
function prefetchManifest(
  { registry }: Dependencies,
  { name, digest, source, part }: SignaturesRequest,
  signal: AbortSignal,
) {
  if (source.repository !== undefined || (part ?? 0) > 0) return;
  // Whatever is wrong is found out where the manifest is needed.
  registry.getManifest(imageName(name), digest, signal).catch(() => undefined);
}
