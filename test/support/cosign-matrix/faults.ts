import type { SignatureContent } from '../../../activities/sigstore/evidence/content.ts';
import { type Digest, digestHex } from '../../../workflows/format/digest.ts';
import { rekorBundle } from '../virtual-sigstore/evidence.ts';
import type { VirtualSigstore } from '../virtual-sigstore/sigstore.ts';
import type { TlogEntry } from '../virtual-sigstore/tlog-entry.ts';
import {
  entryIn,
  flipped,
  signatureIn,
  timestampIn,
  withEntry,
  withPayload,
  withSignature,
  withTimestamp,
} from './bend.ts';
import type { Demand } from './demand.ts';
import type { Scenario } from './scenario.ts';
import { ISSUER, SUBJECT } from './signing.ts';

/** What a bend has at hand. */
export interface Surroundings {
  readonly sigstore: VirtualSigstore;
  /** The image that was signed, and one that was not. */
  readonly image: Digest;
  readonly victim: Digest;
  /** Evidence of the same form about another image by another signer. */
  readonly stranger: SignatureContent | undefined;
  /** A bundle about another image by somebody without a key. */
  readonly strangersBundle: SignatureContent;
}

/** One thing that is wrong: with the evidence, with where it lies, or with what is asked of it. */
export interface Fault {
  readonly name: string;
  readonly applies: (scenario: Scenario) => boolean;
  /** `undefined` where this evidence can't be bent that way. */
  readonly bend?: (content: SignatureContent, around: Surroundings) => SignatureContent | undefined;
  /** It is found under the image that was not signed. */
  readonly isMoved?: true;
  readonly ask?: (demand: Demand, scenario: Scenario) => Demand;
  /** What lies beside it. */
  readonly beside?: (around: Surroundings) => SignatureContent;
  /** The repository it is found in counts, and not the one it was signed in. */
  readonly isElsewhere?: true;
  /** Nothing is wrong, after all. */
  readonly isHarmless?: true;
}

const always = () => true;
const keyless = ({ signer }: Scenario) => signer === 'keyless';
const logged = ({ log }: Scenario) => log !== 'none';
const loggedInV1 = ({ log }: Scenario) => log === 'v1';
const stamped = ({ timestamps }: Scenario) => timestamps;
const bundled = ({ format }: Scenario) => format === 'bundle';
const HOUR_MS = 3_600_000;

