/** Payload type of the envelope in which a worker states its policy revision. */
export const POLICY_HEAD_PAYLOAD_TYPE = 'application/vnd.portcullis.policy-head.v1+json';

/** Which policy revision is applied, stated by a worker; nodes ask for verifications by it. */
export interface PolicyHead {
  /** Hex of the content hash over the policy directory and the trust roots that it names. */
  readonly policyRevision: string;
  /** RFC 3339 times, UTC. */
  readonly statedAt: string;
  readonly expiresAt: string;
}

/** Reads a policy head out of JSON whose signature has been checked; `undefined` for anything else. */
export function parsePolicyHead(json: unknown): PolicyHead | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  const { policyRevision, statedAt, expiresAt } = json as { [K in keyof PolicyHead]?: unknown };
  if (typeof policyRevision !== 'string' || !/^[0-9a-f]{64}$/.test(policyRevision)) return undefined;
  if (typeof statedAt !== 'string' || Number.isNaN(Date.parse(statedAt))) return undefined;
  if (typeof expiresAt !== 'string' || Number.isNaN(Date.parse(expiresAt))) return undefined;
  return { policyRevision, statedAt, expiresAt };
}
