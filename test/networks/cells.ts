import type { ReasonCode } from '../../workflows/verdict/reason.ts';

/** What a network may be like between a client and its server. */
export const CONDITIONS = {
  plain: 'HTTP without TLS, or TLS that the system trusts',
  'own CA': "TLS by a private authority that the operator names to the client's process",
  'unknown CA': 'TLS by an authority that is not named to the client',
  'client certificate': 'TLS whose server asks for a certificate of the client',
  'CONNECT proxy': 'HTTPS_PROXY and HTTP_PROXY name a proxy, and the server is behind it',
  NO_PROXY: 'the same, and NO_PROXY lists the server',
  'renewed credential':
    'the server refuses the credential that the client holds; a new one lies where the first came from',
  redirect: 'the server sends the client to another server',
  slow: 'the server accepts and answers too late, or one byte at a time',
  cut: 'the connection ends in the middle of the answer',
} as const;

export type Condition = keyof typeof CONDITIONS;

/** Every client of a worker that leaves its process. */
export const WORKER_CLIENTS = {
  registry: 'manifests, tags and blobs',
  'registry with TLS of its own': 'the same by hosts.toml with `ca` or `client`',
  token: 'tokens for a registry',
  TUF: 'the mirror of a trust root',
  'Rekor v1': 'entries of a transparency log of the first generation',
  'Rekor v2': 'checkpoints and tiles of a transparency log',
  'AWS KMS': 'keys; the credential is a shared file',
  'AWS STS': 'credentials for AWS by web identity',
  'Google Cloud KMS': 'keys; the credential is a key file of a service account',
  'Google tokens': 'credentials for Google Cloud by workload identity federation',
  'Azure Key Vault': 'keys',
  'Azure tokens': 'credentials for Azure by a managed identity',
  Vault: 'keys of a transit engine; the token is a file that an agent writes',
} as const;

/** What a worker and a node say to Temporal; `temporal.test.ts` tries them. */
export const TEMPORAL_CLIENTS = {
  'Temporal of the worker': 'tasks',
  'Temporal of the shim': 'verifications',
} as const;

export type WorkerClient = keyof typeof WORKER_CLIENTS;
export type TemporalClient = keyof typeof TEMPORAL_CLIENTS;
export type Client = WorkerClient | TemporalClient;

/** What a client must do under a condition. */
export type Cell =
  /** After this many attempts, of which only the first may fail. Default 1. */
  | { readonly kind: 'succeeds'; readonly attempts?: 2; readonly note?: string }
  | {
      readonly kind: 'fails';
      /** `undefined` where a program ends with a sentence instead. */
      readonly code: ReasonCode | undefined;
      /** Whether it is tried again without a person. */
      readonly retryable: boolean;
      /** What the sentence must say: the cause, and what to do. */
      readonly says: RegExp;
      readonly note?: string;
    }
  | { readonly kind: 'does not apply'; readonly because: string };

/** One client under every condition: one that is missing does not compile. */
export type Row = Readonly<Record<Condition, Cell>>;

/** For rows. */
export const succeeds = (note?: string): Cell => ({ kind: 'succeeds', ...(note !== undefined && { note }) });
export const succeedsAgain = (note: string): Cell => ({ kind: 'succeeds', attempts: 2, note });
export const doesNotApply = (because: string): Cell => ({ kind: 'does not apply', because });
export const fails = (code: ReasonCode | undefined, retryable: boolean, says: RegExp, note?: string): Cell => ({
  ...{ kind: 'fails', code, retryable, says },
  ...(note !== undefined && { note }),
});

/** The finished table as text: a line for each client and condition. `saw` is what happened, where the cell was tried. */
export function printRow(client: Client, row: Row, saw: ReadonlyMap<Condition, string>): string {
  // Object.entries forgets that the keys are conditions.
  const cells = Object.entries(row) as [Condition, Cell][];
  return cells
    .map(([condition, cell]) => `${client} | ${condition} | ${expected(cell, saw.get(condition))}`)
    .join('\n');
}

function expected(cell: Cell, saw: string | undefined): string {
  const note = 'note' in cell && cell.note !== undefined ? ` (${cell.note})` : '';
  switch (cell.kind) {
    case 'succeeds':
      return `succeeds${cell.attempts === 2 ? ' with the second attempt' : ''}${note}`;
    case 'fails':
      return `${cell.code ?? 'ends'}, ${cell.retryable ? 'tried again' : 'not tried again'}: ${saw ?? String(cell.says)}${note}`;
    case 'does not apply':
      return `does not apply: ${cell.because}`;
  }
}
