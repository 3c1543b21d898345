import {
  authorityKeyId,
  type Certificate,
  certify,
  digitalSignature,
  EKU,
  type Extension,
  extendedKeyUsage,
  type Issuer,
  issueIntermediate,
  issueRoot,
  type PublicHalf,
  type SctPlan,
  subjectKeyId,
  type Window,
} from './ca.ts';
import { type CtLog, createCtLog } from './ct-log.ts';
import {
  bareText,
  claimExtensions,
  type FulcioClaims,
  ISSUER_V1,
  ISSUER_V2,
  type SubjectName,
  subjectAlternativeNames,
  utf8Text,
} from './fulcio-extensions.ts';
import { createKeyPair, type KeyPair } from './key-pair.ts';
import { createWitness, type VirtualWitness } from './note.ts';
import { RekorV1 } from './rekor-v1.ts';
import { RekorV2 } from './rekor-v2.ts';
import { chainTrust, ctTrust, logTrust, type TrustPlan, tsaTrust } from './trusted-root.ts';
import { createTsa, type Tsa } from './tsa.ts';

const MINUTE_MS = 60_000;
const YEAR_MS = 365 * 24 * 60 * MINUTE_MS;

/** Base URLs of the services; host names of `.test` unless they are served. */
export interface ServiceUrls {
  readonly fulcio: string;
  readonly rekorV1: string;
  readonly rekorV2: string;
  readonly tsa: string;
}

const UNSERVED: ServiceUrls = {
  fulcio: 'https://fulcio.test',
  rekorV1: 'https://rekor.test',
  rekorV2: 'https://log2026-1.rekor.test',
  tsa: 'https://timestamp.test/api/v1/timestamp',
};

/** A whole Sigstore of our own: one certificate authority, one log of each kind, one timestamp authority, two witnesses. */
export interface VirtualSigstore {
  /** The time of signing, unless a test says another one. Whole seconds. */
  readonly now: Date;
  readonly urls: ServiceUrls;
  readonly root: Certificate;
  readonly intermediate: Certificate;
  readonly ctLog: CtLog;
  readonly rekorV1: RekorV1;
  readonly rekorV2: RekorV2;
  readonly witnesses: readonly VirtualWitness[];
  readonly tsa: Tsa;
  /** When its authorities and logs are good: a year to either side of `now`. */
  readonly window: Window;
  /** A fresh plan of a trust root that names all of this. */
  trustPlan(): TrustPlan;
  /** A certificate as Fulcio issues it, ten minutes long; the plan may bend everything. */
  issueLeaf(plan?: LeafPlan): Certificate;
  /** The same for a key of somebody else, at another time. */
  certifyLeaf(key: PublicHalf, plan: LeafPlan, time?: Date): Omit<Certificate, 'key'>;
}

/** What in a signing certificate differs from the usual one. */
export interface LeafPlan {
  readonly names?: readonly SubjectName[];
  /** OIDC issuer; `v1` and `v2` are its two extensions, `undefined` leaves one out. */
  readonly issuer?: { readonly v1?: string | undefined; readonly v2?: string | undefined };
  readonly claims?: FulcioClaims;
  readonly window?: Window;
  readonly purposes?: readonly string[];
  readonly key?: KeyPair;
  readonly commonName?: string;
  /** Bends the list of extensions. */
  readonly extensions?: (usual: readonly Extension[]) => readonly Extension[];
  /** Who issues it instead of the intermediate. */
  readonly by?: Issuer;
  readonly scts?: Partial<SctPlan>;
}

