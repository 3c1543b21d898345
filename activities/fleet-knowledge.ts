import { verify } from 'node:crypto';
import { preAuthEncoding } from '../workflows/format/dsse.ts';
import { parseStrictJsonText } from '../workflows/format/strict-json.ts';
import { CLOCK_SKEW_MS, POLICY_HEAD_TTL_MS } from '../workflows/verdict/deadlines.ts';
import {
  type KeyStatement,
  MAX_KEY_STATEMENTS,
  POLICY_HEAD_PAYLOAD_TYPE,
  type PolicyHead,
  parsePolicyHead,
} from '../workflows/verdict/policy-head.ts';
import type { Envelope } from '../workflows/verdict/verdict.ts';
import type { Dependencies } from './dependencies.ts';
import { MAX_KMS_REQUEST_MS } from './limits.ts';
import type { Authority, ManagedSigner, PolicyLoad } from './policy/policy-set.ts';
import type { VerdictKey } from './verdict-key/verdict-key.ts';

/** A state is asked for again when it is this part of its age, so that nobody finds it too old. */
const REFRESH_AT = 0.7;

/** What is told to other workers: of the keys in KMS that the policy names, and of the logs that it has asked live. */
export function fleetKnowledge({
  policy,
  keys,
  logs,
}: Pick<Dependencies, 'policy' | 'keys' | 'logs'>): Pick<PolicyHead, 'keys' | 'logs'> {
  const load = policy.current();
  const uris = new Set(managedSigners(load).map(({ reference }) => reference.uri));
  const known = keys.statements().filter(({ uri }) => uris.has(uri));
  return {
    ...(uris.size === 0 ? {} : { keys: known.slice(0, MAX_KEY_STATEMENTS) }),
    ...(authoritiesOf(load).some(({ log }) => log?.mode === 'consistency') ? { logs: logs.statements() } : {}),
  };
}

/** Keeps the states of those keys fresh, in the background: one worker does it for the fleet. */
export function refreshKeys({ policy, keys }: Pick<Dependencies, 'policy' | 'keys'>): void {
  for (const { reference, freshness } of managedSigners(policy.current())) {
    const maxAgeMs = freshness.maxAgeMs * REFRESH_AT;
    // Whoever needs the key will hear why it could not be asked for.
    keys.check(reference, { maxAgeMs, staleMs: 0 }, AbortSignal.timeout(MAX_KMS_REQUEST_MS)).catch(() => undefined);
  }
}

/** Takes over what another worker of this fleet, with the same verdict key, signed. Anything else teaches nothing. */
export function learn(
  { keys, logs, fleet, verdictKey }: Pick<Dependencies, 'keys' | 'logs' | 'fleet' | 'verdictKey'>,
  statement: Envelope | undefined,
): void {
  if (statement === undefined) return;
  const content = openStatement(verdictKey, statement);
  const head = content === undefined ? undefined : parsePolicyHead(content);
  if (head === undefined || head.fleet !== fleet) return;
  if (head.keys !== undefined) keys.learn(head.keys.filter((state) => counts(state, head)));
  if (head.logs !== undefined) logs.learn(head.logs);
}

/**
 * Whether the state of a key may be taken over. That a key is good counts only from a statement of now, as a node would use
 * it; that it is not good can only refuse. Checkpoints of logs are held against the log itself, whatever their age.
 */
function counts({ unusable }: KeyStatement, { statedAt, expiresAt }: PolicyHead): boolean {
  if (unusable !== undefined) return true;
  const [now, stated] = [Date.now(), Date.parse(statedAt)];
  const until = Math.min(Date.parse(expiresAt), stated + POLICY_HEAD_TTL_MS);
  return stated <= now + CLOCK_SKEW_MS && until >= now - CLOCK_SKEW_MS;
}

function openStatement({ publicKey }: VerdictKey, { payloadType, payload, signatures }: Envelope): unknown {
  if (payloadType !== POLICY_HEAD_PAYLOAD_TYPE) return undefined;
  const bytes = Buffer.from(payload, 'base64');
  const signed = preAuthEncoding(payloadType, bytes);
  const algorithm = publicKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  try {
    const holds = signatures.some(({ sig }) => verify(algorithm, signed, publicKey, Buffer.from(sig, 'base64')));
    const json = holds ? parseStrictJsonText(bytes.toString('utf8')) : undefined;
    return json?.ok === true ? json.value : undefined;
  } catch {
    return undefined;
  }
}

function managedSigners(load: PolicyLoad): readonly ManagedSigner[] {
  return authoritiesOf(load).flatMap(({ signer }) => (signer.kind === 'kms' ? [signer] : []));
}

function authoritiesOf(load: PolicyLoad): readonly Authority[] {
  return load.ok ? load.set.policies.flatMap((policy) => policy.authorities) : [];
}