export const FAULTS: readonly Fault[] = [
  { name: 'nothing', applies: always, isHarmless: true },
  {
    name: "a stranger's bundle beside",
    applies: always,
    beside: ({ strangersBundle }) => strangersBundle,
    isHarmless: true,
  },
  {
    name: 'base64 in lines',
    applies: (one) => !bundled(one) && (one.kind === 'signature' || !logged(one)),
    bend: (content) => withSignature(content, (text) => text.replaceAll(/.{1,76}/g, '$&\n')),
    isHarmless: true,
  },
  {
    name: 'issuing authority alone',
    applies: keyless,
    ask: (demand) => ({ ...demand, trust: 'issuing authority alone' }),
    isHarmless: true,
  },
  {
    name: 'another signer',
    applies: always,
    ask: (demand, scenario) => ({
      ...demand,
      signer: keyless(scenario) ? { subject: 'mallory@acme.test', issuer: ISSUER } : 'other',
    }),
  },
  {
    name: 'another issuer',
    applies: keyless,
    ask: (demand) => ({ ...demand, signer: { subject: SUBJECT, issuer: 'https://other.test' } }),
  },
  {
    name: 'a pattern for a part of the name',
    applies: (scenario) => keyless(scenario) && loggedInV1(scenario),
    ask: (demand) => ({ ...demand, signer: { subject: 'acme', issuer: ISSUER, isPattern: true } }),
  },
  {
    name: 'the other kind of signer',
    applies: always,
    ask: (demand, scenario) => ({
      ...demand,
      signer: keyless(scenario) ? 'P-256' : { subject: SUBJECT, issuer: ISSUER },
    }),
  },
  {
    name: 'found in another repository',
    applies: (scenario) => !bundled(scenario) && scenario.kind === 'signature',
    isElsewhere: true,
  },
  { name: 'moved to another image', applies: always, isMoved: true },
  {
    name: 'rewritten for another image',
    applies: always,
    isMoved: true,
    bend: (content, { image, victim }) =>
      withPayload(content, (text) => text.replaceAll(digestHex(image), digestHex(victim))),
  },
  { name: 'signature changed', applies: always, bend: (content) => withSignature(content, flipped) },
  {
    name: 'entry missing',
    applies: logged,
    bend: (content) => withEntry(content, { bundle: () => undefined, legacy: () => undefined }),
  },
  { name: 'entry wanted, none there', applies: (one) => !logged(one), ask: (demand) => ({ ...demand, log: true }) },
  { name: 'entry of another signature', applies: logged, bend: withStrangersEntry },
  {
    name: 'promise changed',
    applies: loggedInV1,
    bend: (content) =>
      withEntry(content, {
        bundle: (entry) => ({
          ...entry,
          inclusionPromise: { signedEntryTimestamp: flipped(entry.inclusionPromise?.signedEntryTimestamp ?? '') },
        }),
        legacy: (entry) => ({ ...entry, SignedEntryTimestamp: flipped(entry.SignedEntryTimestamp) }),
      }),
  },
  {
    name: 'proof changed',
    applies: (scenario) => logged(scenario) && bundled(scenario),
    bend: (content) => withEntry(content, { bundle: withProofChanged, legacy: same }),
  },
  {
    name: 'logged at another time',
    applies: loggedInV1,
    bend: (content) =>
      withEntry(content, {
        bundle: (entry) => ({ ...entry, integratedTime: String(Number(entry.integratedTime) + 1) }),
        legacy: (entry) => ({
          ...entry,
          Payload: { ...entry.Payload, integratedTime: entry.Payload.integratedTime + 1 },
        }),
      }),
  },
  { name: 'logged when expired', applies: (one) => keyless(one) && loggedInV1(one), bend: loggedLate },
  {
    name: 'timestamp missing',
    applies: stamped,
    bend: (content) => withTimestamp(content, undefined),
  },
  {
    name: 'timestamp wanted, none there',
    applies: (one) => !stamped(one),
    ask: (demand) => ({ ...demand, timestamp: true }),
  },
  {
    name: 'timestamp of another signature',
    applies: stamped,
    bend: (content, { stranger }) => {
      const timestamp = stranger && timestampIn(stranger);
      return timestamp === undefined ? undefined : withTimestamp(content, timestamp);
    },
  },
  { name: 'stamped when expired', applies: (one) => keyless(one) && stamped(one), bend: stampedLate },
  ...(['another authority', 'authority ended', 'another CT log'] as const).map((trust) => ({
    name: trust,
    applies: keyless,
    ask: (demand: Demand) => ({ ...demand, trust }),
  })),
  ...(['other logs', 'logs ended'] as const).map((trust) => ({
    name: trust,
    applies: logged,
    ask: (demand: Demand) => ({ ...demand, trust }),
  })),
  ...(['another TSA', 'TSA ended'] as const).map((trust) => ({
    name: trust,
    applies: stamped,
    ask: (demand: Demand) => ({ ...demand, trust }),
  })),
  {
    name: 'another predicate type',
    applies: ({ kind }) => kind === 'attestation',
    ask: (demand) => ({ ...demand, predicateType: 'https://portcullis.test/other/v1' }),
  },
  {
    name: 'a signature wanted',
    applies: ({ kind }) => kind === 'attestation',
    ask: (demand) => ({ ...demand, predicateType: undefined }),
  },
  {
    name: 'an attestation wanted',
    applies: ({ kind }) => kind === 'signature',
    ask: (demand) => ({ ...demand, predicateType: 'https://portcullis.test/predicate/v1' }),
  },
];

function same<T>(value: T): T {
  return value;
}

function withStrangersEntry(content: SignatureContent, { stranger }: Surroundings): SignatureContent | undefined {
  const entry = stranger && entryIn(stranger);
  if (entry === undefined) return undefined;
  return withEntry(content, {
    bundle: (own) => ('logId' in entry ? entry : own),
    legacy: (own) => ('Payload' in entry ? entry : own),
  });
}

function withProofChanged(entry: TlogEntry): TlogEntry {
  const proof = entry.inclusionProof;
  if (proof === undefined) return entry;
  const [first, ...hashes] = proof.hashes;
  return {
    ...entry,
    inclusionProof:
      first === undefined
        ? { ...proof, rootHash: flipped(proof.rootHash) }
        : { ...proof, hashes: [flipped(first), ...hashes] },
  };
}

/** The log itself says that it saw the signature an hour later, when the certificate was no longer good. */
function loggedLate(content: SignatureContent, { sigstore }: Surroundings): SignatureContent | undefined {
  const late = new Date(Date.now() + HOUR_MS);
  const relog = (body: string) => {
    const { rekorV1 } = sigstore;
    return rekorV1.entry(rekorV1.append(Buffer.from(body, 'base64'), late));
  };
  return withEntry(content, {
    bundle: (entry) => relog(entry.canonicalizedBody),
    legacy: (entry) => rekorBundle(relog(entry.Payload.body)),
  });
}

/** The timestamp authority itself says so. What cosign has stamped of an envelope depends on its version. */
function stampedLate(content: SignatureContent, { sigstore }: Surroundings): SignatureContent | undefined {
  if (content.format === 'envelope') return undefined;
  const stamp = sigstore.tsa.stamp(Buffer.from(signatureIn(content), 'base64'), new Date(Date.now() + HOUR_MS));
  return withTimestamp(content, stamp.toString('base64'));
}