/** The usual signer: a workflow on GitHub. */
export const WORKFLOW_ISSUER = 'https://token.actions.githubusercontent.com';
export const WORKFLOW_SUBJECT = 'https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main';
export const WORKFLOW_CLAIMS = {
  githubWorkflowTrigger: 'push',
  githubWorkflowSha: '7'.repeat(40),
  githubWorkflowName: 'release',
  githubWorkflowRepository: 'acme/app',
  githubWorkflowRef: 'refs/heads/main',
  buildSignerUri: WORKFLOW_SUBJECT,
  buildSignerDigest: '7'.repeat(40),
  runnerEnvironment: 'github-hosted',
  sourceRepositoryUri: 'https://github.com/acme/app',
  sourceRepositoryDigest: '7'.repeat(40),
  sourceRepositoryRef: 'refs/heads/main',
  sourceRepositoryIdentifier: '4711',
  sourceRepositoryOwnerUri: 'https://github.com/acme',
  sourceRepositoryOwnerIdentifier: '42',
  buildConfigUri: WORKFLOW_SUBJECT,
  buildConfigDigest: '7'.repeat(40),
  buildTrigger: 'push',
  runInvocationUri: 'https://github.com/acme/app/actions/runs/1/attempts/1',
  sourceRepositoryVisibility: 'private',
} as const satisfies FulcioClaims;

export function createVirtualSigstore(now: Date, urls: ServiceUrls = UNSERVED): VirtualSigstore {
  const window = { from: new Date(now.getTime() - YEAR_MS), until: new Date(now.getTime() + YEAR_MS) };
  const root = issueRoot('virtual fulcio root', window);
  const intermediate = issueIntermediate(root, 'virtual fulcio', window);
  const ctLog = createCtLog();
  const witnesses = [createWitness('witness-1.test'), createWitness('witness-2.test')];
  const rekorV1 = new RekorV1({ host: new URL(urls.rekorV1).hostname });
  const rekorV2 = new RekorV2({ origin: new URL(urls.rekorV2).hostname, witnesses });
  const tsa = createTsa({ name: 'virtual timestamp authority', window });
  rekorV1.fill(5, now);
  rekorV2.fill(6);
  const usual = { now, window, intermediate, ctLog };
  return {
    now,
    urls,
    root,
    intermediate,
    ctLog,
    rekorV1,
    rekorV2,
    witnesses,
    tsa,
    window,
    issueLeaf: (plan = {}) => issueLeaf(usual, plan),
    certifyLeaf: (key, plan, time = now) => certifyLeaf({ ...usual, now: time }, key, plan),
    trustPlan: () => ({
      authorities: [chainTrust(urls.fulcio, [intermediate, root], window)],
      ctLogs: [ctTrust('https://ctfe.test/2026', ctLog, window.from)],
      logs: [logTrust(urls.rekorV1, rekorV1, window.from), logTrust(urls.rekorV2, rekorV2, window.from)],
      timestampAuthorities: [tsaTrust(urls.tsa, tsa, window)],
    }),
  };
}

type Usual = Pick<VirtualSigstore, 'now' | 'intermediate' | 'ctLog'>;

function issueLeaf(usual: Usual, plan: LeafPlan): Certificate {
  const key = plan.key ?? createKeyPair();
  return { ...certifyLeaf(usual, key, plan), key };
}

function certifyLeaf({ now, intermediate, ctLog }: Usual, key: PublicHalf, plan: LeafPlan): Omit<Certificate, 'key'> {
  const by = plan.by ?? intermediate;
  const issuer = plan.issuer ?? { v1: WORKFLOW_ISSUER, v2: WORKFLOW_ISSUER };
  const names = plan.names ?? [{ kind: 'uri', text: WORKFLOW_SUBJECT }];
  const usual: readonly Extension[] = [
    digitalSignature(),
    extendedKeyUsage(plan.purposes ?? [EKU.codeSigning]),
    subjectKeyId(key),
    authorityKeyId(by.key),
    subjectAlternativeNames(names),
    ...(issuer.v1 === undefined ? [] : [bareText(ISSUER_V1, issuer.v1)]),
    ...(issuer.v2 === undefined ? [] : [utf8Text(ISSUER_V2, issuer.v2)]),
    ...claimExtensions(plan.claims ?? WORKFLOW_CLAIMS),
  ];
  const spec = {
    commonName: plan.commonName ?? '',
    window: plan.window ?? aroundFiveMinutes(now),
    extensions: plan.extensions?.(usual) ?? usual,
  };
  return certify(by, key, spec, { logs: [ctLog], time: now, ...plan.scts });
}

function aroundFiveMinutes(time: Date): Window {
  return { from: new Date(time.getTime() - 5 * MINUTE_MS), until: new Date(time.getTime() + 5 * MINUTE_MS) };
}
