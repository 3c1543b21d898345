import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

const DAY = 24 * 60 * 60 * 1000;
const ROLES = ['root', 'timestamp', 'snapshot', 'targets'] as const;
type Role = (typeof ROLES)[number];
type Json = string | number | boolean | readonly Json[] | { readonly [name: string]: Json };

/** A signing key of a role. */
export interface TufKey {
  readonly id: string;
  readonly content: Json;
  readonly privateKey: KeyObject;
}

export type RoleKeys = Readonly<Record<Role, readonly TufKey[]>>;

/** What a version says; times are Unix times in ms. */
export interface Publication {
  /** Target by name. */
  readonly targets: Readonly<Record<string, Uint8Array>>;
  /** False for file names without versions and hashes, as Sigstore's scaffolding has them; decided by the first one. */
  readonly consistent?: boolean;
  /** False for metadata that lists versions alone: TUF makes hashes and lengths of metadata optional. */
  readonly hashes?: boolean;
  /** Unix ms, or the text as it is. */
  readonly expires?: Partial<Readonly<Record<Role, number | string>>>;
  /** Who signs in place of the role's keys. */
  readonly signers?: Partial<RoleKeys>;
  /** Versions, where they are not simply the next. */
  readonly versions?: Partial<Readonly<Record<Role, number>>>;
}

export function createTufKey(): TufKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(12).toString('hex');
  const content = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: raw } };
  return { id: sha256(Buffer.from(canonical(content))), content, privateKey };
}

/**
 * A TUF repository, with consistent snapshots as Sigstore's are unless it is told otherwise, whose files are a map that a test may bend. Root needs
 * two of three keys, the other roles one. Written without the library that reads it.
 */
export class TufRepository {
  /** As a mirror serves them; files of older versions stay. */
  readonly files = new Map<string, Uint8Array>();
  /** The first root.json. */
  readonly initialRoot: Uint8Array;
  keys: RoleKeys = {
    root: [createTufKey(), createTufKey(), createTufKey()],
    timestamp: [createTufKey()],
    snapshot: [createTufKey()],
    targets: [createTufKey()],
  };
  readonly versions: Record<Role, number> = { root: 0, timestamp: 0, snapshot: 0, targets: 0 };

  readonly #consistent: boolean;

  constructor(publication: Publication) {
    const { expires, signers, consistent = true } = publication;
    this.#consistent = consistent;
    this.initialRoot = this.publishRoot({
      ...(expires?.root === undefined ? {} : { expires: expires.root }),
      ...(signers?.root === undefined ? {} : { signers: signers.root }),
    });
    this.publish(publication);
  }

  /** The next root.json with these keys, signed by those of the one before as well unless others are to sign it. */
  publishRoot(
    plan: {
      readonly expires?: number | string;
      readonly keys?: Partial<RoleKeys>;
      readonly signers?: readonly TufKey[];
    } = {},
  ): Uint8Array {
    const before = this.keys.root;
    this.keys = { ...this.keys, ...plan.keys };
    const roles = ROLES.map((role) => {
      const keyids = this.keys[role].map(({ id }) => id);
      return [role, { keyids, threshold: role === 'root' ? 2 : 1 }] as const;
    });
    const keys = ROLES.flatMap((role) => this.keys[role]).map(({ id, content }) => [id, content] as const);
    this.versions.root += 1;
    const body = {
      keys: Object.fromEntries(keys),
      roles: Object.fromEntries(roles),
      consistent_snapshot: this.#consistent,
    };
    const expires = plan.expires ?? Date.now() + 365 * DAY;
    const signers = plan.signers ?? [...new Set([...before, ...this.keys.root])];
    return this.#write(`${this.versions.root}.root.json`, 'root', this.versions.root, expires, body, signers);
  }

  /** A new targets.json, snapshot.json and timestamp.json. */
  publish({ targets, expires = {}, hashes = true, signers = {}, versions = {} }: Publication): void {
    for (const role of ['timestamp', 'snapshot', 'targets'] as const) {
      this.versions[role] = versions[role] ?? this.versions[role] + 1;
    }
    const write = (path: string, role: Role, body: Readonly<Record<string, Json>>) => {
      const until = expires[role] ?? Date.now() + (role === 'timestamp' ? 7 : 300) * DAY;
      return this.#write(path, role, this.versions[role], until, body, signers[role] ?? this.keys[role]);
    };
    const list: Record<string, Json> = {};
    for (const [path, bytes] of Object.entries(targets)) {
      const hash = sha256(bytes);
      list[path] = { length: bytes.byteLength, hashes: { sha256: hash } };
      this.files.set(`targets/${this.#consistent ? `${hash}.` : ''}${path}`, bytes);
    }
    const { snapshot, targets: version } = this.versions;
    const prefix = (one: number) => (this.#consistent ? `${one}.` : '');
    const metaOf = (one: number, bytes: Uint8Array): Json =>
      hashes ? { version: one, length: bytes.byteLength, hashes: { sha256: sha256(bytes) } } : { version: one };
    const targetsBytes = write(`${prefix(version)}targets.json`, 'targets', { targets: list });
    const snapshotBytes = write(`${prefix(snapshot)}snapshot.json`, 'snapshot', {
      meta: { 'targets.json': metaOf(version, targetsBytes) },
    });
    write('timestamp.json', 'timestamp', { meta: { 'snapshot.json': metaOf(snapshot, snapshotBytes) } });
  }

  /** Goes back to what was served and signed with before; the other versions go on. */
  restore(before: {
    readonly files: ReadonlyMap<string, Uint8Array>;
    readonly keys: RoleKeys;
    readonly root: number;
  }): void {
    this.files.clear();
    for (const [path, bytes] of before.files) this.files.set(path, bytes);
    this.keys = before.keys;
    this.versions.root = before.root;
    for (const role of ['timestamp', 'snapshot', 'targets'] as const) this.versions[role] += 10;
  }

  #write(
    path: string,
    role: Role,
    version: number,
    expires: number | string,
    body: Readonly<Record<string, Json>>,
    signers: readonly TufKey[],
  ): Uint8Array {
    const until = typeof expires === 'string' ? expires : new Date(expires).toISOString().replace(/\.\d+Z$/, 'Z');
    const content = { _type: role, spec_version: '1.0.31', version, expires: until, ...body };
    const message = Buffer.from(canonical(content));
    const signatures = signers.map(({ id, privateKey }) => ({
      keyid: id,
      sig: sign(undefined, message, privateKey).toString('hex'),
    }));
    const bytes = Buffer.from(JSON.stringify({ signed: content, signatures }));
    this.files.set(path, bytes);
    return bytes;
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** OLPC canonical JSON, which TUF signs. */
function canonical(value: Json): string {
  if (typeof value === 'string') return `"${value.replaceAll(/["\\]/g, '\\$&')}"`;
  if (typeof value !== 'object') return String(value);
  if (isList(value)) return `[${value.map(canonical).join(',')}]`;
  const fields = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, one]) => `${canonical(name)}:${canonical(one)}`).join(',')}}`;
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
