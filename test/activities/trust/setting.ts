import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import type { TrustEvent } from '../../../activities/trust/known-root.ts';
import { createTrustStore, type ManagedTrustStore, type TrustStoreOptions } from '../../../activities/trust/store.ts';
import type { TrustRootDocument } from '../../../activities/trust/trust-root-document.ts';
import { readTrustedRootJson } from '../../../activities/trust/trusted-root/trusted-root-json.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { createVirtualSigstore } from '../../support/virtual-sigstore/sigstore.ts';
import { type TrustPlan, trustedRootJson } from '../../support/virtual-sigstore/trusted-root.ts';
import { type Publication, TufRepository } from './tuf-repository.ts';
import { startTufServer, type TufServer } from './tuf-server.ts';

/** One Sigstore for all tests of a file: its trust roots differ by their plans. */
export const SIGSTORE = createVirtualSigstore(new Date('2026-06-01T12:00:00Z'));

/** The bytes of a `trusted_root.json`; `bend` changes the plan first. */
export function trustedRootBytes(bend: (plan: TrustPlan) => void = () => {}): Buffer {
  const plan = SIGSTORE.trustPlan();
  bend(plan);
  return Buffer.from(JSON.stringify(trustedRootJson(plan)));
}

export function targetsOf(bytes: Uint8Array = trustedRootBytes()): Publication['targets'] {
  return { 'trusted_root.json': bytes };
}

/** A repository and a mirror that serves it. */
export async function startMirror(
  t: TestContext,
  publication: Partial<Publication> = {},
): Promise<{ readonly repository: TufRepository; readonly server: TufServer; readonly document: TrustRootDocument }> {
  const repository = new TufRepository({ targets: targetsOf(), ...publication });
  const server = await startTufServer(repository.files);
  t.after(() => server.stop());
  return { repository, server, document: remote(repository, server.url) };
}

export function remote({ initialRoot }: TufRepository, mirror: URL): TrustRootDocument {
  return { name: 'acme', source: { kind: 'remote', root: initialRoot, mirror, target: 'trusted_root.json' } };
}

export interface StoreUnderTest {
  readonly store: ManagedTrustStore;
  readonly events: TrustEvent[];
}

/** A store that is told nothing yet; its timers end with the test. */
export function storeFor(t: TestContext, options: TrustStoreOptions = {}): StoreUnderTest {
  const events: TrustEvent[] = [];
  const store = createTrustStore({ onChange: (event) => events.push(event), ...options });
  t.after(() => store.stop());
  return { store, events };
}

/** Uses one document, and waits for its mirror to have answered or failed. */
export async function useAndRefresh(store: ManagedTrustStore, document: TrustRootDocument): Promise<void> {
  await store.use([document], new Set([document.name]));
  await store.refresh();
}

/** The code and the sentence that a trust root can't be found with. */
export function refusal(
  store: ManagedTrustStore,
  name = 'acme',
): { readonly code: string; readonly message: string; readonly retryable: boolean } {
  try {
    store.find(name);
  } catch (error) {
    assert.ok(error instanceof EvidenceError);
    assert.doesNotMatch(error.message, /\n/);
    const { code, message, retryable } = error;
    return { code, message, retryable };
  }
  return assert.fail(`the trust root ${name} was found`);
}

export async function cacheFolder(t: TestContext): Promise<string> {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  return folder.path;
}

/** The document that a `trusted_root.json` is. */
export function keys(name: string, bytes: Uint8Array = trustedRootBytes()): TrustRootDocument {
  const read = readTrustedRootJson(name, bytes, 'refuse');
  assert.ok(read.ok, read.ok ? '' : read.problem);
  return read.document;
}

export const names = (...list: readonly string[]) => new Set(list);
