import { PublicKeyDetails } from '@sigstore/protobuf-specs';
import type { ProtoMessage } from '../sigstore/proto-json.ts';
import { CERTIFICATE_CHAIN, HASH_ALGORITHM, LOG_ID, message, messages } from '../sigstore/proto-messages.ts';

const TIME_RANGE: ProtoMessage = { start: { kind: 'timestamp' }, end: { kind: 'timestamp' } };

const PUBLIC_KEY: ProtoMessage = {
  rawBytes: { kind: 'bytes' },
  keyDetails: { kind: { values: PublicKeyDetails } },
  validFor: message(TIME_RANGE),
};

const LOG: ProtoMessage = {
  baseUrl: { kind: 'string' },
  hashAlgorithm: { kind: HASH_ALGORITHM },
  publicKey: message(PUBLIC_KEY),
  logId: message(LOG_ID),
  checkpointKeyId: message(LOG_ID),
  operator: { kind: 'string' },
};

const AUTHORITY: ProtoMessage = {
  subject: message({ organization: { kind: 'string' }, commonName: { kind: 'string' } }),
  uri: { kind: 'string' },
  certChain: message(CERTIFICATE_CHAIN),
  validFor: message(TIME_RANGE),
  operator: { kind: 'string' },
};

/** protobuf-specs `sigstore_trustroot.proto`: `TrustedRoot`, and `tlogs[].origin`, which is ours. */
export const TRUSTED_ROOT: ProtoMessage = {
  mediaType: { kind: 'string' },
  tlogs: messages({ ...LOG, origin: { kind: 'string' } }),
  certificateAuthorities: messages(AUTHORITY),
  ctlogs: messages(LOG),
  timestampAuthorities: messages(AUTHORITY),
};

/** Fields that end trust: misplaced or misspelt they would leave it open. */
export const WINDOW_FIELDS = ['validFor', 'start', 'end'] as const;
