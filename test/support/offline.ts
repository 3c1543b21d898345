import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { importFolder, importName } from '../../shim/offline/import-folder.ts';
import { OFFLINE_FORMAT } from '../../shim/offline/offline-file.ts';
import type { Digest } from '../../workflows/format/digest.ts';
import { POLICY_HEAD_PAYLOAD_TYPE, type PolicyHead } from '../../workflows/verdict/policy-head.ts';
import type { Envelope, Verdict } from '../../workflows/verdict/verdict.ts';
import { anAllow, TEST_FLEET, type TestVerdictKey } from './verdicts.ts';

/** A time so many ms from now, RFC 3339. */
export const fromNow = (ms: number) => new Date(Date.now() + ms).toISOString();

/** A statement of some minutes ago, as it reaches a node without a network. */
export function aStatement(key: TestVerdictKey, changes: Partial<PolicyHead> = {}): Envelope {
  const { policyRevision } = anAllow();
  const times = { statedAt: fromNow(-300_000), expiresAt: fromNow(-240_000) };
  return key.envelope(POLICY_HEAD_PAYLOAD_TYPE, { fleet: TEST_FLEET, policyRevision, ...times, ...changes });
}

/** What a statement says when these digests are revoked. */
export function revoking(...digests: readonly Digest[]): Required<Pick<PolicyHead, 'revocations'>> {
  return { revocations: [{ name: 'bad', revision: 0, digests }] };
}

/** An allow of some minutes ago that may be used without a backend for an hour. */
export function anOfflineVerdict(key: TestVerdictKey, changes: Partial<Verdict> = {}): Envelope {
  const times = { decidedAt: fromNow(-300_000), expiresAt: fromNow(-60_000), offlineUntil: fromNow(3_600_000) };
  return key.verdict(anAllow({ ...times, ...changes })).envelope;
}

export function offlineText(policy: unknown, verdicts: unknown): string {
  return JSON.stringify({ format: OFFLINE_FORMAT, policy, verdicts });
}

/** Puts content where the daemon looks, under its proper name, as somebody with the rights of root may do. Answers the path. */
export async function smuggle(state: string, content: string, name = importName(content)): Promise<string> {
  await mkdir(importFolder(state), { recursive: true });
  const path = join(importFolder(state), name);
  await writeFile(path, content);
  return path;
}
