import { doesNotApply, fails, type Row, succeeds, succeedsAgain, type WorkerClient } from './cells.ts';

const NOT_TRUSTED =
  /certificate is not trusted \(UNABLE_TO_VERIFY_LEAF_SIGNATURE\); check it, and name a private authority in NODE_EXTRA_CA_CERTS/;
const NO_CREDENTIAL = doesNotApply('it shows no credential');
const NO_SETTING = 'no setting names a certificate to show';

const unreachable = (note?: string) => fails('REGISTRY_UNREACHABLE', true, /the connection failed \([A-Z_]+\)/, note);
const log: Row = {
  plain: succeeds(),
  'own CA': succeeds('NODE_EXTRA_CA_CERTS'),
  'unknown CA': fails('LOG_UNREACHABLE', true, NOT_TRUSTED),
  'client certificate': fails('LOG_UNREACHABLE', true, /the connection failed/, NO_SETTING),
  'CONNECT proxy': succeeds(),
  NO_PROXY: succeeds(),
  'renewed credential': NO_CREDENTIAL,
  redirect: succeeds('answers are proven by the log key'),
  slow: fails('LOG_TIMEOUT', true, /no complete answer within the time limit/),
  cut: fails('LOG_UNREACHABLE', true, /the connection failed/),
};

const TOKEN_SERVICE =
  /was not asked, because the service that gives this worker its credentials cannot be reached .*; check network/;
const UNTRUSTED = /shows a certificate that this worker does not trust .*NODE_EXTRA_CA_CERTS/;
/** What a key manager and its token service have in common. */
const kms = {
  plain: succeeds(),
  'own CA': succeeds('NODE_EXTRA_CA_CERTS'),
  'unknown CA': fails('KMS_UNREACHABLE', true, UNTRUSTED),
  'client certificate': fails('KMS_UNREACHABLE', true, /cannot be reached/, NO_SETTING),
  'CONNECT proxy': succeeds(),
  NO_PROXY: succeeds(),
  slow: fails('KMS_TIMEOUT', true, /did not answer in time/),
  cut: fails('KMS_UNREACHABLE', true, /cannot be reached/),
} as const satisfies Partial<Row>;
const tokens = {
  ...kms,
  'unknown CA': fails('KMS_UNREACHABLE', true, TOKEN_SERVICE),
  'client certificate': fails('KMS_UNREACHABLE', true, TOKEN_SERVICE, NO_SETTING),
  cut: fails('KMS_UNREACHABLE', true, TOKEN_SERVICE),
} as const satisfies Partial<Row>;

const registry: Row = {
  plain: succeeds(),
  'own CA': succeeds('NODE_EXTRA_CA_CERTS'),
  'unknown CA': fails('REGISTRY_UNREACHABLE', true, NOT_TRUSTED),
  'client certificate': unreachable('hosts.toml names one: next client'),
  'CONNECT proxy': succeeds(),
  NO_PROXY: succeeds(),
  'renewed credential': succeeds('docker config is read for each challenge'),
  redirect: succeeds('content is proven by its digest; the credential stays behind'),
  slow: fails('REGISTRY_TIMEOUT', true, /no complete answer within the time limit/),
  cut: unreachable(),
};

/** Every cell of the clients of a worker. */
export const WORKER_TABLE: Readonly<Record<WorkerClient, Row>> = {
  registry,
  'registry with TLS of its own': {
    ...registry,
    'own CA': succeeds('`ca` of hosts.toml'),
    'client certificate': succeeds('`client` of hosts.toml'),
    'renewed credential': succeeds('the certificate is read for each question'),
  },
  token: {
    ...registry,
    'client certificate': unreachable('one of hosts.toml is shown to the origin of its registry alone'),
    redirect: fails('REGISTRY_ERROR', false, /expected 200, got 307/, 'a secret goes to no other origin'),
  },
  TUF: {
    plain: succeeds(),
    'own CA': succeeds('NODE_EXTRA_CA_CERTS'),
    'unknown CA': fails('TRUST_ROOT_UNAVAILABLE', true, NOT_TRUSTED),
    'client certificate': fails('TRUST_ROOT_UNAVAILABLE', true, /the connection for 2\.root\.json failed/, NO_SETTING),
    'CONNECT proxy': succeeds(),
    NO_PROXY: succeeds(),
    'renewed credential': NO_CREDENTIAL,
    redirect: succeeds('metadata is signed'),
    slow: fails('TRUST_ROOT_UNAVAILABLE', true, /no complete answer to timestamp\.json in time/),
    cut: fails('TRUST_ROOT_UNAVAILABLE', true, /the connection for timestamp\.json failed/),
  },
  'Rekor v1': log,
  'Rekor v2': log,
  'AWS KMS': {
    ...kms,
    'renewed credential': succeedsAgain('the shared file is read again after a refusal'),
    redirect: fails('KMS_MISBEHAVED', true, /found "HTTP 307"\); check the endpoint/, 'the SDK follows none'),
  },
  'AWS STS': {
    ...tokens,
    'renewed credential': succeeds('the token file is read for each exchange'),
    redirect: fails('KMS_UNREACHABLE', true, TOKEN_SERVICE, 'the SDK follows none'),
  },
  'Google Cloud KMS': {
    ...kms,
    plain: doesNotApply('its client speaks TLS alone'),
    'renewed credential': succeedsAgain('the key file is read again after a refusal'),
    redirect: doesNotApply('gRPC has no redirects'),
  },
  'Google tokens': {
    ...tokens,
    'renewed credential': succeeds('the token file is read for each exchange'),
    redirect: succeeds('its library follows them'),
  },
  'Azure Key Vault': {
    ...kms,
    plain: doesNotApply('its client gives a token to TLS alone'),
    'renewed credential': doesNotApply('its credential is a token: see Azure tokens'),
    redirect: fails('KMS_MISBEHAVED', true, /found "status 307"/, 'a token goes to no other server'),
  },
  'Azure tokens': {
    ...tokens,
    'CONNECT proxy': succeeds(),
    'renewed credential': succeeds('a token that ends is asked for anew'),
    redirect: fails('KMS_CREDENTIALS', true, /this worker has no credentials for it/, 'its library follows none'),
  },
  Vault: {
    ...kms,
    'renewed credential': succeeds('the token file is read for each question'),
    redirect: fails('KMS_ERROR', true, /give the worker the address of the server to which it redirects/),
  },
};
